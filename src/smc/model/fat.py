"""What a FAT needs for itself: the EFI system partition, and what people keep on FAT."""

from smc.base.units import GIB, MIB
from smc.model.disk import Filesystem
from smc.model.fitting import reserve_bytes

KINDS = ("fat12", "fat16", "fat32")
SMALLEST = {"fat32": 34 * MIB}  # 65525 clusters of 512 bytes (the FAT specification)
LARGEST = {"fat12": 16 * MIB, "fat16": 2 * GIB - MIB}  # 4084 clusters of 4 KiB; 65524 of 32 KiB
FIXED_BYTES = MIB
OVERHEAD_PART = 50  # of the filesystem are tables: two of four bytes a cluster of 512 bytes are 1/64
CLUSTER_BYTES = 32768  # each file may leave the most part of one unused


def kind_of(filesystem: Filesystem) -> str:
    return next((name for name in filesystem.features if name in KINDS), "fat32")


def kept_features(filesystem: Filesystem) -> tuple[str, ...]:
    return (kind_of(filesystem),)


def lost_features(_filesystem: Filesystem) -> tuple[str, ...]:
    return ()


def refusal(_filesystem: Filesystem) -> str:
    return ""


def holds(filesystem: Filesystem, size: int) -> bool:
    room = size - FIXED_BYTES - size // OVERHEAD_PART
    return room >= filesystem.used + reserve_bytes(filesystem) // 4 and size >= smallest(filesystem)


def smallest(filesystem: Filesystem) -> int:
    return SMALLEST.get(kind_of(filesystem), MIB)


def largest_size(filesystem: Filesystem) -> int:
    return LARGEST.get(kind_of(filesystem), 2048 * GIB - MIB)


def inode_count(_filesystem: Filesystem, _size: int) -> int:
    return 0
