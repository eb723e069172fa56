"""LVM at the target: one group a disk, a logical volume a mount point, and sizes that work."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.model.sources import data_disk, filesystem, partition, server, system_disk
from tests.unit.model.test_any_plan import servers, wished_parts
from tests.unit.model.test_planner import refusal, the_plan

from smc.base.errors import UserError
from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Role, Table, Volume, VolumeKind
from smc.model.formats import FORMATS
from smc.model.logical import EXTENT
from smc.model.plan import Plan, TargetDisk
from smc.model.server import OsRelease, Server
from smc.model.tables import ALIGNMENT, partition_starts
from smc.model.wishes import PartWish

BOTH = frozenset({0, 1})
SMALLEST_GIB = re.compile(r"smallest size that works is (\d+) GiB")


def with_lvm(*disks: Disk, **values: object) -> Server:
    return msgspec.structs.replace(server(*disks), tools=("lvm2",), **values)


def usable(disk: TargetDisk) -> int:
    """What vgcreate makes of the physical volume: 1 MiB is its own, and extents are whole."""
    assert disk.group
    return (disk.group.member.size - MIB) // EXTENT * EXTENT


def test_what_is_mounted_comes_on_volumes_and_what_starts_the_copy_stays_on_partitions() -> None:
    made = the_plan(with_lvm(system_disk(), data_disk(1, "/srv")), lvm=BOTH)
    system, data = made.disks
    assert [(p.mount_point or p.role.value, p.number, p.logical) for p in system.partitions] == [
        ("bios_boot", 1, ""),
        ("/boot", 2, ""),
        ("swap", 3, ""),
        ("/", 1, "vg0/lv1"),
    ]
    assert system.group
    assert (system.group.name, system.group.member.number, system.group.member.role) == ("vg0", 4, Role.LVM)
    assert len(system.rows) == len(partition_starts(system)) == 4
    assert [p.logical for p in data.partitions] == ["vg1/lv1"]
    assert [p.role for p in data.rows] == [Role.LVM]
    assert "disk 0 (/dev/vda) has the volume group vg0: / on lv1" in made.warnings


def test_a_disk_that_had_no_table_is_a_physical_volume_as_a_whole() -> None:
    fs = filesystem("/srv/data", 9 * GIB, GIB)
    bare = Disk(index=1, path="/dev/vdb", size=10 * GIB, table=Table.NONE)
    bare = msgspec.structs.replace(bare, partitions=(partition(0, 0, 10 * GIB, fs, part_uuid=""),))
    disk = the_plan(with_lvm(system_disk(), bare), lvm=frozenset({1})).disks[1]
    assert disk.group
    assert (disk.table, disk.group.member.number, disk.group.member.size) == (Table.NONE, 0, 10 * GIB)
    assert disk.partitions[0].size == usable(disk)


def test_an_mbr_keeps_its_rows_and_the_group_is_the_last() -> None:
    disk = system_disk(table=Table.MBR)
    four = msgspec.structs.replace(disk, partitions=disk.partitions[1:], table_uuid="1234abcd")
    made = the_plan(with_lvm(four), lvm=frozenset({0})).disks[0]
    assert [(p.number, p.part_uuid) for p in made.rows] == [
        (1, "1234abcd-01"),
        (2, "1234abcd-02"),
        (3, "1234abcd-03"),
    ]


def test_a_volume_of_the_source_becomes_one_at_the_target() -> None:
    disk = system_disk()
    root = disk.partitions[2]
    assert root.filesystem
    pv = msgspec.structs.replace(root, role=Role.OTHER, filesystem=Filesystem(type="LVM2_member"))
    parts = (*disk.partitions[:2], pv, disk.partitions[3])
    volume = Volume(
        kind=VolumeKind.LVM,
        name="source-root",
        path="/dev/mapper/source-root",
        size=root.size - 8 * MIB,
        on=("0_2",),
        filesystem=root.filesystem,
    )
    source = with_lvm(msgspec.structs.replace(disk, partitions=parts), volumes=(volume,))
    made = the_plan(source, lvm=frozenset({0}))
    assert [p.logical for p in made.disks[0].partitions] == ["", "", "", "vg0/lv1"]
    assert "/ lies on LVM at the source, on a logical volume at the target" in made.warnings


def test_a_system_disk_without_boot_partition_is_refused_and_a_data_disk_is_not() -> None:
    disk = system_disk()
    one = msgspec.structs.replace(disk, partitions=(disk.partitions[0], *disk.partitions[2:]))
    source = with_lvm(one, data_disk(1, "/srv"))
    assert refusal(source, lvm=BOTH).code == "UnsupportedParameter.LVM"
    assert the_plan(source, lvm=frozenset({1})).disks[1].group


def test_an_unknown_disk_is_refused() -> None:
    assert refusal(with_lvm(system_disk()), lvm=frozenset({4})).code == "Disk.NotFound"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tools": ()}, "lvm2 is not installed"),
        ({"kernel": "3.16.0-11-amd64", "disks": "xfs"}, "cannot have XFS"),
    ],
)
def test_where_the_copy_could_not_be_on_lvm_partitions_are_plain_and_a_warning_says_why(
    change: dict[str, object], why: str
) -> None:
    source = with_lvm(system_disk(), data_disk(1, "/srv"))
    if change.get("disks"):
        fs = filesystem("/srv", 9 * GIB, GIB, type="xfs", features=())
        data = msgspec.structs.replace(data_disk(1, "/srv"), partitions=(partition(1, MIB, 9 * GIB, fs),))
        change = {**change, "disks": (system_disk(), data)}
    made = the_plan(msgspec.structs.replace(source, **change), lvm=BOTH)
    assert not any(disk.group for disk in made.disks)
    assert sum(why in warning for warning in made.warnings) == 2
    other = msgspec.structs.replace(source, kernel="3.16.0", os=OsRelease(id="debian"))
    assert the_plan(other, lvm=BOTH).disks[0].group, "without XFS an old Debian is on LVM"


def test_sizes_as_the_source_has_them_fit_a_group_on_a_disk_as_the_source_has_it() -> None:
    source = with_lvm(system_disk())
    sent = tuple(PartWish(source=f"0_{p.number}", size=p.size) for p in system_disk().partitions[1:3])
    disk = the_plan(source, lvm=frozenset({0}), parts={0: sent}, sizes_gib={0: 30}).disks[0]
    assert sum(p.size for p in disk.partitions if p.group) <= usable(disk)


def test_a_wished_size_is_rounded_up_to_whole_extents_and_the_rest_stays_free_in_the_group() -> None:
    wish = {1: (PartWish(source="1_1", size=5 * GIB + 1),)}
    disk = the_plan(with_lvm(system_disk(), data_disk(1, "/srv")), lvm=frozenset({1}), parts=wish).disks[1]
    assert disk.partitions[0].size == 5 * GIB + EXTENT
    assert usable(disk) > 9 * GIB


def test_a_mount_point_that_finds_no_room_on_its_disk_comes_into_the_group_of_another() -> None:
    disks = (system_disk(), data_disk(1, "/srv", used=6 * GIB), data_disk(2, "/backup"))
    source = with_lvm(*disks)
    made = the_plan(source, lvm=frozenset({2}), sizes_gib={0: 20, 1: 1, 2: 40})
    assert [p.logical for p in made.disks[1].partitions] == ["vg2/lv1", "vg2/lv2"]


def test_a_plan_with_a_group_survives_its_journey_as_json() -> None:
    made = the_plan(with_lvm(system_disk()), lvm=frozenset({0}))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Plan) == made


def check_group(disk: TargetDisk) -> None:
    volumes = [part for part in disk.partitions if part.group]
    assert bool(volumes) == bool(disk.group)
    starts = partition_starts(disk)
    ends = [start + part.size for start, part in zip(starts, disk.rows, strict=True)]
    edge = 0 if disk.table is Table.NONE else ALIGNMENT
    assert ends[-1] <= disk.size - edge
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    if disk.group:
        assert disk.rows[-1] == disk.group.member
        assert [part.number for part in volumes] == list(range(1, len(volumes) + 1))
        assert all(part.size % EXTENT == 0 for part in volumes)
        assert sum(part.size for part in volumes) <= usable(disk)


@settings(max_examples=150, deadline=None)
@given(source=servers(), sizes=st.dictionaries(st.integers(0, 2), st.integers(1, 3000)), data=st.data())
def test_a_plan_with_groups_fits_and_a_refused_size_names_the_smallest_that_works(
    source: Server, sizes: dict[int, int], data: st.DataObject
) -> None:
    source = msgspec.structs.replace(source, tools=("lvm2",))
    sizes = {index: size for index, size in sizes.items() if index < len(source.disks)}
    can_be = [disk.index for disk in source.disks if disk.index or has_boot(disk)]
    lvm = data.draw(st.sets(st.sampled_from(can_be))) if can_be else set()
    parts = data.draw(wished_parts(source))
    filesystems = {
        f"{disk.index}_{part.number}": part.filesystem for disk in source.disks for part in disk.partitions
    }
    for _ in range(30):
        try:
            made = the_plan(source, sizes_gib=sizes, parts=parts, lvm=frozenset(lvm))
        except UserError as error:
            named = re.search(r"disk (\d+)", error.message)
            works = SMALLEST_GIB.search(error.message)
            if error.code != "Disk.TooSmall" or not named or not works:
                return  # other refusals are those without LVM too
            index, gib = int(named[1]), int(works[1])
            assert sizes.get(index, 0) < gib
            sizes = {**sizes, index: gib}
        else:
            for disk in made.disks:
                check_group(disk)
                for part in disk.partitions:
                    if part.mount_point:
                        fs = filesystems[part.source]
                        assert fs
                        assert FORMATS[fs.type].holds(fs, part.size)
            return
    raise AssertionError("the sizes that are named do not work")


@settings(max_examples=100, deadline=None)
@given(used=st.integers(0, 60 * GIB), count=st.integers(1, 4))
def test_the_smallest_gib_named_works_and_one_less_does_not(used: int, count: int) -> None:
    step = 70 * GIB
    mounts = [
        partition(n, n * step, step - GIB, filesystem(f"/m{n}", step - 2 * GIB, used // n))
        for n in range(1, count + 1)
    ]
    disk = Disk(index=1, path="/dev/vdb", size=400 * GIB, table=Table.GPT, partitions=tuple(mounts))
    source, lvm = with_lvm(system_disk(), disk), frozenset({1})
    wish = {1: tuple(PartWish(source=f"1_{n}") for n in range(1, count + 1))}  # so that none goes elsewhere
    error = None
    try:
        the_plan(source, lvm=lvm, parts=wish, sizes_gib={1: 1})
    except UserError as caught:
        error = caught
    if error is None:
        return
    named = SMALLEST_GIB.search(error.message)
    assert named
    gib = int(named[1])
    check_group(the_plan(source, lvm=lvm, parts=wish, sizes_gib={1: gib}).disks[1])
    assert refusal(source, lvm=lvm, parts=wish, sizes_gib={1: gib - 1}).code == "Disk.TooSmall"


def has_boot(disk: Disk) -> bool:
    return any(part.filesystem and part.filesystem.mount_point == "/boot" for part in disk.partitions)
