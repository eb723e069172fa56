"""The first path of each inode that has several names, until all of them were seen: in bounded memory.

A tree may have millions of inodes whose other names come late, as in backups that are made of hard links. The
first IN_MEMORY of them are in a dictionary, others in unnamed files: tables of slots, found by a hash of the
inode, each table four times as large as the one before, and one file for their paths. Without room for these
files the dictionary takes all.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from smc.transfer.files.folders import join, split

IN_MEMORY = 16_384  # inodes: about 5 MB with paths of a hundred bytes
FIRST_SLOTS_LOG2 = 18  # of the first table: with paths of 50 bytes some 20 MB of disk when it is full
GROWTH_LOG2 = 2
MOST_USED = 0.6  # of a table's slots: beyond, looking for one takes many steps
AT_ONCE = 8  # slots that are read in one call: mostly enough
BUFFER = 64 * 1024  # bytes of paths that are written in one call

SLOT = Struct("<QQQ")  # inode, place of its path + 1 (0: an empty slot), names to come (0: all were seen)
PATH = Struct("<QII")  # before a name: place and length of its folder's path, length of the name
PACKED = Struct("<QII")  # inode, lengths of name and path
SPREAD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: inodes that follow one another lie apart
WHOLE = (1 << 64) - 1

Later = dict[bytes, tuple[int, bytes]]  # by name: inode and the first path of names that are not the first


class Links:
    """For one walk, whose order says which name is the first.

    `folder` is where the files are made; None: with other temporary files.
    """

    def __init__(self, in_memory: int | None = None, folder: Path | None = None) -> None:
        self._folder = folder
        self._in_memory = IN_MEMORY if in_memory is None else in_memory
        self._first: dict[int, tuple[bytes, int]] = {}
        self._tables: list[_Table] = []
        self._paths: _Paths | None = None
        self._no_room = False

    def __enter__(self) -> "Links":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all; another walk can begin."""
        self._first.clear()
        while self._tables:
            self._tables.pop().close()
        if self._paths is not None:
            self._paths.close()
            self._paths = None

    def first(self, path: bytes, inode: int, names: int) -> bytes:
        """b"" when `path` is the first of the inode's `names`."""
        known = self._first.get(inode)
        if known is not None:
            first, left = known
            if left > 1:
                self._first[inode] = first, left - 1
            else:
                del self._first[inode]
            return first
        for table in self._tables:
            if (where := table.take(inode)) is not None:
                assert self._paths is not None
                return self._paths.read(where)
        self._begin(path, inode, names - 1)
        return b""

    def _begin(self, path: bytes, inode: int, left: int) -> None:
        if len(self._first) >= self._in_memory and not self._no_room:
            try:
                self._put(path, inode, left)
                return
            except OSError:  # a full disk: what is there stays good
                self._no_room = True
        self._first[inode] = path, left

    def _put(self, path: bytes, inode: int, left: int) -> None:
        if self._paths is None:
            self._paths = _Paths(self._folder)
        if not self._tables or self._tables[-1].is_full:
            slots_log2 = FIRST_SLOTS_LOG2 + GROWTH_LOG2 * len(self._tables)
            self._tables.append(_Table(slots_log2, self._folder))
        self._tables[-1].put(inode, self._paths.add(path), left)


@dataclass(frozen=True, slots=True)
class _Slot:
    number: int
    where: int
    left: int


class _Table:
    """Slots by a hash of the inode; one that is taken goes into the next that is empty."""

    def __init__(self, slots_log2: int, folder: Path | None) -> None:
        self._file = _unnamed(folder)
        self._handle = self._file.fileno()
        self._shift = 64 - slots_log2
        self._room = int((1 << slots_log2) * MOST_USED)

    @property
    def is_full(self) -> bool:
        return self._room <= 0

    def put(self, inode: int, where: int, left: int) -> None:
        """Of an inode that is not here."""
        self._write(self._find(inode).number, inode, where, left)
        self._room -= 1

    def take(self, inode: int) -> int | None:
        """One name less is to come: the place of the first one's path. None when it is not here."""
        slot = self._find(inode)
        if not slot.left:
            return None
        self._write(slot.number, inode, slot.where, slot.left - 1)
        return slot.where

    def close(self) -> None:
        self._file.close()

    def _find(self, inode: int) -> _Slot:
        """Its slot, or the empty one where it belongs. Behind the last are more if need be."""
        number = (inode * SPREAD & WHOLE) >> self._shift
        while True:
            data = os.pread(self._handle, AT_ONCE * SLOT.size, number * SLOT.size)
            data = data.ljust(AT_ONCE * SLOT.size, b"\0")  # behind the end nothing was written
            for found, place, left in SLOT.iter_unpack(data):
                if not place or (found == inode and left):
                    return _Slot(number, place - 1, left)
                number += 1

    def _write(self, number: int, inode: int, where: int, left: int) -> None:
        _write_all(self._handle, SLOT.pack(inode, where + 1, left), number * SLOT.size)


class _Paths:
    """Paths one after another; those of one folder share its own."""

    def __init__(self, folder: Path | None) -> None:
        self._file = _unnamed(folder)
        self._handle = self._file.fileno()
        self._written = 0
        self._buffer = bytearray()
        self._folder: tuple[bytes, int] | None = None  # of the path that was added last
        self._found = 0, b""  # place and path of the folder that was read last

    def add(self, path: bytes) -> int:
        if len(self._buffer) >= BUFFER:
            _write_all(self._handle, self._buffer, self._written)
            self._written += len(self._buffer)
            self._buffer.clear()
        folder, name = split(path)
        if self._folder is None or self._folder[0] != folder:
            self._folder = folder, self._append(folder)
        return self._append(PATH.pack(self._folder[1], len(folder), len(name)) + name)

    def read(self, where: int) -> bytes:
        folder_at, folder_length, length = PATH.unpack(self._read(where, PATH.size))
        name = self._read(where + PATH.size, length)
        if self._found[0] != folder_at or len(self._found[1]) != folder_length:
            self._found = folder_at, self._read(folder_at, folder_length)
        return join(self._found[1], name)

    def close(self) -> None:
        self._file.close()

    def _append(self, data: bytes) -> int:
        where = self._written + len(self._buffer)
        self._buffer += data
        return where

    def _read(self, where: int, length: int) -> bytes:
        if where >= self._written:
            return bytes(self._buffer[where - self._written : where - self._written + length])
        data = os.pread(self._handle, length, where)
        assert len(data) == length, "records are written whole"
        return data


def pack(later: Later) -> bytes:
    """A fifth of the memory, for what waits."""
    return b"".join(
        PACKED.pack(inode, len(name), len(first)) + name + first for name, (inode, first) in later.items()
    )


def unpack(packed: bytes) -> Later:
    later: Later = {}
    at = 0
    while at < len(packed):
        inode, name_length, first_length = PACKED.unpack_from(packed, at)
        name_at = at + PACKED.size
        first_at = name_at + name_length
        at = first_at + first_length
        later[packed[name_at:first_at]] = inode, packed[first_at:at]
    return later


def _unnamed(folder: Path | None) -> BinaryIO:
    return tempfile.TemporaryFile(prefix=".smc-links-", dir=folder, buffering=0)


def _write_all(handle: int, data: bytes | bytearray, offset: int) -> None:
    with memoryview(data) as view:
        at = 0
        while at < len(view):
            at += os.pwrite(handle, view[at:], offset + at)
