"""The filesystems that can be made at the target: one row each. To add one: its file, and a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from smc.model import btrfs, ext, fat, fitting, xfs
from smc.model.disk import Filesystem


@dataclass(frozen=True)
class Format:
    """`refusal`: why one like this cannot be laid out, "" when it can.

    `holds`: whether one that is made with so many bytes takes the files of this one, and its reserve.
    """

    kept_features: Callable[[Filesystem], tuple[str, ...]]
    lost_features: Callable[[Filesystem], tuple[str, ...]]
    refusal: Callable[[Filesystem], str]
    holds: Callable[[Filesystem, int], bool]
    largest_size: Callable[[Filesystem], int]
    inode_count: Callable[[Filesystem, int], int]
    block_size: int  # where the source did not say
    inode_size: int = 0


EXT = Format(
    kept_features=ext.kept_features,
    lost_features=ext.lost_features,
    refusal=ext.refusal,
    holds=ext.holds,
    largest_size=ext.largest_size,
    inode_count=ext.inode_count,
    block_size=4096,
    inode_size=256,
)
XFS = Format(
    kept_features=xfs.kept_features,
    lost_features=xfs.lost_features,
    refusal=xfs.refusal,
    holds=xfs.holds,
    largest_size=xfs.largest_size,
    inode_count=xfs.inode_count,
    block_size=4096,
    inode_size=512,
)
FAT = Format(
    kept_features=fat.kept_features,
    lost_features=fat.lost_features,
    refusal=fat.refusal,
    holds=fat.holds,
    largest_size=fat.largest_size,
    inode_count=fat.inode_count,
    block_size=0,
)
BTRFS = Format(
    kept_features=btrfs.kept_features,
    lost_features=btrfs.lost_features,
    refusal=btrfs.refusal,
    holds=btrfs.holds,
    largest_size=btrfs.largest_size,
    inode_count=btrfs.inode_count,
    block_size=4096,
    inode_size=16384,
)
FORMATS: Mapping[str, Format] = {
    **dict.fromkeys(ext.TYPES, EXT),
    "xfs": XFS,
    "btrfs": BTRFS,
    "vfat": FAT,
}


@lru_cache(maxsize=4096)  # asked again for every size of disk that is tried
def smallest_size(filesystem: Filesystem) -> int:
    """The least whole MiB of a filesystem that takes the files of this one."""
    return fitting.smallest_size(partial(FORMATS[filesystem.type].holds, filesystem))
