"""Copies between two ext4 filesystems over TLS, judged by rsync and fsck."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.copying import Ends, differences, ext4, tool
from tests.kernel.nasty_tree import make_nasty_tree, release

pytestmark = pytest.mark.kernel


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    with ext4(tmp_path / "source.img") as source, ext4(tmp_path / "target.img") as target:
        try:
            yield Ends(source, target)
        finally:
            release(source)
            release(target)


def flags(root: Path) -> list[str]:
    """`lsattr` of all, without what ext4 sets by itself, as `----i--- path` relative to `root`."""
    found = []
    for line in tool("lsattr", "-R", root).splitlines():
        kept, _, path = line.partition(" ")
        if path and set(kept) <= set("-abcdeijmsuACDEINPSTVxF"):
            found.append(f"{''.join(c for c in kept if c in 'iadA')} {path.replace(str(root), '')}")
    return sorted(found)


def test_everything_arrives_as_rsync_sees_it(ends: Ends) -> None:
    make_nasty_tree(ends.source)
    sent, received = ends.copy()
    assert differences(ends.source, ends.target) == ""
    assert flags(ends.source) == flags(ends.target)
    assert all(proof.equal for proof in received.proof)
    assert sent.trees[0].hash == received.proof[0].written
    assert sent.unreadable == ()
