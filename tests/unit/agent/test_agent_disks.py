"""Disks by recorded images: tables, signatures, roles, mounts. Made by sfdisk and mke2fs, see recorded/."""

from pathlib import Path

import pytest
import zstandard
from tests.unit.agent.fake_machine import RECORDED, FakeMachine, half_full

from smc.agent.disks import read_disks
from smc.agent.mounts import parse
from smc.agent.superblock import recognise
from smc.agent.tables import Read, read_layout
from smc.model.disk import Disk, Partition, Role, Table

EXT4 = (  # as dumpe2fs prints them
    "has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file "
    "huge_file dir_nlink extra_isize metadata_csum"
)


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def recorded(name: str) -> bytes:
    return zstandard.ZstdDecompressor().decompress((RECORDED / f"{name}.img.zst").read_bytes())


def reading(data: bytes) -> Read:
    return lambda offset, size: data[offset : offset + size]


def part(disk: Disk, number: int) -> Partition:
    return next(part for part in disk.partitions if part.number == number)


def test_a_gpt_disk_is_described_as_sfdisk_made_it(machine: FakeMachine) -> None:
    machine.add_disk("vda", "gpt", number=0, partitions={1: "vda1", 2: "vda2", 3: "vda3", 4: "vda4"})
    machine.mount("254:3", "/")
    (disk,) = read_disks(machine.root, half_full)
    assert (disk.path, disk.size, disk.table) == ("/dev/vda", 24 << 20, Table.GPT)
    assert disk.table_uuid == "11111111-2222-4333-8444-555555555555"
    assert (disk.model, disk.serial) == ("MODEL vda", "SERIAL-vda")
    assert [one.role for one in disk.partitions] == [Role.BIOS_BOOT, Role.ESP, Role.FILESYSTEM, Role.SWAP]
    root = part(disk, 3)
    assert (root.start, root.size) == (12288 * 512, 24576 * 512)
    assert root.type_code == "0fc63daf-8483-4772-8e79-3d69d8477de4"
    assert root.part_uuid == "aaaaaaaa-0000-4000-8000-000000000003"
    assert (root.part_label, root.bootable) == ("Wurzel ö", True)
    assert root.filesystem
    assert (root.filesystem.type, root.filesystem.label) == ("ext4", "root")
    assert root.filesystem.uuid == "bbbbbbbb-0000-4000-8000-000000000003"
    assert (root.filesystem.block_size, root.filesystem.inode_size) == (1024, 256)
    assert (root.filesystem.mount_point, root.filesystem.mount_options) == ("/", "rw,relatime")
    assert (root.filesystem.size, root.filesystem.used) == (4096000, 600 * 4096)
    assert (root.filesystem.inodes, root.filesystem.inodes_used) == (100, 10)
    swap = part(disk, 4).filesystem
    assert swap
    assert (swap.type, swap.label, swap.uuid) == ("swap", "swap0", "bbbbbbbb-0000-4000-8000-000000000005")


