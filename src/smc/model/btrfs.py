"""What a btrfs needs for itself, and which of its features a copy has.

Space is given out in chunks, for files and for metadata apart, and metadata is kept twice: the bound has room
for chunks that are not full. It grows more slowly than the filesystem does.
"""

from smc.base.units import GIB, MIB
from smc.model.disk import Filesystem
from smc.model.fitting import reserve_bytes

SMALLEST = 256 * MIB
LARGEST = 32768 * GIB
INCOMPAT = {  # btrfs_tree.h, BTRFS_FEATURE_INCOMPAT_*; what every one has is left out
    0x4: "mixed-bg",
    0x40: "extref",
    0x80: "raid56",
    0x100: "skinny-metadata",
    0x200: "no-holes",
    0x400: "metadata-uuid",
    0x800: "raid1c34",
    0x1000: "zoned",
    0x2000: "extent-tree-v2",
    0x4000: "raid-stripe-tree",
    0x10000: "squota",
}
COMPAT_RO = {0x1: "free-space-tree", 0x4: "verity", 0x8: "block-group-tree"}
CHECKSUMS = ("crc32c", "xxhash", "sha256", "blake2")
SWITCHES = ("extref", "skinny-metadata", "no-holes", "free-space-tree", "block-group-tree")
KEPT_FEATURES = frozenset({"mixed-bg", *SWITCHES, *CHECKSUMS})
STATES = frozenset({"metadata-uuid", "raid56", "raid1c34", "raid-stripe-tree"})  # a copy is on one disk
FIXED_BYTES = 64 * MIB
CHUNKS_PERCENT, CHUNKS_BYTES = 30, GIB  # chunks are at most a tenth of the size, and 1 GiB
GROWING_PART = 50


def features(incompat: int, compat_ro: int, checksum: int) -> tuple[str, ...]:
    names = [name for bit, name in INCOMPAT.items() if incompat & bit]
    names += [name for bit, name in COMPAT_RO.items() if compat_ro & bit]
    return (*names, CHECKSUMS[checksum] if checksum < len(CHECKSUMS) else f"checksum-{checksum}")


def kept_features(filesystem: Filesystem) -> tuple[str, ...]:
    return tuple(name for name in filesystem.features if name in KEPT_FEATURES)


def lost_features(filesystem: Filesystem) -> tuple[str, ...]:
    return tuple(name for name in filesystem.features if name not in KEPT_FEATURES | STATES)


def refusal(filesystem: Filesystem) -> str:
    if (filesystem.block_size or 4096) != 4096:
        return f"Blocks of {filesystem.block_size} bytes cannot be mounted by the intermediate instance."
    return ""


def holds(filesystem: Filesystem, size: int) -> bool:
    chunks = min(size * CHUNKS_PERCENT // 100, CHUNKS_BYTES) + size // GROWING_PART
    room = size - FIXED_BYTES - chunks
    return room >= filesystem.used + reserve_bytes(filesystem) and size >= SMALLEST


def largest_size(_filesystem: Filesystem) -> int:
    return LARGEST


def inode_count(_filesystem: Filesystem, _size: int) -> int:
    """They are made as they are needed."""
    return 0
