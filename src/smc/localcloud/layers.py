"""qcow2 files that stand on one another, and the few things done with them.

Every step can be repeated after a crash in its middle: a file gets its name when it is complete.
Folders: disks/ written by instances, snapshots/ and images/ read-only.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from smc.base.files import sync_folder
from smc.base.run import Run, run
from smc.base.units import GIB
from smc.localcloud.things import Layer

UNFINISHED = ".new"
DEEPEST = 5  # layers below an instance's disk; each costs a lookup in each read (contracts 7)
CREATE_SECONDS = 60.0
FLATTEN_SECONDS = 4 * 3600.0


def of_disk(disk: str) -> str:
    return f"disks/{disk}.qcow2"


def of_snapshot(snapshot: str) -> str:
    return f"snapshots/{snapshot}.qcow2"


def of_image(image: str, index: int) -> str:
    return f"images/{image}/{index}.qcow2"


def depth(layers: Mapping[str, Layer], name: str) -> int:
    """How many files are read for one block, `name` included."""
    count = 0
    while name:
        count += 1
        layer = layers.get(name)
        name = layer.parent if layer else ""
    return count


def unused(layers: Iterable[Layer], named: set[str]) -> list[Layer]:
    """Layers that nothing names and nothing stands on, once their own children went; children first."""
    left = {layer.id: layer for layer in layers}
    gone: list[Layer] = []
    while True:
        parents = {layer.parent for layer in left.values()}
        found = [layer for layer in left.values() if layer.id not in named and layer.id not in parents]
        if not found:
            return gone
        gone += found
        for layer in found:
            del left[layer.id]


class Layers:
    """The files themselves, under the cloud's folder."""

    def __init__(self, folder: Path, run: Run = run) -> None:
        self._folder = folder
        self._run = run
        for name in ("disks", "snapshots", "images"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self._folder / name

    def forget_unfinished(self) -> None:
        """What a crash left; call it when nothing else works here."""
        for path in self._folder.glob(f"*/**/*{UNFINISHED}"):
            path.unlink()

    def create(self, name: str, size_gib: int, base: str = "") -> None:
        """An empty layer, or one that shows what `base` holds."""
        path = self.path(name)
        if not path.exists():
            _finish(self._prepare(path, size_gib, base), path)

    def reset(self, name: str, size_gib: int, base: str) -> None:
        """An existing layer shows again what `base` holds, and nothing else."""
        path = self.path(name)
        _finish(self._prepare(path, size_gib, base), path)

    def freeze(self, disk: str, snapshot: str, size_gib: int) -> None:
        """Turn the layer of a disk that nobody writes to into `snapshot`; the disk gets a new one on it.

        The new one is made first: the likely failure, a full filesystem, leaves all as it was.
        """
        own, frozen = self.path(disk), self.path(snapshot)
        if not frozen.exists():
            self._prepare(own, size_gib, snapshot)
            own.rename(frozen)
            sync_folder(frozen.parent)
        frozen.chmod(0o444)
        if not own.exists():
            if not _unfinished(own).exists():
                self._prepare(own, size_gib, snapshot)
            _finish(_unfinished(own), own)

    def flatten(self, name: str) -> None:
        """Rewrite a read-only layer so that it stands on nothing and reads the same."""
        path = self.path(name)
        unfinished = _unfinished(path)
        self._run("qemu-img", "convert", "-q", "-O", "qcow2", path, unfinished, timeout=FLATTEN_SECONDS)
        unfinished.chmod(0o444)
        _finish(unfinished, path)

    def delete(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def _prepare(self, path: Path, size_gib: int, base: str) -> Path:
        """The base is named as seen from disks/ and snapshots/ alike: a disk can become a snapshot, and the
        whole folder can move. `-u`: the base need not be there yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        backing = ("-u", "-F", "qcow2", "-b", f"../{base}") if base else ()
        unfinished = _unfinished(path)
        words = ("qemu-img", "create", "-q", "-f", "qcow2", *backing, unfinished, str(size_gib * GIB))
        self._run(*words, timeout=CREATE_SECONDS)
        return unfinished


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


def _finish(unfinished: Path, path: Path) -> None:
    handle = os.open(unfinished, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    unfinished.replace(path)
    sync_folder(path.parent)
