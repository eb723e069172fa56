"""Paths inside a copy, walked with open folders so that no link of the copy leads out of it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LINKS_FOLLOWED = 40  # what the kernel allows in one path


@dataclass(frozen=True, slots=True)
class Place:
    """The entry `name` in the open folder `folder`; `path` is where that is on the copy, links followed."""

    folder: int
    name: str
    path: str


@contextmanager
def place(root: Path, path: str, *, follow: bool = True) -> Iterator[Place]:
    """Where `path` leads on the copy mounted at `root`: absolute links start at `root`, `..` ends there.

    The entry itself may be absent. `follow` says whether a link as the last part is followed.
    Raises FileNotFoundError or NotADirectoryError when a folder on the way is not there.
    """
    folders = [(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "")]
    try:
        yield _walk(folders, path, follow=follow)
    finally:
        for folder, _ in folders:
            os.close(folder)


def _walk(folders: list[tuple[int, str]], path: str, *, follow: bool) -> Place:
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        part = todo.pop()
        here, where = folders[-1]
        if part in {"", "."}:
            continue
        if part == "..":
            if len(folders) > 1:
                os.close(folders.pop()[0])
            continue
        last = not any(rest not in {"", "."} for rest in todo)
        link = _link(here, part)
        if link is not None and (follow or not last):
            links += 1
            if links > LINKS_FOLLOWED:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ELOOP), path)
            if link.startswith("/"):
                while len(folders) > 1:
                    os.close(folders.pop()[0])
            todo += link.split("/")[::-1]
        elif last:
            return Place(here, part, f"{where}/{part}")
        else:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            folders.append((os.open(part, flags, dir_fd=here), f"{where}/{part}"))
    here, where = folders[-1]
    return Place(here, ".", where or "/")


def _link(folder: int, name: str) -> str | None:
    try:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return os.readlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    return None
