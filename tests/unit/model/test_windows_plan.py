"""The disks of a Windows are planned as they are, and what would change them is refused."""

import msgspec
import pytest
from tests.unit.model.sources import partition, server

from smc.base.errors import UserError
from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Role, Table
from smc.model.pieces import RESERVED
from smc.model.planner import plan, smallest_gib
from smc.model.server import Firmware, OsRelease, Server, platform
from smc.model.wishes import Limits, PartWish, Wishes

C = 60 * GIB - 700 * MIB - 4096


def windows() -> Server:
    """ESP, MSR, C:, a recovery partition of odd size; D: on an MBR; a disk without a letter."""
    ntfs = Filesystem(type="ntfs", uuid="0123456789ABCDEF", label="System", mount_point="C:")
    system = Disk(
        index=0,
        path="Disk0",
        size=60 * GIB,
        table=Table.GPT,
        table_uuid="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        partitions=(
            partition(1, MIB, 100 * MIB, Filesystem(type="vfat", uuid="AB12-CD34"), role=Role.ESP),
            partition(2, 101 * MIB, 16 * MIB, None, role=Role.OTHER, type_code=RESERVED),
            partition(3, 117 * MIB, C, ntfs, part_label="Basic data partition"),
            partition(4, 117 * MIB + C, 500 * MIB, Filesystem(type="ntfs"), role=Role.OTHER),
        ),
    )
    letter = msgspec.structs.replace(ntfs, mount_point="D:", uuid="1123456789ABCDEF")
    data = Disk(
        index=1,
        path="Disk1",
        size=9 * GIB + 1,
        table=Table.MBR,
        table_uuid="1a2b3c4d",
        partitions=(partition(1, MIB, 8 * GIB, letter, bootable=True),),
    )
    blank = Disk(index=2, path="Disk2", size=GIB, table=Table.GPT)
    made = server(system, data, blank, firmware=Firmware.UEFI)
    return msgspec.structs.replace(made, os=OsRelease(id="windows", version_id="2019"))


def test_every_partition_is_kept_with_its_place_size_and_ids() -> None:
    source = windows()
    made = plan(source, Wishes(), Limits())
    for disk, target in zip(source.disks, made.disks, strict=False):
        assert (target.table, target.table_uuid) == (disk.table, disk.table_uuid)
        for part, copy in zip(disk.partitions, target.partitions, strict=True):
            assert (copy.number, copy.size, copy.role) == (part.number, part.size, part.role)
            assert (copy.part_uuid, copy.part_label) == (part.part_uuid, part.part_label)
            assert copy.bootable == part.bootable
            assert copy.uuid == (part.filesystem.uuid if part.filesystem else "")
    assert [(disk.index, disk.size // GIB) for disk in made.disks] == [(0, 60), (1, 10)]
    assert [(left.what, left.why) for left in made.left_behind] == [
        ("Disk2", "no filesystem on it has a letter")
    ]
    assert "no program yet" in made.warnings[0]
    assert platform(source) == "Windows Server 2019"


def test_a_disk_may_be_larger_or_stay_behind() -> None:
    made = plan(windows(), Wishes(sizes_gib={0: 80}, parts={1: ()}), Limits())
    assert [(disk.index, disk.size // GIB) for disk in made.disks] == [(0, 80)]
    assert ("Disk1", "deselected") in [(left.what, left.why) for left in made.left_behind]


def test_what_it_has_may_be_wished_for() -> None:
    parts: dict[int, tuple[PartWish, ...]] = {
        0: (PartWish(source="0_3", size=C),),
        1: (PartWish(source="1_1"),),
    }
    assert plan(windows(), Wishes(parts=parts), Limits()) == plan(windows(), Wishes(), Limits())


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        (Wishes(lvm=frozenset({0})), "UnsupportedParameter.LVM"),
        (Wishes(parts={0: (PartWish(source="0_3", size=C - MIB),)}), "UnsupportedParameter.SizeBytes"),
        (Wishes(parts={0: (PartWish(source="1_1"),)}), "UnsupportedParameter.Part"),
        (Wishes(parts={0: ()}), "UnsupportedParameter.Part"),
        (Wishes(sizes_gib={1: 9}), "Disk.TooSmall"),
        (Wishes(sizes_gib={0: 4096}), "Disk.TooLarge"),
        (Wishes(sizes_gib={7: 10}), "Disk.NotFound"),
    ],
)
def test_what_would_change_its_partitions_is_refused(wishes: Wishes, code: str) -> None:
    with pytest.raises(UserError) as refused:
        plan(windows(), wishes, Limits())
    assert refused.value.code == code
    assert refused.value.hint


def test_the_smallest_size_of_each_disk_works() -> None:
    least = smallest_gib(windows(), Limits(), Wishes())
    assert least.keys() == {0, 1}, "a disk without a letter does not come along"
    assert plan(windows(), Wishes(sizes_gib={0: least[0], 1: least[1]}), Limits()).disks[1].size == 10 * GIB
