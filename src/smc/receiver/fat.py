"""Making, recognising and checking a FAT: mkfs.vfat, blkid and fsck.vfat."""

from pathlib import Path

from smc.base.run import Run
from smc.base.units import KIB
from smc.model.plan import TargetPartition

MAKE_SECONDS = 300.0
PROBE_SECONDS = 60.0
CHECK_SECONDS = 3600.0
VERSIONS = {"FAT12": "fat12", "FAT16": "fat16", "FAT32": "fat32"}


def make(part: TargetPartition, node: Path, run: Run) -> None:
    bits = {"fat12": "12", "fat16": "16", "fat32": "32"}[part.features[0]]
    words = ["mkfs.vfat", "-F", bits]
    words += ["-i", part.uuid.replace("-", "")] if part.uuid else []
    words += ["-n", part.label] if part.label else []
    # The size is in KiB; without it a file's last few sectors would be used or not by its length.
    run(*words, node, str(part.size // KIB), timeout=MAKE_SECONDS)


def has_shape(part: TargetPartition, node: Path, run: Run) -> bool:
    told = run("blkid", "-p", "-o", "value", "-s", "VERSION", node, timeout=PROBE_SECONDS, ok=(0, 2)).stdout
    return VERSIONS.get(told.strip()) == part.features[0]


def check(node: Path, run: Run) -> str:
    """What fsck.vfat finds wrong, "" for nothing; -n: it changes nothing."""
    done = run("fsck.vfat", "-n", node, timeout=CHECK_SECONDS, ok=(0, 1))
    return done.stdout.strip() if done.status else ""
