"""Where copies go: a tmpfs, which shows the engine, and an ext4 on a disk, which is the truth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks import trees
from smc.base.run import run
from smc.base.units import GIB

EXT4_SIZE = 12 * GIB  # sparse: what is not written takes no place
OPTIONS = ("lazy_itable_init=0", "lazy_journal_init=0")  # else the kernel writes tables while we measure


class Place(Protocol):
    def empty(self) -> None:
        """As new: nothing of an earlier copy is left, nor waits to be written."""

    def folder(self, name: str) -> Path:
        """An empty folder for a copy."""


class Tmpfs:
    def __init__(self, path: Path) -> None:
        self._path = path

    def empty(self) -> None:
        trees.remove(self._path)
        self._path.mkdir()

    def folder(self, name: str) -> Path:
        trees.remove(self._path / name)
        (self._path / name).mkdir(parents=True)
        return self._path / name


class Ext4(Tmpfs):
    """A filesystem in a file below `image`'s folder, on a loop device that goes with the mount."""

    def __init__(self, path: Path, image: Path, size: int = EXT4_SIZE, options: Sequence[str] = ()) -> None:
        super().__init__(path)
        self._image, self._size, self._options = image, size, options

    def empty(self) -> None:
        self.close()
        self._image.parent.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(self._size)
        run("mkfs.ext4", "-q", "-E", ",".join(OPTIONS), *self._options, self._image, timeout=120)
        run("mount", "-o", "loop", self._image, self._path, timeout=60)
        run("sync", timeout=300)

    def close(self) -> None:
        if self._path.is_mount():
            run("umount", self._path, timeout=300)
        self._image.unlink(missing_ok=True)


@contextmanager
def at(where: str, base: Path, build: Path) -> Iterator[Place]:
    """`where` is tmpfs or ext4; all below `base`, ext4's blocks in a file in `build`."""
    path = base / where
    path.mkdir()
    if where == "tmpfs":
        try:
            yield Tmpfs(path)
        finally:
            trees.remove(path)
        return
    place = Ext4(path, build / f"{base.name}.img")
    try:
        place.empty()
        yield place
    finally:
        place.close()
        path.rmdir()
