"""What is to be made at the destination: target disks, partitions, and what stays behind."""

from enum import Enum
from typing import NamedTuple

import msgspec

from smc.model.disk import Role, Table
from smc.model.server import Architecture, Firmware


class IpMode(Enum):
    DHCP = "dhcp"
    KEEP = "keep"


class TargetSubvolume(msgspec.Struct, frozen=True, kw_only=True):
    """Of a btrfs: a tree of its own, whose name is `source`; `path` is "" for the one that holds all others.

    `seen_at`: where the source shows it, "" where nowhere; not only a mount point, also a folder below one.
    """

    source: str
    path: str
    mount_point: str = ""
    seen_at: str = ""
    is_default: bool = False
    copied: bool = True  # False: it holds others, and is made for their sake
    excludes: tuple[str, ...] = ()  # rsync patterns of its tree: what is no part of it


class TargetPartition(msgspec.Struct, frozen=True, kw_only=True):
    """One partition or logical volume to make; in the order of `number` on its disk, sizes in whole MiB.

    The number is 0 for what fills a whole disk without a table; in a `group` it is that of `lv<number>`.

    `source` names the source partition `<disk index>_<number>` whose files fill it; "" for one that is new.
    """

    number: int
    size: int
    role: Role
    source: str = ""
    part_uuid: str = ""
    part_label: str = ""
    filesystem: str = ""  # ext4, swap, ...
    uuid: str = ""
    label: str = ""
    mount_point: str = ""
    features: tuple[str, ...] = ()
    block_size: int = 0
    inode_size: int = 0  # of a btrfs: its node size
    subvolumes: tuple[TargetSubvolume, ...] = ()  # of a btrfs, what holds another before it
    storing: str = ""  # mount options that say how files are stored
    bootable: bool = False  # MBR: the active one
    copied: bool = True  # False: it is made and mounted, but no files of the source come
    inodes: int = 0  # about so many: mke2fs rounds them to whole blocks of every group
    group: str = ""  # vg0: it is a logical volume there, and no partition

    @property
    def logical(self) -> str:
        """`GROUP/VOLUME`, "" for a partition."""
        return f"{self.group}/lv{self.number}" if self.group else ""


class VolumeGroup(msgspec.Struct, frozen=True, kw_only=True):
    """LVM on a disk; `member` is its only physical volume: the last partition, or with number 0 the disk."""

    name: str
    member: TargetPartition


class TargetDisk(msgspec.Struct, frozen=True, kw_only=True):
    """`index` is that of the source disk which it stands for, whatever is moved to or from it.

    `partitions` are all that can hold something: partitions, then the logical volumes of `group`.

    `serial` is filled when the disk exists at the destination.

    `excludes`: rsync patterns relative to where the source has the disk mounted (/ for the system disk).
    """

    index: int
    size: int
    table: Table = Table.GPT
    table_uuid: str = ""
    partitions: tuple[TargetPartition, ...] = ()
    serial: str = ""
    excludes: tuple[str, ...] = ()
    group: VolumeGroup | None = None

    @property
    def rows(self) -> tuple[TargetPartition, ...]:
        """What the partition table has, in its order."""
        plain = tuple(part for part in self.partitions if not part.group)
        return (*plain, self.group.member) if self.group else plain


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    why: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A returned plan always fits; disks in order of index, the system disk first.

    `excludes`: rsync patterns relative to the source's /, whichever disk holds the path.
    """

    architecture: Architecture
    firmware: Firmware
    disks: tuple[TargetDisk, ...]
    excludes: tuple[str, ...] = ()
    ip_mode: IpMode = IpMode.DHCP
    left_behind: tuple[LeftBehind, ...] = ()
    warnings: tuple[str, ...] = ()


class Tree(NamedTuple):
    """What is copied by itself: a filesystem, or a subvolume of one."""

    name: str
    mount_point: str  # "" where it is mounted nowhere
    seen_at: str
    subvolume: str | None  # its path; None where the filesystem has none
    excludes: tuple[str, ...] = ()  # relative to it


def trees_of(part: TargetPartition) -> list[Tree]:
    """None of a partition on which no filesystem is mounted."""
    if not part.mount_point:
        return []
    if not part.subvolumes:
        return [Tree(part.source, part.mount_point, part.mount_point, None)]
    return [
        Tree(each.source, each.mount_point, each.seen_at, each.path, each.excludes)
        for each in part.subvolumes
        if each.copied
    ]


def disk_of(source: str) -> int:
    """Index of the disk where the source has what a plan calls `<disk index>_<number>`."""
    return int(source.split("_", maxsplit=1)[0])
