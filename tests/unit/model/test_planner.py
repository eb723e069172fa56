"""The planner: what it returns fits, and what it refuses comes with a size that works."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.model.sources import FEATURES, data_disk, filesystem, partition, server, system_disk

from smc.base.errors import UserError
from smc.base.units import GIB, MIB
from smc.model import ext
from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.facts import Facts
from smc.model.formats import FORMATS, smallest_size
from smc.model.pieces import FIXED, SLACK
from smc.model.places import mounted
from smc.model.plan import Plan
from smc.model.planner import plan
from smc.model.server import Firmware, Server
from smc.model.tables import ALIGNMENT, MBR_BYTES, extended, partition_starts
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


@st.composite
def filesystems(draw: st.DrawFn, mount_point: str) -> Filesystem:
    kind = draw(st.sampled_from(["ext2", "ext4", "xfs", "btrfs"]))
    size = draw(st.integers(64 * MIB, 400 * GIB))
    used = draw(st.integers(0, size))
    inodes = draw(st.sampled_from([0, size // 4096, size // 8192, size // 16384, size // 1048576]))
    features = draw(st.sets(st.sampled_from(FEATURES)))
    return filesystem(
        mount_point,
        size,
        used,
        type=kind,
        inodes=inodes,
        inodes_used=draw(st.integers(0, inodes)),
        features=tuple(sorted(features)),
        block_size=draw(st.sampled_from([0, 4096] if kind == "btrfs" else [0, 1024, 2048, 4096])),
        inode_size=draw(st.sampled_from([0, 128, 256, 512])),
    )


@st.composite
def disks(draw: st.DrawFn, index: int) -> Disk:
    mounts = ["/", "/boot", "/var"] if index == 0 else [f"/srv/{index}", f"/mnt/{index}", ""]
    parts: list[Partition] = []
    end = MIB
    for number, mount in enumerate(mounts[: draw(st.integers(1, 3))], start=1):
        fs = draw(filesystems(mount))
        size = max(int(fs.size * draw(st.floats(1.02, 1.4))), 1)
        parts.append(partition(number, end, size, fs))
        end += size + draw(st.integers(0, GIB))
        if draw(st.booleans()):
            swap = Filesystem(type="swap", uuid=f"{number}")
            parts.append(partition(number + 10, end, draw(st.integers(1, GIB)), swap, role=Role.SWAP))
            end += parts[-1].size
    tail = draw(st.integers(0, GIB))
    table = draw(st.sampled_from([Table.GPT, Table.MBR]))
    return Disk(index=index, path=f"/dev/vd{index}", size=end + tail, table=table, partitions=tuple(parts))


@st.composite
def servers(draw: st.DrawFn) -> Server:
    count = draw(st.integers(1, 3))
    return server(*(draw(disks(index)) for index in range(count)))


@st.composite
def wished_parts(draw: st.DrawFn, source: Server) -> dict[int, tuple[PartWish, ...]]:
    """Mount points in any order, some with a size, some on another disk, some on none."""
    parts: dict[int, list[PartWish]] = {}
    for disk in source.disks:
        if draw(st.booleans()):
            parts[disk.index] = []
    for disk in source.disks:
        for part in draw(st.permutations([part for part in disk.partitions if mounted(part)])):
            fs = part.filesystem
            assert fs
            size = draw(st.sampled_from([0, 0, part.size, 1, part.size // 2, part.size * 2 + 5]))
            wish = PartWish(source=f"{disk.index}_{part.number}", size=size)
            if fs.mount_point in FIXED:
                parts.setdefault(disk.index, []).append(wish)
            elif draw(st.integers(0, 3)):
                index = draw(st.integers(0, len(source.disks) - 1))
                if index in parts or index != disk.index:
                    parts.setdefault(index, []).append(wish)
    for disk in source.disks:  # a disk that a wish brought in has to have what the system needs
        named = {wish.source for wish in parts.get(disk.index, ())}
        needed = [f"{disk.index}_{p.number}" for p in disk.partitions if p.filesystem]
        if disk.index == 0 and disk.index in parts:
            roots = [f"0_{p.number}" for p in disk.partitions if p.filesystem and p.filesystem.mount_point]
            parts[0] += [PartWish(source=name) for name in roots if name not in named and name in needed]
    return {index: tuple(wishes) for index, wishes in parts.items()}


def check_fits(source: Server, made: Plan, parts: dict[int, tuple[PartWish, ...]]) -> None:
    by_name = {f"{d.index}_{p.number}": p for d in source.disks for p in d.partitions}
    wished = {part.source: part for parts_of in parts.values() for part in parts_of}
    wanted = {
        name
        for name, part in by_name.items()
        if mounted(part) and (name in wished or int(name.split("_")[0]) not in parts)
    }
    placed = [p.source for d in made.disks for p in d.partitions if p.mount_point]
    assert sorted(placed) == sorted(wanted)
    for disk in made.disks:
        starts = partition_starts(disk)
        ends = [start + part.size for start, part in zip(starts, disk.partitions, strict=True)]
        edge = 0 if disk.table is Table.NONE else ALIGNMENT
        assert starts[0] >= edge
        assert ends[-1] <= disk.size - edge
        assert ends[-1] <= MBR_BYTES or disk.table is not Table.MBR
        assert all(start % MIB == 0 for start in starts)
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
        assert any(part.mount_point for part in disk.partitions)
        ordered = [p.source for p in disk.partitions if p.mount_point]
        if disk.index in parts:
            chosen = [part.source for part in parts[disk.index]]
            assert ordered[: len(chosen)] == chosen
        else:
            own = [by_name[name].start for name in ordered if name.startswith(f"{disk.index}_")]
            assert own == sorted(own)
        for part in disk.partitions:
            if part.mount_point:
                fs = by_name[part.source].filesystem
                assert fs
                assert FORMATS[fs.type].holds(fs, part.size)
                assert set(part.features) <= set(fs.features)
                assert part.inodes >= fs.inodes_used or fs.type in ("xfs", "btrfs")
                if part.source in wished:
                    size = wished[part.source].size
                    slack = SLACK if size == by_name[part.source].size else 0
                    assert part.size >= size - slack
        if disk.index == 0 and disk.table is Table.GPT:
            assert sum(p.role is Role.BIOS_BOOT for p in disk.partitions) == 1


SMALLEST_GIB = re.compile(r"smallest size that works is (\d+) GiB")
SMALLEST_BYTES = re.compile(r"smallest size that works is (\d+) bytes")


@settings(max_examples=150, deadline=None)
@given(source=servers(), sizes=st.dictionaries(st.integers(0, 2), st.integers(1, 3000)), data=st.data())
def test_a_returned_plan_fits_and_a_refused_size_names_the_smallest_that_works(
    source: Server, sizes: dict[int, int], data: st.DataObject
) -> None:
    sizes = {index: size for index, size in sizes.items() if index < len(source.disks)}
    parts = data.draw(wished_parts(source))
    for _ in range(30):
        try:
            made = the_plan(source, sizes_gib=sizes, parts=parts)
        except UserError as error:
            index = int(re.findall(r"disk (\d+)", error.message)[0]) if "disk " in error.message else -1
            match error.code:
                case "Disk.TooSmall":
                    smallest = int(SMALLEST_GIB.findall(error.message)[0])
                    assert smallest > sizes.get(index, 0)
                    if smallest - 1 >= sizes.get(index, 0):
                        less = {**sizes, index: smallest - 1}
                        assert refusal(source, sizes_gib=less, parts=parts).code == error.code
                    sizes = {**sizes, index: smallest}
                case "Disk.TooLarge" if index >= 0:
                    assert sizes.pop(index) > 2048
                case "Disk.TooLarge":  # more than the destination has disks for
                    return
                case "Part.TooSmall":
                    name = f"/{error.message.split(' for /')[1].split(' (')[0]}"
                    least = int(SMALLEST_BYTES.findall(error.message)[0])
                    parts = resized(source, parts, name, least)
                case "Part.TooLarge":
                    name = f"/{error.message.split(' for /')[1].split(' (')[0]}"
                    parts = resized(source, parts, name, 0)
                case _:
                    raise
        else:
            check_fits(source, made, parts)
            return
    pytest.fail("a smallest size that was named did not work")


def resized(
    source: Server, parts: dict[int, tuple[PartWish, ...]], mount_point: str, size: int
) -> dict[int, tuple[PartWish, ...]]:
    (name,) = (
        f"{disk.index}_{part.number}"
        for disk in source.disks
        for part in disk.partitions
        if part.filesystem and part.filesystem.mount_point == mount_point
    )
    return {
        index: tuple(PartWish(source=name, size=size) if wish.source == name else wish for wish in wishes)
        for index, wishes in parts.items()
    }


@given(fs=filesystems("/"), more=st.integers(0, 4096))
def test_what_holds_at_a_size_holds_at_any_larger_size(fs: Filesystem, more: int) -> None:
    smallest = smallest_size(fs)
    holds = FORMATS[fs.type].holds
    assert holds(fs, smallest)
    assert holds(fs, smallest + more * MIB)
    assert not holds(fs, smallest - MIB)
