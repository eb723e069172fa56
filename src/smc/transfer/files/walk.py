"""Walking a tree: totals first, then every folder with its entries.

Order: a folder's own entries by name, then its folders by name. A walk stays on the tree's filesystem: what
is mounted over a folder is not entered.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from smc.transfer.files.entry import SECTOR, read_bare_entry, read_entry
from smc.transfer.files.folders import Folders, join, names_in
from smc.transfer.files.patterns import Excludes
from smc.wire.messages import Entry, Folder, Kind, Total

PART = 256  # entries of a folder handed on at once
PART_SIZE = 512 * 1024  # and their weight: attributes can be 64 KiB each
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})

Unreadable = Callable[[bytes, OSError], None]


@dataclass
class Links:
    """The first path of each inode that has several names, until all of them were seen."""

    _first: dict[tuple[int, int], tuple[bytes, int]] = field(default_factory=dict)

    def first(self, path: bytes, state: os.stat_result) -> bytes:
        """b"" when `path` is the first name, or the only one."""
        if state.st_nlink < 2:
            return b""
        key = state.st_dev, state.st_ino
        known = self._first.get(key)
        if known is None:
            self._first[key] = path, state.st_nlink - 1
            return b""
        first, left = known
        if left > 1:
            self._first[key] = first, left - 1
        else:
            del self._first[key]
        return first


def count(folders: Folders, excludes: Excludes, check: Callable[[], None]) -> Total:
    """Files and the bytes that they hold, by names and sizes alone. `check` may raise to end it."""
    files = size = 0
    seen: set[tuple[int, int]] = set()
    for _, _, state in scan(folders, excludes, check):
        if stat.S_ISREG(state.st_mode):
            if state.st_nlink > 1:
                if (state.st_dev, state.st_ino) in seen:
                    continue
                seen.add((state.st_dev, state.st_ino))
            files += 1
            size += min(state.st_size, state.st_blocks * SECTOR)
    return Total(files, size)


def scan(
    folders: Folders, excludes: Excludes, check: Callable[[], None]
) -> Iterator[tuple[bytes, bytes, os.stat_result]]:
    """Folder, name and state of everything that can be seen; what cannot is left out."""
    stack = [b""]
    while stack:
        path = stack.pop()
        check()
        try:
            handle = folders.open(path)
            names = sorted(names_in(handle))
        except OSError:
            continue  # the walk that copies tells of it
        for name in names:
            try:
                state = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except OSError:
                continue
            whole = join(path, name)
            is_folder = stat.S_ISDIR(state.st_mode)
            if excludes and excludes.match(whole, folder=is_folder):
                continue
            yield path, name, state
            if is_folder and state.st_dev == folders.device:
                stack.append(whole)


def walk(folders: Folders, excludes: Excludes, unreadable: Unreadable) -> Iterator[Folder]:
    """Every folder, in parts that are never large; vanished ones are left out."""
    links = Links()
    stack = [b""]
    while stack:
        below: list[bytes] = []
        for part in _read_folder(folders, stack.pop(), excludes, links, unreadable):
            below += [join(part.path, entry.name) for entry in part.entries if entry.kind is Kind.FOLDER]
            yield part
        stack += reversed(below)


def weight(entry: Entry) -> int:
    """About the bytes that an entry takes in memory and on the wire."""
    values = sum(len(name) + len(value) for name, value in entry.xattrs)
    return 100 + len(entry.name) + len(entry.target) + len(entry.link) + values


def _read_folder(
    folders: Folders, path: bytes, excludes: Excludes, links: Links, unreadable: Unreadable
) -> Iterator[Folder]:
    try:
        handle = folders.open(path)
        names = sorted(names_in(handle))
    except OSError as e:
        if e.errno == errno.EXDEV:  # something is mounted here: what it hides cannot be seen
            yield Folder(path, ())
        elif e.errno not in GONE:
            unreadable(path, e)
            yield Folder(path, (), complete=False)
        return
    entries: list[Entry] = []
    size, first, complete = 0, True, True
    for name in names:
        whole = join(path, name)
        try:
            entry, state = _read(handle, name, whole, unreadable)
        except OSError as e:
            if e.errno not in GONE:
                unreadable(whole, e)
                complete = False
            continue
        if excludes and excludes.match(whole, folder=entry.kind is Kind.FOLDER):
            continue
        if entry.kind is not Kind.FOLDER and (known := links.first(whole, state)):
            entry = msgspec.structs.replace(entry, link=known)
        if entries and (len(entries) == PART or size + weight(entry) > PART_SIZE):
            yield Folder(path, tuple(entries), first=first, last=False, complete=complete)
            handle = folders.open(path)
            entries, size, first, complete = [], 0, False, True
        entries.append(entry)
        size += weight(entry)
    yield Folder(path, tuple(entries), first=first, last=True, complete=complete)


def _read(folder: int, name: bytes, whole: bytes, unreadable: Unreadable) -> tuple[Entry, os.stat_result]:
    """What cannot be opened is still described, so that it is not taken for deleted."""
    try:
        return read_entry(folder, name)
    except OSError as e:
        if e.errno in GONE:
            raise
        entry, state = read_bare_entry(folder, name)
        unreadable(whole, e)
        return entry, state
