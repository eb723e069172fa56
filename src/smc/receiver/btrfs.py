"""Making, recognising and checking a btrfs with its subvolumes as the plan describes it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from smc.base.errors import Broken
from smc.base.run import Run
from smc.base.units import MIB
from smc.model import btrfs
from smc.model.plan import TargetPartition

MAKE_SECONDS = 600.0
PROBE_SECONDS = 60.0
CHECK_SECONDS = 4 * 3600.0
FIELD = re.compile(r"^(\S+)[ \t]+(\S+)", re.MULTILINE)
LISTED = re.compile(r" path (.*)$", re.MULTILINE)
FEATURE = re.compile(r"^([a-z0-9-]+) ", re.MULTILINE)


def make(part: TargetPartition, node: Path, run: Run) -> None:
    """Every feature is said aloud: mkfs.btrfs has others on with each version."""
    words = ["mkfs.btrfs", "--quiet", "--force", "--nodiscard", "--sectorsize", str(part.block_size)]
    for option in ("-O", "-R"):
        switches = [
            name if name in part.features else f"^{name}"
            for name in _known(option, run)
            if name in btrfs.SWITCHES
        ]
        if option == "-O" and "mixed-bg" in part.features:
            switches.append("mixed-bg")
        words += [option, ",".join(switches)] if switches else []
    words += ["--nodesize", str(part.inode_size)] if part.inode_size else []
    words += ["--checksum", _checksum(part.features)]
    words += ["--uuid", part.uuid] if part.uuid else []
    words += ["--label", part.label] if part.label else []
    run(*words, node, timeout=MAKE_SECONDS)
    with _top(node, "rw", run) as top:
        for subvolume in part.subvolumes:
            if subvolume.path:
                place = top / named(subvolume.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                run("btrfs", "subvolume", "create", place, timeout=PROBE_SECONDS)
            if subvolume.is_default and subvolume.path:
                told = run("btrfs", "inspect-internal", "rootid", place, timeout=PROBE_SECONDS)
                words = ["btrfs", "subvolume", "set-default", told.stdout.strip()]
                run(*words, top, timeout=PROBE_SECONDS)


def named(path: str) -> str:
    """The path of a subvolume, as the source told it, where it means nothing else.

    Raises `Broken` (`Plan.InvalidSubvolume`): a comma would end the mount option that it stands in.
    """
    if "," in path or path != "/".join(part for part in path.split("/") if part not in ("", ".", "..")):
        raise Broken(
            f"a subvolume with the path {path!r} cannot be made",
            code="Plan.InvalidSubvolume",
            hint="Rename it on the source, or leave its mount point out.",
        )
    return path


def has_shape(part: TargetPartition, node: Path, run: Run) -> bool:
    told = dict(
        FIELD.findall(run("btrfs", "inspect-internal", "dump-super", node, timeout=PROBE_SECONDS).stdout)
    )
    found = btrfs.features(
        int(told.get("incompat_flags", "0"), 0),
        int(told.get("compat_ro_flags", "0"), 0),
        int(told.get("csum_type", "0")),
    )
    same = (
        int(told.get("sectorsize", "0")) == part.block_size
        and part.inode_size in (0, int(told.get("nodesize", "0")))
        and abs(int(told.get("total_bytes", "0")) - part.size) < MIB
        and set(found) - btrfs.STATES == set(part.features)
    )
    if not same:
        return False
    with _top(node, "ro", run) as top:
        listed = run("btrfs", "subvolume", "list", top, timeout=PROBE_SECONDS).stdout
    return set(LISTED.findall(listed)) == {subvolume.path for subvolume in part.subvolumes} - {""}


def check(node: Path, run: Run) -> str:
    """What btrfs check finds wrong on an unmounted one, "" for nothing; it changes nothing."""
    done = run("btrfs", "check", "--readonly", node, timeout=CHECK_SECONDS, ok=(0, 1))
    return (done.stderr + done.stdout).strip() or "btrfs check finds errors" if done.status else ""


def _known(option: str, run: Run) -> list[str]:
    """Features that this mkfs.btrfs takes by that option; it tells them on either output."""
    told = run("mkfs.btrfs", option, "list-all", timeout=PROBE_SECONDS, ok=(0, 1))
    return FEATURE.findall(told.stdout + told.stderr)


def _checksum(features: tuple[str, ...]) -> str:
    return next((name for name in features if name in btrfs.CHECKSUMS), btrfs.CHECKSUMS[0])


@contextmanager
def _top(node: Path, how: str, run: Run) -> Iterator[Path]:
    """The subvolume that holds all others, mounted."""
    with TemporaryDirectory(prefix="smc-btrfs-") as folder:
        options = f"{how},subvolid=5,noatime,nosuid,nodev,noexec"
        run("mount", "-t", "btrfs", "-o", options, node, folder, timeout=PROBE_SECONDS)
        try:
            yield Path(folder)
        finally:
            run("umount", folder, timeout=MAKE_SECONDS)
