"""The planner: what it returns fits, and what it refuses comes with a size that works."""

import re

import msgspec
import pytest
from tests.unit.model.sources import data_disk, filesystem, partition, server, system_disk

from smc.base.errors import UserError
from smc.base.units import GIB, MIB
from smc.model import ext
from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.facts import Facts
from smc.model.plan import Plan
from smc.model.planner import plan
from smc.model.server import Firmware, Server
from smc.model.tables import extended, partition_starts
from smc.model.wishes import Limits, PartWish, Wishes


def the_plan(source: Server, **wishes: object) -> Plan:
    return plan(source, msgspec.structs.replace(Wishes(), **wishes), Limits())


def refusal(source: Server, **wishes: object) -> UserError:
    with pytest.raises(UserError) as caught:
        the_plan(source, **wishes)
    assert caught.value.hint
    return caught.value


def test_a_disk_of_the_same_size_keeps_order_sizes_and_names() -> None:
    made = the_plan(server(system_disk())).disks[0]
    assert [p.source for p in made.partitions] == ["0_14", "0_1", "0_2", "0_3"]
    assert [p.number for p in made.partitions] == [1, 2, 3, 4]
    assert made.size == 30 * GIB
    assert made.table_uuid == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    assert made.partitions[1].size == 512 * MIB
    assert made.partitions[3].size == 2 * GIB - MIB
    assert made.partitions[3].uuid == "11111111-2222-4333-8444-555555555555"
    assert made.partitions[2].part_uuid == "00000000-0000-4000-8000-000000000002"
    assert "needs_recovery" not in made.partitions[2].features


def test_on_a_larger_disk_only_the_last_filesystem_grows() -> None:
    small = the_plan(server(system_disk())).disks[0].partitions
    large = the_plan(server(system_disk()), sizes_gib={0: 50}).disks[0].partitions
    assert [p.size for p in large[:2]] == [p.size for p in small[:2]]
    assert large[2].size == small[2].size + 20 * GIB
    assert large[3] == small[3]


def test_a_system_disk_gets_at_least_20_gib() -> None:
    assert the_plan(server(system_disk(size=8 * GIB, used=2 * GIB))).disks[0].size == 20 * GIB


def test_a_system_disk_without_bios_boot_partition_gets_one_first() -> None:
    disk = system_disk()
    disk = msgspec.structs.replace(disk, partitions=disk.partitions[1:], table_uuid="")
    made = the_plan(server(disk))
    first = made.disks[0].partitions[0]
    assert (first.role, first.size, first.source) == (Role.BIOS_BOOT, MIB, "")
    assert len(first.part_uuid) == 36
    assert made == the_plan(server(disk)), "made-up ids are the same each time"


def test_a_data_disk_without_mount_point_is_left_behind_with_the_reason() -> None:
    lvm = Disk(
        index=1,
        path="/dev/vdb",
        size=GIB,
        table=Table.NONE,
        partitions=(partition(0, 0, GIB, Filesystem(type="LVM2_member"), role=Role.OTHER),),
    )
    made = the_plan(server(system_disk(), lvm))
    assert len(made.disks) == 1
    assert made.left_behind[0].what == "/dev/vdb"
    assert "LVM" in made.left_behind[0].why


def test_a_filesystem_directly_on_a_disk_is_kept() -> None:
    fs = filesystem("/srv/data", 9 * GIB, GIB)
    bare = Disk(index=1, path="/dev/vdb", size=10 * GIB, table=Table.NONE)
    bare = msgspec.structs.replace(bare, partitions=(partition(0, 0, 10 * GIB, fs, part_uuid=""),))
    made = the_plan(server(system_disk(), bare))
    assert made.disks[1].partitions[0].mount_point == "/srv/data"
    assert (made.disks[1].table, made.disks[1].partitions[0].number) == (Table.NONE, 0)
    assert made.disks[1].partitions[0].size == 10 * GIB, "there is no table"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "f2fs"}, "Source.LayoutUnsupported"),
        ({"type": "xfs", "block_size": 65536}, "Source.LayoutUnsupported"),
        ({"block_size": 65536}, "Source.LayoutUnsupported"),
        ({"mount_point": "/elsewhere"}, "Source.LayoutUnsupported"),
    ],
)
def test_what_cannot_be_laid_out_is_refused_with_a_cure(change: dict[str, object], code: str) -> None:
    disk = system_disk()
    root = disk.partitions[2]
    assert root.filesystem
    root = msgspec.structs.replace(root, filesystem=msgspec.structs.replace(root.filesystem, **change))
    parts = (*disk.partitions[:2], root, disk.partitions[3])
    assert refusal(server(msgspec.structs.replace(disk, partitions=parts))).code == code


