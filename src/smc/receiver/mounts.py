"""Mounting the copy: each filesystem by itself while files arrive, all below one root to convert it."""

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from smc.base.errors import Broken, CommandFailed
from smc.base.run import Run
from smc.model.plan import Plan, TargetPartition, Tree, trees_of
from smc.receiver import btrfs
from smc.receiver.filesystems import TOOLS

log = logging.getLogger(__name__)

MOUNT_SECONDS = 120.0  # a journal may have to be replayed
UNMOUNT_SECONDS = 600.0  # all that was written goes to the disk first
BUSY_SECONDS = 30.0  # how long a program may still hold a file of the copy
MOUNTINFO = Path("/proc/self/mountinfo")
ESCAPED = re.compile(r"\\([0-7]{3})")

# The copy's programs and device nodes do nothing here. noatime: reading back changes nothing.
OPTIONS = "noatime,nosuid,nodev,noexec"
GUEST_OPTIONS = "noatime,nodev"  # its programs run, in namespaces of their own


@contextmanager
def trees(plan: Plan, nodes: Mapping[str, Path], base: Path, run: Run) -> Iterator[dict[str, Path]]:
    """Every filesystem at a place of its own, so that none hides a part of another; source -> folder."""
    with ExitStack() as stack:
        found: dict[str, Path] = {}
        for part, tree in _trees(plan):
            found[tree.name] = base / tree.name
            mounting = _mounted(part, tree, nodes[part.source], found[tree.name], OPTIONS, run)
            stack.enter_context(mounting)
        yield found


@contextmanager
def root(plan: Plan, nodes: Mapping[str, Path], base: Path, run: Run) -> Iterator[Path]:
    """The copy as it will see itself: / at `base`, everything else below it."""
    with ExitStack() as stack:
        for part, tree in _by_mount_point(plan):
            place = inside(base, tree.mount_point)
            stack.enter_context(_mounted(part, tree, nodes[part.source], place, GUEST_OPTIONS, run))
        yield base


def unmount_below(base: Path, run: Run) -> None:
    """Everything mounted at or below `base`, last first: what an earlier receiver left."""
    for place in reversed(mounted_at()):
        if place.is_relative_to(base):
            log.info("unmounting %s, left from before", place)
            _unmount(place, run)


def mounted_at() -> list[Path]:
    """Mount points of this process in the order they were mounted (proc(5))."""
    places = (line.split()[4] for line in MOUNTINFO.read_text().splitlines())
    return [Path(ESCAPED.sub(lambda found: chr(int(found[1], 8)), place)) for place in places]


def inside(base: Path, mount_point: str) -> Path:
    """`mount_point` below `base`. The copied tree may be hostile: no step of it may be a link."""
    place = base
    for name in mount_point.strip("/").split("/"):
        if name in {"", "."}:
            continue
        if name == ".." or (place / name).is_symlink():
            raise Broken(
                f"the mount point {mount_point} leads over a link on the copy",
                code="Copy.MountPointIsLink",
                hint="Mount it at its real path on the source, and start the job again.",
            )
        place /= name
    return place


def _trees(plan: Plan) -> list[tuple[TargetPartition, Tree]]:
    return [(part, tree) for disk in plan.disks for part in disk.partitions for tree in trees_of(part)]


def _by_mount_point(plan: Plan) -> list[tuple[TargetPartition, Tree]]:
    """What holds another before it."""
    found = [(part, tree) for part, tree in _trees(plan) if tree.mount_point]
    return sorted(found, key=lambda pair: (len(Path(pair[1].mount_point).parts), pair[1].mount_point))


@contextmanager
def _mounted(
    part: TargetPartition, tree: Tree, node: Path, place: Path, options: str, run: Run
) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    tools = TOOLS[part.filesystem]
    subvolume = "" if tree.subvolume is None else f"subvol=/{btrfs.named(tree.subvolume)}"
    words = ",".join(word for word in (options, tools.options, part.storing, subvolume) if word)
    run("mount", "-t", tools.driver, "-o", words, node, place, timeout=MOUNT_SECONDS)
    try:
        yield
    finally:
        _unmount(place, run)


def _unmount(place: Path, run: Run) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            run("umount", place, timeout=UNMOUNT_SECONDS)
        except CommandFailed:
            if place not in mounted_at():
                return
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.5)
        else:
            return
