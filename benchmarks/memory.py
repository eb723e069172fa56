"""Peak memory of both ends on trees that are extreme (docs/reference/benchmarks.md).

    python -m benchmarks.memory [--trees many-files,one-folder,linked,hole] [--scale 0.1]

Needs root. Results are put into build/bench/memory.json as they come.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.files import BUILD, folders, leave, words
from benchmarks.judge import differences
from benchmarks.pair import ours
from benchmarks.places import Ext4
from smc.base.errors import SmcError
from smc.base.units import GIB, MIB

RESULTS = BUILD / "memory.json"
NEED_MIB = {"sender": 100, "receiver": 300}  # at most
SIZE = 40 * GIB  # of the filesystem: sparse
OPTIONS = ("-N", "2600000", "-m", "0")  # inodes for a million files twice
CONTENT = b"a small file\n"
DATA = 16  # places of the sparse file that hold something


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.memory", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--trees", type=partial(words, TREES), default=list(TREES), help=",".join(TREES))
    parser.add_argument("--scale", type=float, default=1.0, help="the bars are meant for 1")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, leave)
    with folders() as (base, _):
        for tree in options.trees:
            _measure(tree, base, options.scale)
    return 0


def _measure(tree: str, base: Path, scale: float) -> None:
    """A first copy and a round in which nothing has changed, each with the peaks that it reached itself."""
    mounted = base / "memory"
    mounted.mkdir(exist_ok=True)
    place = Ext4(mounted, BUILD / f"{base.name}.img", SIZE, OPTIONS)
    try:
        place.empty()
        source = place.folder("source")
        TREES[tree](source, scale)
        target = place.folder("target")
        with ours() as pair:
            for row in ("first", "unchanged"):
                found: dict[str, object] = {"tree": tree, "row": row, "scale": scale}
                try:
                    copy = pair.copy(source, target, fresh=row == "first")
                    ends = {"sender": copy.sender, "receiver": copy.receiver}
                    found["seconds"] = round(copy.seconds, 1)
                    for end, usage in ends.items():
                        found |= {f"{end}_rss_mib": round(usage.rss_mib), f"{end}_need_mib": NEED_MIB[end]}
                    found["ok"] = all(usage.rss_mib <= NEED_MIB[end] for end, usage in ends.items())
                except SmcError as e:
                    found |= {"ok": False, "error": str(e)}
                _put(found)
                if "error" in found:
                    return
            lines = differences(
                source, target, content=False
            )  # a terabyte of holes takes rsync an hour to read
            if lines or _content(source) != _content(target):
                print(f"{tree}: not equal: {len(lines)} lines of rsync, first {lines[:5]}")
                _put(found | {"ok": False, "error": "the copy is not equal"})
    finally:
        place.close()


def _content(root: Path) -> str:
    """A hash over where the data of each file lies and what it is."""
    seen = hashlib.sha256()
    for base, below, names in os.walk(root):
        below.sort()
        for name in sorted(names):
            with open(f"{base}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - a million of them
                for start, end in _extents(file.fileno()):
                    seen.update(f"{name} {start} {end}\0".encode())
                    for at in range(start, end, MIB):
                        seen.update(os.pread(file.fileno(), min(MIB, end - at), at))
    return seen.hexdigest()


def _extents(handle: int) -> Iterator[tuple[int, int]]:
    size, at = os.fstat(handle).st_size, 0
    while at < size:
        try:
            start = os.lseek(handle, at, os.SEEK_DATA)
        except OSError:  # ENXIO: a hole up to the end
            return
        at = os.lseek(handle, start, os.SEEK_HOLE)
        yield start, at


def _put(row: dict[str, object]) -> None:
    print(json.dumps(row), flush=True)
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    rows = [each for each in rows if (each["tree"], each["row"]) != (row["tree"], row["row"])] + [row]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    temporary = RESULTS.with_suffix(".new")
    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    temporary.replace(RESULTS)


def _many_files(root: Path, scale: float) -> None:
    """A million files in 20,000 folders."""
    for number in range(int(20_000 * scale)):
        folder = f"{root}/{number % 100:02}/{number}"
        os.makedirs(folder)  # noqa: PTH103 - names by the million: no Path each
        for name in range(50):
            _write(f"{folder}/file-{name}")


def _one_folder(root: Path, scale: float) -> None:
    """500,000 files side by side."""
    for number in range(int(500_000 * scale)):
        _write(f"{root}/a-name-as-long-as-those-of-mails-{number}")


def _linked(root: Path, scale: float) -> None:
    """A million files in 20,000 folders, and as many folders with another name of each: two backups."""
    for number in range(int(20_000 * scale)):
        folder = f"{number % 100:02}/{number}"
        for backup in ("first", "second"):
            os.makedirs(f"{root}/{backup}/{folder}")  # noqa: PTH103 - names by the million: no Path each
        for name in range(50):
            _write(f"{root}/first/{folder}/file-{name}")
            os.link(f"{root}/first/{folder}/file-{name}", f"{root}/second/{folder}/file-{name}")


def _hole(root: Path, scale: float) -> None:
    """A file of 1 TiB with 16 MiB in it."""
    size = int(1024 * GIB * scale)
    with (root / "hole.img").open("wb") as file:
        for number in range(DATA):
            file.seek(size // DATA * number)
            file.write(os.urandom(MIB))
        file.truncate(size)


def _write(path: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(handle, CONTENT)
    os.close(handle)


TREES: dict[str, Callable[[Path, float], None]] = {
    "many-files": _many_files,
    "one-folder": _one_folder,
    "linked": _linked,
    "hole": _hole,
}


if __name__ == "__main__":
    sys.exit(main())
