"""The group of a target disk: how LVM's commands are told, what counts as made, what failures say."""

from collections.abc import Collection
from pathlib import Path

import pytest

from smc.base.errors import Broken, CommandFailed
from smc.base.run import Arg, Output
from smc.base.units import GIB
from smc.model.disk import Role
from smc.model.logical import EXTENT
from smc.model.plan import TargetPartition, VolumeGroup
from smc.receiver import lvm, refusals

DEVICE = Path("/dev/vda3")
GROUP = VolumeGroup(name="vg0", member=TargetPartition(number=3, size=9 * GIB, role=Role.LVM))
PARTS = [
    TargetPartition(number=1, size=4 * GIB, role=Role.FILESYSTEM, mount_point="/", group="vg0"),
    TargetPartition(number=2, size=2 * GIB, role=Role.FILESYSTEM, mount_point="/srv", group="vg0"),
]


class Heard:
    """Plays LVM's commands: `lvs` prints what it was given."""

    def __init__(self, listed: str = "", status: int = 0) -> None:
        self.listed, self.status = listed, status
        self.commands: list[list[str]] = []

    def __call__(self, *argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        words = [str(word) for word in argv]
        self.commands.append(words)
        if words[0] == "lvs":
            return Output(self.listed, "", self.status)
        return Output("", "", 0)


def line(name: str, size: int, kind: str = "linear") -> str:
    return f"  vg0 {name} {size} {EXTENT} 1 {kind}\n"


WHOLE = line("lv2", 2 * GIB) + line("lv1", 4 * GIB)


def test_a_group_is_made_on_its_device_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_block_device", lambda _: True)
    heard = Heard()
    lvm.make(GROUP, PARTS, DEVICE, heard)
    assert [words[0] for words in heard.commands] == ["pvcreate", "vgcreate", "lvcreate", "lvcreate"]
    assert all('filter=["a|^/dev/vda3$|","r|.*|"]' in words[2] for words in heard.commands)
    assert heard.commands[2][-5:] == ["--size", f"{4 * GIB}b", "--name", "lv1", "vg0"]
    assert [lvm.node(part) for part in PARTS] == [Path("/dev/mapper/vg0-lv1"), Path("/dev/mapper/vg0-lv2")]


@pytest.mark.parametrize(
    ("listed", "made"),
    [
        (WHOLE, True),
        (line("lv1", 4 * GIB), False),
        (WHOLE + line("old", GIB), False),
        (WHOLE.replace("linear", "striped"), False),
        (line("lv1", 4 * GIB) + line("lv2", 3 * GIB), False),
        ("", False),
    ],
)
def test_a_group_is_kept_when_it_is_exactly_the_planned_one(listed: str, made: bool) -> None:
    assert lvm.is_made(GROUP, PARTS, DEVICE, Heard(listed)) is made


def test_no_group_is_none_that_was_made() -> None:
    assert not lvm.is_made(GROUP, PARTS, DEVICE, Heard(status=5))


def test_what_lies_on_an_old_disk_is_let_go_from_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vda2 holds a group with one volume, in which LUKS was opened."""
    monkeypatch.setattr(lvm, "SYS_BLOCK", tmp_path)
    for name, mapped in (("dm-0", "vg0-lv1"), ("dm-1", "opened")):
        (tmp_path / name / "dm").mkdir(parents=True)
        (tmp_path / name / "dm/name").write_text(f"{mapped}\n")
    (tmp_path / "vda/vda2/holders/dm-0").mkdir(parents=True)
    (tmp_path / "dm-0/holders/dm-1").mkdir(parents=True)
    heard = Heard()
    lvm.let_go(Path("/dev/vda"), heard)
    assert [words[-1] for words in heard.commands] == ["opened", "vg0-lv1"]


@pytest.mark.parametrize(
    ("error", "code", "cure"),
    [
        (CommandFailed(["mkfs.xfs"], "No such file or directory", ""), "Receiver.ToolMissing", "mkfs.xfs"),
        (
            CommandFailed(["sfdisk"], "exit status 1", "This disk is currently in use - repartitioning"),
            "Disk.Busy",
            "Reboot",
        ),
        (
            CommandFailed(["mke2fs"], "exit status 1", "could not write: Input/output error"),
            "Disk.FormatFailed",
            "Start the job again",
        ),
    ],
)
def test_a_tool_that_fails_is_told_with_a_cure(error: CommandFailed, code: str, cure: str) -> None:
    with pytest.raises(Broken) as caught, refusals.told("the ext4 of /srv", "Disk.FormatFailed"):
        raise error
    assert (caught.value.code, caught.value.code != "Command.Failed") == (code, True)
    assert cure in caught.value.hint
    assert caught.value.message.startswith("the ext4 of /srv cannot be made")
    assert error.stderr in caught.value.message or code == "Receiver.ToolMissing"
