"""The source trees of the benchmarks, the same for the same name and scale."""

import math
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stuff
from smc.base.units import GIB, KIB, MIB

OLD = 1_600_000_000 * 10**9  # ns: a source's files were not all written just now
YEARS = 5 * 365 * 86_400 * 10**9
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep, revision 2
SOMEBODY = (1000, 1000)


@dataclass(frozen=True)
class Tree:
    """What it is like, and what makes it in an empty folder, at a scale of 1 for the real size."""

    like: str
    make: Callable[[Path, float], None]


def make(name: str, root: Path, scale: float) -> int:
    """Make tree `name` at `root`, which must not exist; bytes of content, hard links once, holes left out."""
    root.mkdir(parents=True)
    TREES[name].make(root, scale)
    return stored(root)


def stored(root: Path) -> int:
    """Bytes of content that a copy has to move."""
    seen: set[int] = set()
    size = 0
    for state in _states(root):
        if state.st_ino not in seen:
            seen.add(state.st_ino)
            size += min(state.st_size, state.st_blocks * 512)
    return size


def remove(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)


def _states(root: Path) -> Iterator[os.stat_result]:
    for base, _, names in os.walk(root):
        for name in names:
            state = os.lstat(os.path.join(base, name))  # noqa: PTH118 - sixty thousand of them
            if os.path.isfile(os.path.join(base, name)):  # noqa: PTH113, PTH118
                yield state


