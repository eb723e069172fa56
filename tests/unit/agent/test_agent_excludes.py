"""What the owner of a source and the operator leave out of a disk."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from smc.agent.exclude_files import explain, file_of, read
from smc.agent.excludes import common_root, within
from smc.agent.replicate import Place, of_disk, planned
from smc.base.errors import UserError
from smc.model.disk import Role
from smc.model.plan import Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware


def disk(index: int, *mount_points: str, excludes: tuple[str, ...] = ()) -> TargetDisk:
    parts = tuple(
        TargetPartition(number=n, size=1, role=Role.FILESYSTEM, source=f"{index}_{n}", mount_point=point)
        for n, point in enumerate(mount_points, 1)
    )
    return TargetDisk(index=index, size=1, partitions=parts, excludes=excludes)


def plan(*disks: TargetDisk) -> Plan:
    return Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=disks)


def test_patterns_follow_the_path_to_a_filesystem() -> None:
    assert within(("*.tmp", "/var/cache/", "/srv/data/old"), "/", "/srv/data") == ("*.tmp", "/old")
    assert within(("/srv/database", "srv/data/x"), "/", "/srv/data") == ("srv/data/x", "/x")
    assert within(("/srv/*/x",), "/", "/srv/data") == ("/x",)
    assert within(("/srv/",), "/", "/srv/data") == ("/*",), "what holds it is left out with all of it"


def test_the_system_disks_file_speaks_of_all_its_filesystems(tmp_path: Path) -> None:
    file_of(tmp_path, 0).write_text("# ours\n; and this\n\n/home/*/cache/\n/boot/old\n*.iso\r\n")
    found = plan(disk(0, "/", "/home", "/boot"))
    home = of_disk(found, Place("0_2", 0, "/home"), tmp_path)
    assert home == ("/*/cache/", "*.iso")
    assert of_disk(found, Place("0_3", 0, "/boot"), tmp_path) == ("/old", "*.iso")
    assert of_disk(found, Place("0_1", 0, "/"), tmp_path) == ("/home/*/cache/", "/boot/old", "*.iso")


def test_a_data_disks_patterns_are_relative_to_where_it_is_mounted(tmp_path: Path) -> None:
    file_of(tmp_path, 1).write_text("/logs/old\n")
    one = plan(disk(0, "/"), disk(1, "/srv", "/srv/logs", excludes=("/logs/x",)))
    assert of_disk(one, Place("1_1", 1, "/srv"), tmp_path) == ("/logs/x", "/logs/old")
    assert of_disk(one, Place("1_2", 1, "/srv/logs"), tmp_path) == ("/x", "/old")
    apart = plan(disk(0, "/"), disk(1, "/srv", "/opt"))
    for name, point in (("1_1", "/srv"), ("1_2", "/opt")):
        assert of_disk(apart, Place(name, 1, point), tmp_path) == ("/logs/old",)


def test_patterns_are_of_the_disk_where_the_source_has_it_wherever_the_copy_has_it(tmp_path: Path) -> None:
    file_of(tmp_path, 1).write_text("/logs/old\n")
    file_of(tmp_path, 2).write_text("/other\n")
    moved = disk(1, "/srv").partitions
    target = disk(2, "/backup", excludes=("/x",))
    one = plan(disk(0, "/"), replace(target, partitions=(*target.partitions, *moved)))
    assert planned(one)[-1] == Place("1_1", 1, "/srv")
    assert of_disk(one, Place("1_1", 1, "/srv"), tmp_path) == ("/logs/old",)
    assert of_disk(one, Place("2_1", 2, "/backup"), tmp_path) == ("/x", "/other")


def test_the_filesystem_that_holds_the_others_is_their_root() -> None:
    assert common_root(["/srv/a", "/srv", "/srv/b"]) == "/srv"
    assert common_root(["/srv", "/opt"]) == ""
    assert common_root([]) == ""


def test_missing_files_are_made_with_an_explanation_and_filled_ones_are_kept(tmp_path: Path) -> None:
    file_of(tmp_path, 1).write_text("/mine\n")
    explain(tmp_path, (0, 1, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rsync_excludes_linux.txt",
        "rsync_excludes_linux_disk1.txt",
        "rsync_excludes_linux_disk2.txt",
    ]
    assert read(tmp_path, 1) == ("/mine",)
    assert read(tmp_path, 0) == read(tmp_path, 2) == (), "an explanation leaves nothing out"
    assert "data disk 2" in file_of(tmp_path, 2).read_text()
    explain(tmp_path / "full", (0,))  # what cannot be written does not stop a copy


@pytest.mark.parametrize(
    ("line", "why"), [(b"+ /keep", "includes"), (b"!", "clears no list"), (b"caf\xe9", "not UTF-8")]
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: bytes, why: str) -> None:
    file_of(tmp_path, 0).write_bytes(b"/fine\n" + line + b"\n")
    with pytest.raises(UserError, match=f"rsync_excludes_linux.txt, line 2: .*{why}") as e:
        read(tmp_path, 0)
    assert e.value.code == "Excludes.Invalid"
