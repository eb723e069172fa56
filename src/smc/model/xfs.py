"""What an XFS needs for itself and which of its features a copy has, from its superblock's numbers.

Sizes are those that mkfs.xfs 6.1 and the kernel were seen to take (300 MiB to 2 TiB, with and without the
trees of reflink and rmapbt, for which the kernel keeps blocks back); tests/kernel/test_layout_xfs.py holds
the bound against them. It errs on the large side and grows more slowly than the filesystem does.
"""

from smc.base.units import GIB, MIB
from smc.model.disk import Filesystem
from smc.model.fitting import reserve_bytes

SMALLEST = 300 * MIB  # mkfs.xfs makes no smaller one since 5.19
LARGEST = 32768 * GIB
BLOCK_SIZES = (512, 1024, 2048, 4096)  # what every x86 kernel mounts
LOG_PART = 2048  # of the filesystem is its log, as mkfs.xfs has it
LOG_BYTES = (64 * MIB, GIB)
INODES_PERCENT = 25  # of the blocks at most hold inodes (mkfs.xfs below 1 TiB; here always)
FIXED_BYTES = 40 * MIB
KEPT_BACK = {"rmapbt": 2.25, "reflink": 0.9}  # percent that the kernel keeps back for the tree's growth
KEPT_BACK_ELSE = 0.1
V5 = 5
VERSION = 0x000F  # xfs_format.h: the rest of sb_versionnum are flags
MORE_BITS = 0x8000
FLAGS = {0x4000: "ascii-ci"}
FLAGS2 = {0x02: "lazy-count", 0x08: "attr2", 0x80: "projid32bit", 0x200: "ftype"}
RO_COMPAT = {0x1: "finobt", 0x2: "rmapbt", 0x4: "reflink", 0x8: "inobtcount"}
INCOMPAT = {
    0x1: "ftype",
    0x2: "sparse",
    0x4: "meta_uuid",
    0x8: "bigtime",
    0x10: "needsrepair",
    0x20: "nrext64",
    0x40: "exchange",
    0x80: "parent",
    0x100: "metadir",
}
ALWAYS_V5 = ("lazy-count", "attr2", "projid32bit", "ftype")  # mkfs.xfs refuses to leave these out with crc
KEPT_FEATURES = frozenset(
    {"crc", "ascii-ci", "lazy-count", "attr2", "projid32bit", "ftype", "finobt", "rmapbt", "reflink"}
    | {"inobtcount", "sparse", "bigtime", "nrext64"}
)
STATES = frozenset({"meta_uuid", "needsrepair"})  # of a history, not of a format


def features(version: int, flags2: int, ro_compat: int, incompat: int) -> tuple[str, ...]:
    """Names from sb_versionnum, sb_features2, sb_features_ro_compat and sb_features_incompat."""
    found = {name: None for bit, name in FLAGS.items() if version & bit}
    if version & MORE_BITS:
        found |= {name: None for bit, name in FLAGS2.items() if flags2 & bit}
    if version & VERSION >= V5:
        found |= dict.fromkeys(("crc", *ALWAYS_V5))
        found |= {name: None for bit, name in RO_COMPAT.items() if ro_compat & bit}
        found |= {name: None for bit, name in INCOMPAT.items() if incompat & bit}
    return tuple(found)


def kept_features(filesystem: Filesystem) -> tuple[str, ...]:
    return tuple(name for name in filesystem.features if name in KEPT_FEATURES)


def lost_features(filesystem: Filesystem) -> tuple[str, ...]:
    return tuple(name for name in filesystem.features if name not in KEPT_FEATURES | STATES)


def refusal(filesystem: Filesystem) -> str:
    if (filesystem.block_size or 4096) not in BLOCK_SIZES:
        return f"Blocks of {filesystem.block_size} bytes cannot be mounted by the intermediate instance."
    return ""


def log_bytes(size: int) -> int:
    """Whole MiB."""
    low, high = LOG_BYTES
    return min(max(size // LOG_PART, low), high) // MIB * MIB


def overhead_bytes(filesystem: Filesystem, size: int) -> int:
    """At most so many bytes of a filesystem of `size` hold no files."""
    percent = max((KEPT_BACK.get(name, 0.0) for name in filesystem.features), default=0.0) or KEPT_BACK_ELSE
    return log_bytes(size) + FIXED_BYTES + int(size * percent / 100)


def holds(filesystem: Filesystem, size: int) -> bool:
    inodes = filesystem.inodes_used * (filesystem.inode_size or 512) * 11 // 10
    enough = size - overhead_bytes(filesystem, size) >= filesystem.used + reserve_bytes(filesystem)
    return enough and size >= SMALLEST and inodes <= size * INODES_PERCENT // 100


def largest_size(_filesystem: Filesystem) -> int:
    return LARGEST


def inode_count(_filesystem: Filesystem, _size: int) -> int:
    """They are made as they are needed."""
    return 0
