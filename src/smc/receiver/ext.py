"""Making, recognising and checking an ext2, ext3 or ext4 as the plan describes it."""

from pathlib import Path

from smc.base.run import Run
from smc.base.units import MIB
from smc.model.ext import journal_bytes
from smc.model.plan import TargetPartition

MAKE_SECONDS = 1800.0  # inode tables of an old-format filesystem of terabytes are written out
PROBE_SECONDS = 60.0
CHECK_SECONDS = 4 * 3600.0
RESERVED_PERCENT = 5  # mke2fs's own default, said aloud because /etc/mke2fs.conf may say another
ROUNDED_PERCENT = 5  # so much fewer inodes than asked for at most; the plan has 10 to spare
GROWN = frozenset(  # what the kernel adds by itself, when a file needs it or while it is mounted
    {"large_file", "ext_attr", "dir_nlink", "needs_recovery", "orphan_present"}
)
SAME_FEATURE = {"extents": "extent", "gdt_csum": "uninit_bg"}  # older spellings


def make(part: TargetPartition, node: Path, run: Run) -> None:
    # `none` first: without it mke2fs.conf adds features that the source's kernel may not know.
    features = ",".join(("none", *part.features))
    words = [
        *("mke2fs", "-q", "-t", part.filesystem),
        "-F",  # do not ask when something was there before
        *("-b", str(part.block_size), "-I", str(part.inode_size), "-N", str(part.inodes)),
        *("-m", str(RESERVED_PERCENT)),
        *("-O", features),
        # The kernel zeroes inode tables later. Not the journal's: an older one could be replayed.
        *("-E", "lazy_itable_init=1,lazy_journal_init=0,nodiscard"),
        *("-L", part.label),
    ]
    if part.uuid:
        words += ["-U", part.uuid]
    if "has_journal" in part.features:  # the size that the planner counted on
        words += ["-J", f"size={journal_bytes(part.size) // MIB}"]
    run(*words, node, timeout=MAKE_SECONDS)


def has_shape(part: TargetPartition, node: Path, run: Run) -> bool:
    told = superblock(node, run)
    block = int(told.get("Block size", "0"))
    features = {SAME_FEATURE.get(name, name) for name in told.get("Filesystem features", "").split()}
    planned = {SAME_FEATURE.get(name, name) for name in part.features}
    return (
        block == part.block_size
        and int(told.get("Inode size", "0")) == part.inode_size
        and abs(int(told.get("Block count", "0")) * block - part.size) < MIB
        and int(told.get("Inode count", "0")) >= part.inodes * (100 - ROUNDED_PERCENT) // 100
        and planned - {"uninit_bg"} <= features
        and features - planned <= GROWN
    )


def superblock(node: Path, run: Run) -> dict[str, str]:
    """`dumpe2fs -h`: {"Block size": "4096", ...}."""
    told = run("dumpe2fs", "-h", node, timeout=PROBE_SECONDS).stdout
    pairs = (line.split(":", 1) for line in told.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def check(node: Path, run: Run) -> str:
    """What e2fsck finds wrong on an unmounted ext filesystem, "" for nothing; it changes nothing."""
    # -f: even when marked clean; -n: answer no to all questions. 4: errors left, 8: it could not go on.
    done = run("e2fsck", "-f", "-n", node, timeout=CHECK_SECONDS, ok=(0, 4, 4 + 8))
    return done.stdout.strip() if done.status else ""