def test_an_mbr_stays_one_with_logical_partitions_where_four_are_not_enough() -> None:
    disk = system_disk(table=Table.MBR)
    four = msgspec.structs.replace(disk, partitions=disk.partitions[1:], table_uuid="1234abcd")
    made = the_plan(server(four)).disks[0]
    assert (made.table, made.table_uuid) == (Table.MBR, "1234abcd")
    assert [(p.number, p.part_uuid) for p in made.partitions] == [
        (1, "1234abcd-01"),
        (2, "1234abcd-02"),
        (3, "1234abcd-03"),
    ]
    more = [partition(n, n * 40 * GIB, GIB, filesystem(f"/m{n}", GIB, 0)) for n in (5, 6)]
    five = msgspec.structs.replace(four, partitions=(*four.partitions, *more), size=300 * GIB)
    made = the_plan(server(five)).disks[0]
    assert [p.number for p in made.partitions] == [1, 2, 3, 5, 6]
    start, size = extended(made)
    starts = partition_starts(made)
    assert (starts[3], starts[4]) == (start + MIB, starts[3] + made.partitions[3].size + MIB)
    assert start + size == starts[4] + made.partitions[4].size <= made.size - MIB


def test_an_mbr_that_would_have_to_reach_too_far_becomes_a_gpt() -> None:
    disk = msgspec.structs.replace(data_disk(1, "/srv"), table=Table.MBR, table_uuid="1234abcd")
    assert the_plan(server(system_disk(), disk), sizes_gib={1: 2048}).disks[1].table is Table.MBR
    made = the_plan(server(system_disk(), disk), sizes_gib={1: 2049})
    assert made.disks[1].table is Table.GPT
    assert len(made.disks[1].table_uuid) == 36
    assert "GPT" in made.warnings[0]


def test_a_database_that_nothing_stops_is_told_in_the_plan() -> None:
    facts = Facts(databases=("MariaDB", "Redis"))
    source = msgspec.structs.replace(server(system_disk()), facts=facts)
    (warning,) = the_plan(source).warnings
    assert warning.startswith("MariaDB, Redis runs on web-1:")
    assert "/smc/Hooks" in warning
    scripted = msgspec.structs.replace(facts, hooks=("before/10-databases",))
    assert not the_plan(msgspec.structs.replace(source, facts=scripted)).warnings


def test_a_bare_filesystem_gets_a_table_when_it_is_not_alone_any_more() -> None:
    fs = filesystem("/srv/data", 9 * GIB, GIB)
    bare = Disk(index=1, path="/dev/vdb", size=10 * GIB, table=Table.NONE)
    bare = msgspec.structs.replace(bare, partitions=(partition(0, 0, 10 * GIB, fs, part_uuid=""),))
    wish = {1: (PartWish(source="1_0"), PartWish(source="2_1"))}
    made = the_plan(server(system_disk(), bare, data_disk(2, "/opt/x")), parts=wish)
    assert (made.disks[1].table, [p.number for p in made.disks[1].partitions]) == (Table.GPT, [1, 2])


def esp(number: int, mount_point: str = "", **values: object) -> Partition:
    fs = Filesystem(type="vfat", uuid="AB12-CD34", label="EFI", mount_point=mount_point, features=("fat32",))
    if mount_point:
        fs = msgspec.structs.replace(fs, size=500 * MIB, used=6 * MIB)
    return partition(number, MIB, 512 * MIB, fs, role=Role.ESP, **values)


