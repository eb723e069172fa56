"""Paths of subvolumes come from the source, which may be hostile."""

import pytest

from smc.base.errors import Broken
from smc.receiver.btrfs import named


@pytest.mark.parametrize("path", ["", "@", "@home", "home/.snapshots/1 x", "..a/b.."])
def test_a_path_below_the_top_is_taken_as_it_is(path: str) -> None:
    assert named(path) == path


@pytest.mark.parametrize("path", ["/etc", "../etc", "a/../../etc", "a//b", "a/", "@,suid,dev"])
def test_a_path_that_leads_elsewhere_or_ends_its_mount_option_is_refused(path: str) -> None:
    with pytest.raises(Broken, match="subvolume"):
        named(path)
