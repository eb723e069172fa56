"""What is said when a target disk cannot be laid out: real tools that fail, and a tool that is missing."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from tests.kernel.loop_disks import loop_disk, tool
from tests.kernel.test_layout import planned, source

from smc.base.errors import Broken
from smc.base.run import Arg, Output, Run, run
from smc.base.units import GIB, MIB
from smc.receiver import mounts
from smc.receiver.layout import lay_out, partition_nodes

pytestmark = pytest.mark.kernel


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with loop_disk(tmp_path / "disk.img", 20 * GIB) as found:
        yield found
        mounts.unmount_below(tmp_path, run)


def refused(device: Path, code: str, told: Collection[str], how: Run = run) -> None:
    with pytest.raises(Broken) as caught:
        lay_out(planned(source()), device, how)
    assert caught.value.code == code
    assert all(word in caught.value.message for word in told), caught.value.message
    assert caught.value.hint


def test_a_disk_that_is_too_small_for_its_table_is_told(tmp_path: Path) -> None:
    with loop_disk(tmp_path / "small.img", 100 * MIB) as small:
        refused(small, "Disk.TableFailed", ["the partition table of disk 0", "sfdisk"])


def test_a_disk_that_is_in_use_is_told(device: Path, tmp_path: Path) -> None:
    disk = planned(source())
    lay_out(disk, device, run)
    odd = tmp_path / "odd"
    odd.mkdir()
    tool("mount", partition_nodes(disk, device)[2], odd)
    other = planned(source(), sizes_gib={0: 21})
    with pytest.raises(Broken) as caught:
        lay_out(other, device, run)
    assert (caught.value.code, "Reboot" in caught.value.hint) == ("Disk.Busy", True)


def test_a_filesystem_that_cannot_be_made_is_told_by_its_mount_point(device: Path) -> None:
    def without_space(*argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        words = [*argv, "1"] if argv[0] == "mke2fs" else argv  # a filesystem of one block cannot be
        return run(*words, timeout=timeout, stdin=stdin, ok=ok)

    refused(device, "Disk.FormatFailed", ["the ext2 of /boot", "mke2fs"], without_space)


def test_a_tool_that_is_not_installed_is_told_by_its_name(device: Path) -> None:
    def elsewhere(*argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        words = ["mke2fs-of-nobody", *argv[1:]] if argv[0] == "mke2fs" else argv
        return run(*words, timeout=timeout, stdin=stdin, ok=ok)

    refused(device, "Receiver.ToolMissing", ["mke2fs-of-nobody"], elsewhere)
