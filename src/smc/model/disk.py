"""Disks as they are on a source: tables, partitions, filesystems, mounts."""

from enum import Enum

import msgspec


class Table(Enum):
    GPT = "gpt"
    MBR = "mbr"
    NONE = "none"  # a filesystem, a PV or nothing directly on the disk


class Role(Enum):
    """What a partition is for, whatever its type code says."""

    FILESYSTEM = "filesystem"
    SWAP = "swap"
    BIOS_BOOT = "bios_boot"
    ESP = "esp"
    LVM = "lvm"  # a physical volume that is made at the target
    OTHER = "other"  # LVM, RAID, LUKS, unknown: not copied by the file engine


class Subvolume(msgspec.Struct, frozen=True, kw_only=True):
    """Of a btrfs. `path` is below the one that holds all others, which itself has the path ""."""

    path: str
    mount_point: str = ""
    is_default: bool = False
    is_snapshot: bool = False  # read-only, of another one
    is_clone: bool = False  # began as a copy of another one, and can be written


class Filesystem(msgspec.Struct, frozen=True, kw_only=True):
    """A filesystem or swap area; `mount_point` is "" when it is not mounted."""

    type: str  # the kernel's name: ext4, xfs, btrfs, swap
    uuid: str = ""
    label: str = ""
    mount_point: str = ""
    mount_options: str = ""
    size: int = 0  # bytes of the filesystem (statfs blocks), 0 when not mounted
    used: int = 0  # bytes that hold data (statfs blocks - free)
    inodes: int = 0
    inodes_used: int = 0
    features: tuple[str, ...] = ()  # ext: names from the superblock, so that the copy gets no newer ones
    block_size: int = 0
    inode_size: int = 0  # of a btrfs: its node size
    subvolumes: tuple[Subvolume, ...] = ()  # what holds another before it
    storing: str = ""  # mount options that say how files are stored: compress=zstd:3


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is 0 for what fills a whole disk without a table."""

    number: int
    start: int  # byte offset on the disk
    size: int
    role: Role
    type_code: str = ""  # GPT type GUID (lower case) or MBR type (0x83)
    part_uuid: str = ""
    part_label: str = ""
    bootable: bool = False
    filesystem: Filesystem | None = None


class VolumeKind(Enum):
    LVM = "lvm"
    RAID = "raid"
    LUKS = "luks"
    MAPPED = "mapped"  # another kind of device-mapper


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel makes out of partitions, with a filesystem or swap on it.

    `on`: the partitions at the bottom, `<disk index>_<number>`.
    """

    kind: VolumeKind
    name: str  # vg0-root, md0
    path: str  # /dev/mapper/vg0-root, /dev/md0
    size: int
    on: tuple[str, ...]
    filesystem: Filesystem
    encrypted: bool = False  # by itself, or by what is between it and them


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """`index` is 0 for the system disk, then 1, 2, ... in the order of the device names."""

    index: int
    path: str  # /dev/vda
    size: int
    table: Table
    logical_sector: int = 512
    table_uuid: str = ""
    model: str = ""
    serial: str = ""
    partitions: tuple[Partition, ...] = ()
