"""How a source changes between two rounds, the same for the same seed."""

import os
import random
import time
from pathlib import Path

from benchmarks import stuff
from smc.base.units import KIB

PAGE = 16 * KIB  # of the most common database (InnoDB)
SHARE = 100  # one of so many files, or pages, changes
SETTLE_SECONDS = 3.0  # a state so old is told apart from a later one by any filesystem's time stamps


def change_files(root: Path, seed: int) -> int:
    """Change 1 % of the regular files with one name: half are edited in place, half replaced by a longer one.

    Returns how many.
    """
    chance = random.Random(f"files {seed}")
    chosen = [path for path in _files(root) if chance.randrange(SHARE) == 0]
    for path in chosen:
        state = path.lstat()
        content = bytearray(path.read_bytes())
        edit = stuff.piece(chance, min(200, max(1, len(content) // 2)), readable=1)
        at = chance.randrange(max(1, len(content) - len(edit) + 1))
        content[at : at + len(edit)] = edit
        if chance.random() < 0.5:
            with path.open("r+b") as file:
                file.write(content)
        else:
            fresh = path.with_name(f"{path.name}.new")
            fresh.write_bytes(content + edit)
            fresh.chmod(state.st_mode & 0o7777)
            os.chown(fresh, state.st_uid, state.st_gid)
            fresh.rename(path)
    time.sleep(SETTLE_SECONDS)
    return len(chosen)


def change_one_file(root: Path, seed: int) -> int:
    """Rewrite 1 % of the pages of the tree's one file, scattered, in place. Returns how many."""
    chance = random.Random(f"pages {seed}")
    (path,) = root.iterdir()
    pages = path.stat().st_size // PAGE
    chosen = chance.sample(range(pages), max(1, pages // SHARE))
    with path.open("r+b") as file:
        for page in chosen:
            file.seek(page * PAGE)
            file.write(chance.randbytes(PAGE))
    time.sleep(SETTLE_SECONDS)
    return len(chosen)


def _files(root: Path) -> list[Path]:
    """Regular files below 32 MiB with one name, in a fixed order."""
    found = []
    for base, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(base, name)
            if path.is_file() and not path.is_symlink():
                state = path.lstat()
                if state.st_nlink == 1 and state.st_size < 32 << 20:
                    found.append(path)
    return found
