"""A file of records that is only ever appended to; what was torn at its end is noticed.

docs/design/index.md has the bytes of a record. Raises OSError for what its disk refuses.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

import xxhash

RECORD = Struct("<cIQ")  # kind, length, xxh3-64 of kind, length and body
CHECKED = Struct("<cI")  # what is checked with the body
TOGETHER = 64 * 1024  # bytes of a body that is put together to be written in one call
LONGEST = 1 << 28  # bytes of a record's body: some millions of files in one folder

Record = tuple[bytes, bytes]  # kind and body


class Records:
    """Behind a head of the caller's; for one thread at a time."""

    def __init__(self, path: Path | None, flags: int = 0) -> None:
        """`path` None keeps them in memory only (an unnamed file)."""
        self.end = 0
        if path is None:
            self._handle = os.memfd_create("smc-index", os.MFD_CLOEXEC)
        else:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)

    def close(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def begins_with(self, head: bytes) -> bool:
        """If so, records are read and appended behind it."""
        if os.pread(self._handle, len(head), 0) != head:
            return False
        self.end = len(head)
        return True

    def begin_anew(self, head: bytes) -> None:
        self.cut(0)
        self._write(head)

    def cut(self, end: int) -> None:
        os.ftruncate(self._handle, end)
        self.end = end

    def append(self, kind: bytes, *body: bytes) -> int:
        """Of a body in parts; returns its offset."""
        offset = self.end
        if sum(map(len, body)) < TOGETHER:  # as nearly always
            whole = b"".join(body)
            self._write(_checked(kind, whole) + whole)
            return offset
        self._write(_checked(kind, *body))
        for part in body:
            self._write(part)
        return offset

    def sync(self) -> None:
        os.fsync(self._handle)

    def read(self, offset: int) -> Record | None:
        """None where there is no whole record."""
        head = os.pread(self._handle, RECORD.size, offset)
        if len(head) < RECORD.size:
            return None
        kind, length, _ = RECORD.unpack(head)
        if length > LONGEST:
            return None
        body = os.pread(self._handle, length, offset + RECORD.size)
        return (kind, body) if _checked(kind, body) == head else None

    def all(self) -> Iterator[tuple[bytes, bytes, int, int]]:
        """Kind, body, offset and end of each whole record behind the head; a torn one ends the file."""
        offset = self.end
        while (found := self.read(offset)) is not None:
            end = offset + RECORD.size + len(found[1])
            yield *found, offset, end
            offset = end

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._handle, view, self.end)
            view = view[count:]
            self.end += count


def _checked(kind: bytes, *body: bytes) -> bytes:
    """The head of a record."""
    length = sum(map(len, body))
    check = xxhash.xxh3_64(CHECKED.pack(kind, length))
    for part in body:
        check.update(part)
    return RECORD.pack(kind, length, check.intdigest())
