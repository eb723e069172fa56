"""Filesystems on LVM, RAID and LUKS at the source: plain partitions at the target."""

import msgspec
from tests.unit.model.sources import data_disk, filesystem, partition, server, system_disk
from tests.unit.model.test_planner import the_plan

from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Partition, Role, Table, Volume, VolumeKind
from smc.model.server import Server
from smc.model.wishes import PartWish


def volume(
    name: str, fs: Filesystem, *on: str, size: int = 10 * GIB, kind: VolumeKind = VolumeKind.LVM
) -> Volume:
    return Volume(kind=kind, name=name, path=f"/dev/mapper/{name}", size=size, on=on, filesystem=fs)


def physical(number: int, start: int, size: int, kind: str = "LVM2_member") -> Partition:
    return partition(number, start, size, Filesystem(type=kind), role=Role.OTHER)


def with_volumes(made: Server, *volumes: Volume) -> Server:
    return msgspec.structs.replace(made, volumes=volumes)


def lvm_system() -> Server:
    """/boot on a partition; /, /var/log, swap and an unmounted volume on LVM, as Red Hat installs it."""
    disk = system_disk()
    parts = (*disk.partitions[:2], physical(2, 514 * MIB, 29 * GIB))
    swap = Filesystem(type="swap", uuid="11111111-2222-4333-8444-555555555555")
    return with_volumes(
        server(msgspec.structs.replace(disk, partitions=parts)),
        volume("rhel-old", filesystem("", 0, 0), "0_2", size=GIB),
        volume(
            "rhel-root",
            filesystem("/", 14 * GIB, 3 * GIB, type="xfs", features=("crc",)),
            "0_2",
            size=15 * GIB,
        ),
        volume("rhel-swap", swap, "0_2", size=2 * GIB),
        volume("rhel-var_log", filesystem("/var/log", 4 * GIB, GIB), "0_2", size=4 * GIB),
    )


def test_logical_volumes_become_partitions_with_their_own_sizes() -> None:
    made = the_plan(lvm_system())
    parts = made.disks[0].partitions
    assert [(p.source, p.mount_point, p.role) for p in parts] == [
        ("0_14", "", Role.BIOS_BOOT),
        ("0_1", "/boot", Role.FILESYSTEM),
        ("0_lvm.rhel-root", "/", Role.FILESYSTEM),
        ("0_lvm.rhel-swap", "", Role.SWAP),
        ("0_lvm.rhel-var_log", "/var/log", Role.FILESYSTEM),
    ]
    assert [p.size // GIB for p in parts[2:4]] == [15, 2]
    assert len({p.part_uuid for p in parts}) == len(parts)
    assert [(left.what, left.why) for left in made.left_behind] == [
        ("/dev/mapper/rhel-old on /dev/vda", "ext4: not mounted, so its files cannot be read")
    ]
    assert made.warnings[0] == "/ lies on LVM at the source, on a partition at the target"


def test_a_group_over_two_disks_comes_on_the_first_and_the_other_says_so() -> None:
    bare = Disk(
        index=1, path="/dev/vdb", size=40 * GIB, table=Table.NONE, partitions=(physical(0, 0, 40 * GIB),)
    )
    wide = volume("data-srv", filesystem("/srv", 60 * GIB, 50 * GIB), "1_0", "0_2", size=65 * GIB)
    made = the_plan(with_volumes(server(*lvm_system().disks, bare), *lvm_system().volumes, wide))
    assert [disk.index for disk in made.disks] == [0]
    assert "/srv" in {p.mount_point for p in made.disks[0].partitions}
    assert made.disks[0].size > 50 * GIB
    assert made.left_behind[-1].what == "/dev/vdb"
    assert made.left_behind[-1].why == "what it has of /dev/mapper/data-srv comes along from another disk"


def test_a_mirror_on_a_data_disk_comes_once() -> None:
    halves = [
        Disk(
            index=index,
            path=f"/dev/vd{'abc'[index]}",
            size=10 * GIB,
            table=Table.GPT,
            partitions=(physical(1, MIB, 9 * GIB, "linux_raid_member"),),
        )
        for index in (1, 2)
    ]
    array = volume("md0", filesystem("/srv", 8 * GIB, GIB), "1_1", "2_1", size=9 * GIB, kind=VolumeKind.RAID)
    made = the_plan(with_volumes(server(system_disk(), *halves), array))
    assert [disk.index for disk in made.disks] == [0, 1]
    assert made.disks[1].partitions[0].source == "1_raid.md0"


def test_a_physical_volume_without_a_table_makes_a_table_of_its_own() -> None:
    bare = Disk(
        index=1, path="/dev/vdb", size=10 * GIB, table=Table.NONE, partitions=(physical(0, 0, 10 * GIB),)
    )
    srv = volume("data-srv", filesystem("/srv", 8 * GIB, GIB), "1_0", size=9 * GIB)
    made = the_plan(with_volumes(server(system_disk(), bare), srv))
    assert (made.disks[1].table, made.disks[1].partitions[0].number) == (Table.GPT, 1)


def test_mount_points_on_volumes_are_moved_like_others() -> None:
    source = lvm_system()
    source = msgspec.structs.replace(source, disks=(*source.disks, data_disk(1, "/srv")))
    made = the_plan(source, parts={1: (PartWish(source="1_1"), PartWish(source="0_lvm.rhel-var_log"))})
    assert [p.mount_point for p in made.disks[1].partitions] == ["/srv", "/var/log"]


def test_what_was_encrypted_is_told_to_be_so_no_more() -> None:
    """LUKS itself, LVM inside of LUKS, and swap; and nothing that was not."""
    disk = system_disk()
    parts = (*disk.partitions[:2], physical(2, 514 * MIB, 29 * GIB, "crypto_LUKS"))
    swap = Filesystem(type="swap", uuid="11111111-2222-4333-8444-555555555555")
    source = with_volumes(
        server(msgspec.structs.replace(disk, partitions=parts), data_disk(1, "/srv")),
        volume("root", filesystem("/", 9 * GIB, GIB), "0_2", kind=VolumeKind.LUKS),
        msgspec.structs.replace(volume("vg-var", filesystem("/var", 9 * GIB, GIB), "0_2"), encrypted=True),
        msgspec.structs.replace(volume("vg-swap", swap, "0_2", size=GIB), encrypted=True),
    )
    told = [warning for warning in the_plan(source).warnings if "encrypted" in warning]
    assert told == [
        "/ is encrypted at the source and is not at the target",
        "/var is encrypted at the source and is not at the target",
        "swap (/dev/mapper/vg-swap on /dev/vda) is encrypted at the source and is not at the target",
    ]
