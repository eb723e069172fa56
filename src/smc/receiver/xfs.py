"""Making, recognising and checking an XFS as the plan describes it."""

import re
from pathlib import Path

from smc.base.run import Run
from smc.base.units import MIB
from smc.model import xfs
from smc.model.plan import TargetPartition

MAKE_SECONDS = 600.0
PROBE_SECONDS = 60.0
CHECK_SECONDS = 4 * 3600.0
METADATA = ("crc", "finobt", "rmapbt", "reflink", "inobtcount", "bigtime")
INODE = ("sparse", "nrext64")
V4_INODE = ("projid32bit",)  # always on with crc
NEWER = {"-i": ("exchange",), "-n": ("parent",), "-m": ("metadir",)}  # off, where this mkfs.xfs knows them
MKFS_ERROR = 1


def make(part: TargetPartition, node: Path, run: Run) -> None:
    """Every feature is said aloud: mkfs.xfs has others on with each version."""
    known = run("mkfs.xfs", timeout=PROBE_SECONDS, ok=(MKFS_ERROR, MKFS_ERROR + 1)).stderr  # how it is used
    is_v5 = "crc" in part.features
    options: dict[str, list[str]] = {
        "-m": _switches(METADATA if is_v5 else ("crc", "finobt", "rmapbt", "reflink"), part, known),
        "-i": [
            f"size={part.inode_size}",
            f"maxpct={xfs.INODES_PERCENT}",
            *_switches(INODE if is_v5 else V4_INODE, part, known),
        ],
        "-n": [] if is_v5 else _switches(("ftype",), part, known),
        "-l": [f"size={xfs.log_bytes(part.size) // MIB}m"],
    }
    if not is_v5:
        options["-i"].append(f"attr={2 if 'attr2' in part.features else 1}")
        options["-l"] += _switches(("lazy-count",), part, known)
    if "ascii-ci" in part.features:
        options["-n"].append("version=ci")
    for option, names in NEWER.items():
        options[option] += [f"{name}=0" for name in names if f"{name}=" in known]
    if part.uuid:
        options["-m"].append(f"uuid={part.uuid}")
    words = ["mkfs.xfs", "-q", "-f", "-K", "-b", f"size={part.block_size}"]  # -K: no discard
    for option, values in options.items():
        words += [option, ",".join(values)] if values else []
    words += ["-L", part.label] if part.label else []
    run(*words, node, timeout=MAKE_SECONDS)


def has_shape(part: TargetPartition, node: Path, run: Run) -> bool:
    told = superblock(node, run)
    number = {name: int(told.get(name, "0"), 0) for name in NUMBERS}
    found = xfs.features(
        number["versionnum"],
        number["features2"],
        number["features_ro_compat"],
        number["features_incompat"],
    )
    return (
        number["blocksize"] == part.block_size
        and number["inodesize"] == part.inode_size
        and abs(number["dblocks"] * part.block_size - part.size) < MIB
        and set(found) - xfs.STATES == set(part.features)
    )


NUMBERS = (
    *("blocksize", "dblocks", "inodesize", "versionnum"),
    *("features2", "features_ro_compat", "features_incompat"),
)
FIELD = re.compile(r"^(\w+) = (\S+)$", re.MULTILINE)


def superblock(node: Path, run: Run) -> dict[str, str]:
    """xfs_db: {"blocksize": "4096", "versionnum": "0xb4a5", ...}."""
    told = run("xfs_db", "-r", "-c", "sb 0", "-c", "print", node, timeout=PROBE_SECONDS).stdout
    return dict(FIELD.findall(told))


def check(node: Path, run: Run) -> str:
    """What xfs_repair finds wrong on an unmounted one, "" for nothing; -n: it changes nothing."""
    # 1: errors; 2: a log that was not replayed.
    done = run("xfs_repair", "-n", node, timeout=CHECK_SECONDS, ok=(0, 1, 2))
    return (done.stderr + done.stdout).strip() or "xfs_repair finds errors" if done.status else ""


def _switches(names: tuple[str, ...], part: TargetPartition, known: str) -> list[str]:
    """`reflink=0`; a switch that this mkfs.xfs does not know can only be off."""
    return [
        f"{name}={int(name in part.features)}"
        for name in names
        if name in part.features or f"{name}=" in known
    ]
