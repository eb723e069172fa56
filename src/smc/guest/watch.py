"""What the guest's own programs changed in some folders of the copy, recorded like edits of ours."""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from smc.guest.journal import TEXT_KEPT, as_recorded
from smc.guest.root import ABSENT, Root
from smc.guest.walk import place

NO_FOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was: `content` as a Change says it."""

    content: str
    mode: int
    mtime: int


@contextmanager
def watched(root: Root, folders: Collection[str], why: str) -> Iterator[None]:
    """Record each file of `folders` whose content is another afterwards, also when the program failed.

    Files that were written again with the same content, and the folders, get their old times back.
    """
    before = _look(root, folders)
    try:
        yield
    finally:
        after = _look(root, folders)
        for path in sorted(before.keys() | after.keys()):
            old, new = before.get(path), after.get(path)
            if old and new and old.content == new.content:
                if old.mtime != new.mtime:
                    _put_back_time(root, path, old.mtime)
            else:
                root.journal.record(path, why, old.content if old else "", new.content if new else "")


def _look(root: Root, folders: Collection[str]) -> dict[str, _Seen]:
    seen: dict[str, _Seen] = {}
    for folder in folders:
        with suppress(*ABSENT), place(root.path, folder) as at:
            for base, _, files, here in os.fwalk(at.name, dir_fd=at.folder, follow_symlinks=False):
                where = str(Path(at.path).parent / base)
                found = os.fstat(here)
                seen[where] = _Seen("(a folder)", found.st_mode, found.st_mtime_ns)
                for name in files:
                    seen[f"{where}/{name}"] = _file(here, name)
    return seen


def _file(folder: int, name: str) -> _Seen:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        return _Seen(f"-> {os.readlink(name, dir_fd=folder)}", found.st_mode, found.st_mtime_ns)
    if not stat.S_ISREG(found.st_mode):
        return _Seen("(not a file)", found.st_mode, found.st_mtime_ns)
    with os.fdopen(os.open(name, NO_FOLLOW, dir_fd=folder), "rb") as file:
        if found.st_size <= TEXT_KEPT:
            content = as_recorded(file.read(TEXT_KEPT + 1))
        else:
            content = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()} {found.st_size}"
    return _Seen(content, found.st_mode, found.st_mtime_ns)


def _put_back_time(root: Root, path: str, mtime: int) -> None:
    with place(root.path, path, follow=False) as at:
        os.utime(at.name, ns=(mtime, mtime), dir_fd=at.folder, follow_symlinks=False)