def test_an_mbr_disk_has_its_logical_partitions(machine: FakeMachine) -> None:
    machine.add_disk("sda", "mbr", number=0)
    (disk,) = read_disks(machine.root, half_full)
    assert (disk.table, disk.table_uuid) == (Table.MBR, "cafe0001")
    found = [
        (one.number, one.start // 512, one.size // 512, one.type_code, one.role) for one in disk.partitions
    ]
    assert found == [
        (1, 2048, 16384, "0x83", Role.FILESYSTEM),
        (2, 20480, 26624, "0x5", Role.OTHER),
        (5, 22528, 8192, "0x82", Role.SWAP),
        (6, 32768, 8192, "0x83", Role.FILESYSTEM),
    ]
    assert part(disk, 1).bootable
    assert part(disk, 6).part_uuid == "cafe0001-06"
    first, last = part(disk, 1).filesystem, part(disk, 6).filesystem
    assert first
    assert last
    assert (first.type, first.mount_point, last.type, last.label) == ("ext3", "", "ext2", "old data")


def test_a_disk_without_a_table_is_one_partition_with_number_0(machine: FakeMachine) -> None:
    machine.add_disk("vdb", "whole", number=16)
    machine.mount("254:16", "/srv/data")
    (disk,) = read_disks(machine.root, half_full)
    assert disk.table is Table.NONE
    (only,) = disk.partitions
    assert (only.number, only.start, only.size, only.role) == (0, 0, disk.size, Role.FILESYSTEM)
    assert only.filesystem
    assert (only.filesystem.label, only.filesystem.mount_point) == ("whole", "/srv/data")


def test_the_system_disk_is_first_and_the_others_in_the_order_of_their_names(machine: FakeMachine) -> None:
    for at, name in enumerate(("sdb", "sdaa", "sda", "sdc")):
        machine.add_disk(name, "whole", number=16 * at)
    machine.mount("254:48", "/")
    found = [(disk.index, disk.path) for disk in read_disks(machine.root, half_full)]
    assert found == [(0, "/dev/sdc"), (1, "/dev/sda"), (2, "/dev/sdb"), (3, "/dev/sdaa")]


def test_what_is_no_disk_is_left_out(machine: FakeMachine) -> None:
    for at, name in enumerate(("loop0", "zram0", "sr0", "dm-0", "md127")):
        machine.add_disk(name, "whole", number=at)
    machine.add_disk("sdb", "whole", number=32)
    machine.write("sys/block/sdb/removable", "1\n")
    assert read_disks(machine.root, half_full) == ()


def test_a_bind_mount_is_not_where_a_filesystem_is(machine: FakeMachine) -> None:
    machine.add_disk("vdb", "whole", number=16)
    machine.mount("254:16", "/home/a", root="/a")
    machine.mount("254:16", "/srv/data")
    machine.mount("254:16", "/srv/data/again")
    (disk,) = read_disks(machine.root, half_full)
    filesystem = disk.partitions[0].filesystem
    assert filesystem
    assert filesystem.mount_point == "/srv/data"


def test_a_disk_that_cannot_be_read_is_described_by_what_is_mounted(machine: FakeMachine) -> None:
    machine.add_disk("vda", "whole", number=0)
    (machine.root / "dev/vda").unlink()
    machine.mount("254:0", "/", "xfs")
    (disk,) = read_disks(machine.root, half_full)
    filesystem = disk.partitions[0].filesystem
    assert filesystem
    assert (filesystem.type, filesystem.uuid, filesystem.mount_point) == ("xfs", "", "/")


def test_a_damaged_gpt_is_read_from_its_copy_at_the_end() -> None:
    data = bytearray(recorded("gpt"))
    intact = read_layout(reading(bytes(data)), len(data), 512)
    data[512 + 40] ^= 0xFF
    assert read_layout(reading(bytes(data)), len(data), 512) == intact
    data[-512 + 40] ^= 0xFF
    assert read_layout(reading(bytes(data)), len(data), 512).entries == ()


def test_a_chain_of_logical_partitions_that_bites_its_tail_ends() -> None:
    data = bytearray(recorded("mbr"))
    second = data[20480 * 512 + 446 + 16 + 8 : 20480 * 512 + 446 + 16 + 12]
    at = 20480 + int.from_bytes(second, "little")
    row = at * 512 + 446 + 16
    data[row : row + 16] = bytes((0, 0, 0, 0, 5, 0, 0, 0)) + (at - 20480).to_bytes(4, "little") + b"\1\0\0\0"
    assert len(read_layout(reading(bytes(data)), len(data), 512).entries) < 300


@pytest.mark.parametrize("content", [b"", bytes(1 << 16), b"\xff" * (1 << 17)])
def test_nothing_is_recognised_in_rubbish(content: bytes) -> None:
    assert read_layout(reading(content), len(content), 512).entries == ()
    assert recognise(reading(content), len(content)) is None


def test_features_have_their_names_of_e2fsprogs() -> None:
    found = recognise(reading(recorded("whole")), 4 << 20)
    assert found
    assert " ".join(found.features) == EXT4


LUKS = b"LUKS\xba\xbe\0\2" + bytes(160) + b"0f0f0f0f-0000-4000-8000-00000000000f" + bytes(4)
LVM = bytes(512) + b"LABELONE" + bytes(16) + b"LVM2 001" + b"abcdefGHIJklmnOPQRstuvWXYZ012345" + bytes(448)
MD = bytes(4096) + bytes.fromhex("fc4e2ba9 01000000") + bytes(8) + bytes(range(16)) + bytes(64)


@pytest.mark.parametrize(
    ("content", "kind", "uuid"),
    [
        (LUKS, "crypto_LUKS", "0f0f0f0f-0000-4000-8000-00000000000f"),
        (LVM, "LVM2_member", "abcdef-GHIJ-klmn-OPQR-stuv-WXYZ-012345"),
        (MD, "linux_raid_member", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (b"\xeb\x58\x90-FVE-FS-" + bytes(501), "BitLocker", ""),
    ],
)
def test_containers_are_named_as_libblkid_names_them(content: bytes, kind: str, uuid: str) -> None:
    found = recognise(reading(content), len(content))
    assert found
    assert (found.type, found.uuid) == (kind, uuid)


def test_odd_characters_of_a_mount_point_come_back() -> None:
    (mount,) = parse("30 1 8:1 / /srv/a\\040b\\011c\\134d rw,noatime shared:1 - ext4 /dev/sda1 rw\n")
    assert mount.point == "/srv/a b\tc\\d"
    assert (mount.device, mount.options, mount.type) == ("8:1", "rw,noatime", "ext4")
