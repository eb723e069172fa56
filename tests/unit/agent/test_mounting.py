"""What the agent mounts to read from, and what it says when the kernel refuses."""

import errno
from pathlib import Path

import pytest

from smc.agent import mounting
from smc.base.errors import Broken
from smc.transfer import native


def test_a_refusal_names_what_and_where_and_tells_where_to_look() -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied", "/smc/.mnt/0_1")

    with pytest.raises(Broken) as e:
        mounting.read_only("/", Path("/smc/.mnt/0_1"), refuse)
    assert e.value.code == "Agent.MountFailed"
    assert "/ could not be mounted at /smc/.mnt/0_1" in e.value.message
    assert "Permission denied" in e.value.message
    assert "dmesg" in e.value.hint


def test_a_subvolume_is_mounted_by_its_path_and_only_for_reading() -> None:
    calls: list[tuple[object, ...]] = []
    mounting.subvolume("/dev/sda2", "@home", Path("/m"), lambda *words: calls.append(words))
    assert calls == [("/dev/sda2", "/m", "btrfs", mounting.READ_ONLY, "subvol=/@home")]


def test_the_kernel_says_what_cannot_be_mounted(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere") as e:
        native.mount("none", str(tmp_path / "nowhere"), "tmpfs", 0, "")
    assert e.value.errno in (errno.ENOENT, errno.EPERM)