class _Maker:
    """Makes files below `root`; `chance` decides all that is not given."""

    def __init__(self, root: Path, seed: str) -> None:
        self.chance = random.Random(seed)
        self.folders = [str(root)]
        self.files: list[str] = []

    def grow(self, count: int) -> None:
        """`count` folders more, each in one that is there; early ones have more children, as in reality."""
        for number in range(count):
            parent = self.folders[int(len(self.folders) * self.chance.random() ** 1.5)]
            folder = f"{parent}/{self.chance.choice(NAMES)}-{number}"
            os.mkdir(folder)  # noqa: PTH102
            self.folders.append(folder)

    def fill(self, count: int, median: float, spread: float, *, readable: float) -> None:
        """`count` files, sizes lognormal around `median`, at most 24 MiB."""
        for number in range(count):
            size = min(int(self.chance.lognormvariate(math.log(median), spread)), 24 * MIB)
            folder = self.chance.choice(self.folders)
            path = f"{folder}/{self.chance.choice(NAMES)}_{number}{self.chance.choice(ENDINGS)}"
            self.write(path, stuff.piece(self.chance, size, readable=readable))

    def write(self, path: str, content: bytes) -> None:
        handle = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.chance.choice((0o644, 0o644, 0o755))
        )
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(handle, left) :]
        finally:
            os.close(handle)
        self.files.append(path)

    def link(self, symbolic: int, hard: int) -> None:
        for number in range(symbolic):
            target = self.chance.choice(self.files)
            os.symlink(os.path.basename(target), f"{self.chance.choice(self.folders)}/link-{number}")  # noqa: PTH119, PTH211
        for number in range(hard):
            os.link(self.chance.choice(self.files), f"{self.chance.choice(self.folders)}/same-{number}")

    def mark(self, count: int) -> None:
        """Attributes that few files have: xattrs, capabilities, another owner."""
        for path in self.chance.sample(self.files, count):
            os.setxattr(path, "user.origin", b"a benchmark")
        for path in self.chance.sample(self.files, max(1, count // 10)):
            os.chown(path, *SOMEBODY)
            os.setxattr(path, "security.capability", CAPABILITY)

    def age(self) -> None:
        """Modification times of the last years, folders last."""
        for path in [*self.files, *reversed(self.folders)]:
            when = OLD + self.chance.randrange(YEARS)
            os.utime(path, ns=(when, when))


def _small_files(root: Path, scale: float) -> None:
    """Sizes as in a Debian /usr: half of the files are below 3.5 KiB, the mean is 17 KiB."""
    maker = _Maker(root, "A")
    maker.grow(int(4300 * scale))
    maker.fill(int(57_000 * scale), 3500, 1.8, readable=0.7)
    maker.link(int(2700 * scale), int(300 * scale))
    maker.mark(int(200 * scale) + 1)
    maker.age()


def _noise(root: Path, scale: float) -> None:
    """40 files of 102.4 MiB each."""
    size = int(4 * GIB * scale / 40)
    for number in range(40):
        (root / f"noise-{number:02}.bin").write_bytes(stuff.noise(f"B {number}", size))


def _server(root: Path, scale: float) -> None:
    """The mix of the demo's sample server: system, logs, a web tree, a database, a sparse image, a backup."""
    maker = _Maker(root, "C")
    maker.grow(int(1700 * scale))
    maker.fill(int(20_000 * scale), 3500, 1.6, readable=0.75)
    maker.fill(int(400 * scale), 500 * KIB, 1.0, readable=0.05)  # libraries and programs
    for number in range(4):
        maker.write(f"{root}/syslog.{number}", stuff.piece(maker.chance, int(60 * MIB * scale), readable=1))
    maker.write(f"{root}/photos.tar", stuff.noise("C", int(64 * MIB * scale)))
    numbers = "\n".join(map(str, range(int(9_000_000 * scale)))).encode()
    maker.write(f"{root}/numbers.txt", numbers[: int(60 * MIB * scale)])
    _sparse(root / "disk.img", GIB, (0, int(3 * MIB * scale)), (512 * MIB + 4096, int(16 * MIB * scale)))
    maker.files.append(f"{root}/disk.img")
    _backup(maker, root / "backup", int(1500 * scale))
    maker.link(int(1200 * scale), int(100 * scale))
    maker.mark(int(100 * scale) + 1)
    maker.age()
    os.mkfifo(root / "pipe")
    os.mknod(root / "null", 0o020666, os.makedev(1, 3))


def _backup(maker: _Maker, root: Path, count: int) -> None:
    """Three days of the same files, each the same inode."""
    days = [root / f"day-{day}" for day in range(3)]
    for day in days:
        day.mkdir(parents=True)
    maker.folders += [str(root), *map(str, days)]
    for number in range(count):
        first = f"{days[0]}/{number}"
        maker.write(first, stuff.piece(maker.chance, 2000, readable=1))
        for day in days[1:]:
            os.link(first, f"{day}/{number}")


def _sparse(path: Path, size: int, *extents: tuple[int, int]) -> None:
    """A file of `size` bytes with data at (offset, length) alone."""
    with path.open("wb") as file:
        for number, (offset, length) in enumerate(extents):
            file.seek(offset)
            file.write(stuff.noise(f"sparse {number}", length))
        file.truncate(size)


def _one_file(root: Path, scale: float) -> None:
    """A database of 1 GiB."""
    with (root / "ibdata").open("wb") as file:
        for number in range(16):
            file.write(stuff.noise(f"D {number}", int(GIB * scale / 16)))


def _wire(root: Path, scale: float) -> None:
    """60 MiB that do not compress: five seconds at 100 Mbit/s."""
    for number in range(6):
        (root / f"noise-{number}.bin").write_bytes(stuff.noise(f"E {number}", int(10 * MIB * scale)))


NAMES = ("lib", "python3", "share", "locale", "doc", "module", "icon", "zoneinfo", "perl", "include", "test")
ENDINGS = (".so", ".py", ".h", ".mo", ".gz", ".txt", "", ".conf", ".png")
TREES = {
    "A": Tree("60,000 small files and links in 4,300 folders, about 1 GB, like /usr", _small_files),
    "B": Tree("4 GiB of noise in 40 files", _noise),
    "C": Tree("a server: 24,000 files, logs, noise, a sparse image, hard links, about 1 GB", _server),
    "D": Tree("one file of 1 GiB", _one_file),
    "E": Tree("60 MiB of noise in 6 files", _wire),
}