def uefi(*parts: Partition) -> Server:
    disk = system_disk()
    return server(
        msgspec.structs.replace(disk, partitions=(*parts, *disk.partitions[2:])), firmware=Firmware.UEFI
    )


def test_an_efi_system_partition_comes_along_with_its_files() -> None:
    part = the_plan(uefi(esp(1, "/boot/efi"))).disks[0].partitions[0]
    assert (part.role, part.filesystem, part.mount_point, part.copied) == (
        Role.ESP,
        "vfat",
        "/boot/efi",
        True,
    )
    assert (part.uuid, part.label, part.size, part.features) == ("AB12-CD34", "EFI", 512 * MIB, ("fat32",))


def test_an_efi_system_partition_that_is_not_mounted_is_made_empty() -> None:
    made = the_plan(uefi(esp(1)))
    part = made.disks[0].partitions[0]
    assert (part.role, part.mount_point, part.copied, part.uuid) == (
        Role.ESP,
        "/boot/efi",
        False,
        "AB12-CD34",
    )
    assert not made.left_behind


def test_a_system_disk_without_efi_system_partition_gets_one_where_the_source_starts_by_it() -> None:
    source = uefi()
    part = the_plan(source).disks[0].partitions[0]
    assert (part.role, part.source, part.mount_point, part.copied) == (Role.ESP, "0_esp", "/boot/efi", False)
    assert re.fullmatch(r"[0-9A-F]{4}-[0-9A-F]{4}", part.uuid)
    assert the_plan(source, parts={0: (PartWish(source="0_2"),)}).disks[0].partitions[0] == part


def test_a_source_that_starts_by_bios_keeps_an_efi_system_partition_that_is_mounted() -> None:
    disk = system_disk()
    parts = (*disk.partitions[:1], esp(15, "/boot/efi"), *disk.partitions[2:])
    made = the_plan(server(msgspec.structs.replace(disk, partitions=parts)))
    assert {p.role for p in made.disks[0].partitions[:2]} == {Role.BIOS_BOOT, Role.ESP}


def test_root_on_lvm_is_refused() -> None:
    disk = system_disk()
    pv = partition(2, GIB, 20 * GIB, Filesystem(type="LVM2_member", mount_point="/"), role=Role.OTHER)
    error = refusal(server(msgspec.structs.replace(disk, partitions=(disk.partitions[1], pv))))
    assert error.code == "Source.LayoutUnsupported"
    assert "LVM" in error.message


def test_the_system_disk_cannot_be_left_out_and_a_data_disk_can() -> None:
    both = server(system_disk(), data_disk(1, "/srv"))
    assert refusal(both, leave_out=frozenset({0})).code == "Disk.Needed"
    assert the_plan(both, leave_out=frozenset({1})).left_behind[0].why == "deselected"


def test_an_unknown_disk_is_refused_by_name() -> None:
    error = refusal(server(system_disk()), sizes_gib={3: 40})
    assert error.code == "Disk.NotFound"
    assert "/dev/vda" in error.hint


def test_sizes_beyond_the_limits_are_refused() -> None:
    assert refusal(server(system_disk()), sizes_gib={0: 4096}).code == "Disk.TooLarge"
    assert refusal(server(system_disk()), sizes_gib={0: 19}).code == "Disk.TooSmall"


def test_a_full_source_fits_a_disk_of_its_own_size() -> None:
    disk = data_disk(1, "/srv", size=100 * GIB, used=97 * GIB)
    assert the_plan(server(system_disk(), disk)).disks[1].size <= 101 * GIB


def test_a_filesystem_never_grows_beyond_what_its_blocks_can_address() -> None:
    made = the_plan(server(system_disk(), data_disk(1, "/srv")), sizes_gib={1: 32768})
    assert made.disks[1].partitions[0].size == ext.largest_size(filesystem("/srv", GIB, 0))
