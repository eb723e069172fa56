"""What waits for the end of a pass: records in order, of which there may be millions, in bounded memory.

The first IN_MEMORY bytes are in memory, what follows is in an unnamed file, or in memory too where its disk
is full.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

IN_MEMORY = 2 << 20  # bytes
BLOCK = 64 * 1024  # bytes that are written and read in one call, or one record
LENGTH = Struct("<I")  # before each record


class _Written(NamedTuple):
    """The place of a block in the file."""

    offset: int
    size: int


class Backlog:
    """For one thread. Raises OSError where what was written cannot be read."""

    def __init__(self, folder: Path | None = None, in_memory: int | None = None) -> None:
        """`folder` is where the file is made; None: with other temporary files."""
        self._folder = folder
        self._in_memory = IN_MEMORY if in_memory is None else in_memory
        self._blocks: list[bytes | _Written] = []
        self._held = 0  # bytes of the blocks in memory
        self._last = bytearray()  # the block that is being filled
        self._file: BinaryIO | None = None
        self._end = 0  # of the file
        self._no_room = False

    def append(self, record: bytes) -> None:
        if self._last and len(self._last) + len(record) > BLOCK:
            self._put_away()
        self._last += LENGTH.pack(len(record))
        self._last += record

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            yield from _records(self._read(block))
        yield from _records(bytes(self._last))

    def __reversed__(self) -> Iterator[bytes]:
        yield from reversed(_records(bytes(self._last)))
        for block in reversed(self._blocks):
            yield from reversed(_records(self._read(block)))

    def close(self) -> None:
        """Forget all; it can be used again."""
        self._blocks.clear()
        self._last.clear()
        self._held = self._end = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _put_away(self) -> None:
        block, self._last = bytes(self._last), bytearray()
        if self._held + len(block) > self._in_memory and not self._no_room:
            try:
                self._blocks.append(self._write(block))
                return
            except OSError:  # a full disk: what is there stays good
                self._no_room = True
        self._held += len(block)
        self._blocks.append(block)

    def _write(self, block: bytes) -> _Written:
        if self._file is None:
            self._file = _unnamed(self._folder)
        handle, at = self._file.fileno(), 0
        with memoryview(block) as view:
            while at < len(view):
                at += os.pwrite(handle, view[at:], self._end + at)
        written = _Written(self._end, len(block))
        self._end += len(block)
        return written

    def _read(self, block: bytes | _Written) -> bytes:
        if isinstance(block, bytes):
            return block
        assert self._file is not None
        data = b""
        while len(data) < block.size:
            more = os.pread(self._file.fileno(), block.size - len(data), block.offset + len(data))
            assert more, "blocks are written whole"
            data += more
        return data


def _unnamed(folder: Path | None) -> BinaryIO:
    return tempfile.TemporaryFile(prefix=".smc-later-", dir=folder, buffering=0)


def _records(block: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(block):
        (length,) = LENGTH.unpack_from(block, at)
        at += LENGTH.size + length
        found.append(block[at - length : at])
    return found
