"""Making, recognising and checking one filesystem or swap area as the plan describes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from smc.base.run import Run
from smc.model.ext import TYPES
from smc.model.plan import TargetPartition
from smc.receiver import btrfs, ext, fat, xfs

MAKE_SECONDS = 600.0
PROBE_SECONDS = 60.0
NOTHING_FOUND = 2  # blkid


@dataclass(frozen=True)
class Tools:
    """`make` loses what was there; `has_shape`: whether it is as `make` would make it, apart from names.

    `check`: what the judge finds wrong on an unmounted one, "" for nothing; it changes nothing.
    `options`: mount options, beside those of all.
    """

    make: Callable[[TargetPartition, Path, Run], None]
    has_shape: Callable[[TargetPartition, Path, Run], bool]
    check: Callable[[Path, Run], str]
    judge: str
    driver: str
    options: str = ""


EXT = Tools(
    make=ext.make,
    has_shape=ext.has_shape,
    check=ext.check,
    judge="e2fsck",
    # ext2 and ext3 too are the ext4 driver's; by that name it takes the same options for all three.
    driver="ext4",
    # The copy's own kernel zeroes its inode tables later; here it would only slow the copying.
    options="noinit_itable",
)
XFS = Tools(
    make=xfs.make,
    has_shape=xfs.has_shape,
    check=xfs.check,
    judge="xfs_repair",
    driver="xfs",
    options="nouuid",  # a snapshot of the same source may be attached as well
)
FAT = Tools(
    make=fat.make,
    has_shape=fat.has_shape,
    check=fat.check,
    judge="fsck.vfat",
    driver="vfat",
    # FAT has no owners and modes: that they cannot be set is no error.
    options="quiet,umask=0022,utf8=1,shortname=mixed",
)
BTRFS = Tools(
    make=btrfs.make, has_shape=btrfs.has_shape, check=btrfs.check, judge="btrfs check", driver="btrfs"
)
TOOLS: Mapping[str, Tools] = {
    **dict.fromkeys(TYPES, EXT),
    "xfs": XFS,
    "btrfs": BTRFS,
    "vfat": FAT,
}


def make(part: TargetPartition, node: Path, run: Run) -> None:
    """Make what `part` says on its device; what was there is lost."""
    if part.filesystem == "swap":
        _mkswap(part, node, run)
    elif part.filesystem:
        TOOLS[part.filesystem].make(part, node, run)


def is_made(part: TargetPartition, node: Path, run: Run) -> bool:
    """Whether the device already carries exactly what `make` would make, apart from the files on it."""
    if not part.filesystem:
        return True
    told = probe(node, run)
    names = (not part.uuid or told.get("UUID") == part.uuid) and told.get("LABEL", "") == part.label
    if part.filesystem == "swap":
        return names and told.get("TYPE") == "swap"
    tools = TOOLS[part.filesystem]
    same = _driver(told.get("TYPE", "")) == tools.driver
    return names and same and tools.has_shape(part, node, run)


def check(part: TargetPartition, node: Path, run: Run) -> str:
    """What is wrong on an unmounted filesystem, "" for nothing; it changes nothing."""
    return TOOLS[part.filesystem].check(node, run)


def _driver(kind: str) -> str:
    return TOOLS[kind].driver if kind in TOOLS else ""


def probe(node: Path, run: Run) -> dict[str, str]:
    """What blkid reads from the device itself (-p), not from a cache."""
    words = ("blkid", "-p", "-o", "udev", node)
    told = run(*words, timeout=PROBE_SECONDS, ok=(0, NOTHING_FOUND)).stdout
    found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return {
        "TYPE": found.get("ID_FS_TYPE", ""),
        "UUID": found.get("ID_FS_UUID", ""),
        "LABEL": unescaped(found.get("ID_FS_LABEL_ENC", "")),
    }


def unescaped(text: str) -> str:
    r"""blkid's encoding: every odd byte as \xHH."""
    raw = text.encode()
    out = bytearray()
    at = 0
    while at < len(raw):
        if raw[at : at + 2] == b"\\x":
            out.append(int(raw[at + 2 : at + 4], 16))
            at += 4
        else:
            out.append(raw[at])
            at += 1
    return out.decode(errors="replace")


def _mkswap(part: TargetPartition, node: Path, run: Run) -> None:
    words = ["mkswap", "--force"]  # --force: also where something else was
    words += ["--uuid", part.uuid] if part.uuid else []
    words += ["--label", part.label] if part.label else []
    run(*words, node, timeout=MAKE_SECONDS)
