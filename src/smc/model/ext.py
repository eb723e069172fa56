"""What an ext2/3/4 filesystem needs for itself, so that a size can be chosen before anything is made.

Facts are mke2fs's (e2fsprogs 1.47: lib/ext2fs/initialize.c, mkjournal.c, orphan.c). Every bound errs on the
large side and grows more slowly than the filesystem does, so any larger size is enough too.
tests/kernel/test_layout_sizes.py holds it against mke2fs.
"""

from math import log2

from smc.base.units import GIB, MIB
from smc.model.disk import Filesystem
from smc.model.fitting import reserve_bytes

TYPES = ("ext2", "ext3", "ext4")
BLOCK_SIZES = (1024, 2048, 4096)  # what every x86 kernel mounts
INODE_RATIO = 16384  # mke2fs.conf: bytes for one inode, where the source did not say
KEPT_FEATURES = frozenset(
    {  # a source's feature outside this set is not made on the copy
        "has_journal",
        "ext_attr",
        "resize_inode",
        "dir_index",
        "orphan_file",
        "filetype",
        "extent",
        "64bit",
        "flex_bg",
        "inline_data",
        "ea_inode",
        "large_dir",
        "metadata_csum_seed",
        "sparse_super",
        "large_file",
        "huge_file",
        "uninit_bg",
        "dir_nlink",
        "extra_isize",
        "metadata_csum",
    }
)
STATES = frozenset(
    {"needs_recovery", "orphan_present", "shared_blocks", "journal_dev"}
)  # of a moment, not of a format

SPARE_INODES = 1000
ORPHAN_BLOCKS = 512  # at most (orphan.c)
DELAYED_BLOCKS = (
    4096  # the kernel keeps 1/50 of the blocks, at most so many, for delayed allocation (ext4/super.c)
)
SMALLEST = 16 * MIB
LARGEST = {1024: 512 * GIB, 2048: 8192 * GIB, 4096: 16384 * GIB - MIB}  # descriptors or 2**32 blocks end it


def kept_features(filesystem: Filesystem) -> tuple[str, ...]:
    return tuple(name for name in filesystem.features if name in KEPT_FEATURES)


def lost_features(filesystem: Filesystem) -> tuple[str, ...]:
    return tuple(name for name in filesystem.features if name not in KEPT_FEATURES | STATES)


def journal_bytes(size: int) -> int:
    """Whole MiB; close to what mke2fs chooses, without its steps."""
    return min(max(size // 128, 4 * MIB), GIB) // MIB * MIB


def inode_count(filesystem: Filesystem, size: int) -> int:
    """The source's density at the new size, and never too few for the files that are there."""
    block = filesystem.block_size or 4096
    needed = filesystem.inodes_used * 11 // 10 + SPARE_INODES
    if not filesystem.inodes or not filesystem.size:
        return max(size // INODE_RATIO, needed)
    tables = filesystem.inodes * (filesystem.inode_size or 256)  # statfs leaves them out of the size
    density = filesystem.inodes * size // (filesystem.size + tables)
    return max(min(density, size // block), needed)


def overhead_bytes(filesystem: Filesystem, size: int) -> int:
    """At most so many bytes of a filesystem of `size` hold no files."""
    features = filesystem.features
    block = filesystem.block_size or 4096
    inode = filesystem.inode_size or 256
    blocks = size / block
    groups = blocks / (8 * block) + 1
    descriptors_in_block = block // (64 if "64bit" in features else 32)

    inodes = inode_count(filesystem, size)
    # The inodes of a group fill whole blocks and are a multiple of eight.
    table_blocks = (inodes + groups * max(8, block // inode)) * inode / block
    descriptors = groups / descriptors_in_block + 1
    growth = min(groups * 1024 / descriptors_in_block, block / 4) if "resize_inode" in features else 0
    if "sparse_super" in features:  # in groups 0, 1 and the powers of 3, 5 and 7
        copies = min(groups, 2 + (1 / log2(3) + 1 / log2(5) + 1 / log2(7)) * log2(groups))
    else:
        copies = groups
    superblocks = copies * (1 + descriptors + growth)
    last_group = (
        (2 * groups + table_blocks) / groups + 1 + descriptors + growth + 50
    )  # given up when too small
    kept_back = min(blocks / 50, DELAYED_BLOCKS)
    orphans = ORPHAN_BLOCKS if "orphan_file" in features else 0
    journal = journal_bytes(size) if "has_journal" in features else 0
    return int((2 * groups + table_blocks + superblocks + last_group + kept_back + orphans) * block) + journal


def refusal(filesystem: Filesystem) -> str:
    if (filesystem.block_size or 4096) not in BLOCK_SIZES:
        return f"Blocks of {filesystem.block_size} bytes cannot be mounted by the intermediate instance."
    return ""


def holds(filesystem: Filesystem, size: int) -> bool:
    block = filesystem.block_size or 4096
    enough = size - overhead_bytes(filesystem, size) >= filesystem.used + reserve_bytes(filesystem)
    return enough and size >= SMALLEST and inode_count(filesystem, size) * block <= size


def largest_size(filesystem: Filesystem) -> int:
    return LARGEST[filesystem.block_size or 4096]
