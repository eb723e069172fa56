"""Reading the content of files: in whole blocks, without their holes."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from smc.transfer.verify import BLOCK, ContentHash

Extents = tuple[tuple[int, int], ...]
NO_SEEK_DATA = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOTTY})


@dataclass(frozen=True, slots=True)
class Block:
    """`data` is the whole block, zeros where it has holes; `extents` (offset, length) is what is none."""

    offset: int
    data: bytes
    extents: Extents = ()  # () where there are no holes

    def stored(self) -> bytes:
        """Only what is not a hole."""
        if not self.extents:
            return self.data
        return b"".join(self.data[start : start + length] for start, length in self.extents)


def read_blocks(handle: int, size: int, start: int = 0) -> Iterator[Block]:
    """The blocks that hold data, from `start` (a multiple of BLOCK) to `size`; whole holes are left out."""
    offset = start
    while offset < size:
        first = _next_data(handle, offset)
        if first is None or first >= size:
            return
        offset = first // BLOCK * BLOCK
        data = _read(handle, offset, min(BLOCK, size - offset))
        if not data:
            return  # it became shorter: the caller compares sizes
        yield Block(offset, data, _extents(handle, offset, first, len(data)))
        offset += BLOCK


def hash_content(handle: int, size: int, check: Callable[[], None]) -> ContentHash:
    """Of the first `size` bytes of an open file. `check`, called for each block, may raise to end it."""
    content = ContentHash()
    for block in read_blocks(handle, size):
        check()
        content.feed(block.offset, block.data)
    content.pass_over(size)
    return content


def _read(handle: int, offset: int, length: int) -> bytes:
    """All of it, or up to the end of the file; one `pread` may give less."""
    data = os.pread(handle, length, offset)
    while data and len(data) < length and (more := os.pread(handle, length - len(data), offset + len(data))):
        data += more
    return data


def _extents(handle: int, offset: int, first: int, length: int) -> Extents:
    """Of the block at `offset`, whose first data is at `first`."""
    found: list[tuple[int, int]] = []
    at: int | None = first
    end = offset + length
    while at is not None and at < end:
        hole = min(_next_hole(handle, at), end)
        found.append((at - offset, hole - at))
        at = _next_data(handle, hole) if hole < end else None
    return () if found == [(0, length)] else tuple(found)


def _next_data(handle: int, offset: int) -> int | None:
    try:
        return os.lseek(handle, offset, os.SEEK_DATA)
    except OSError as e:
        if e.errno == errno.ENXIO:  # holes up to the end
            return None
        if e.errno in NO_SEEK_DATA:
            return offset
        raise


def _next_hole(handle: int, offset: int) -> int:
    """At the latest the end of the file."""
    try:
        return max(os.lseek(handle, offset, os.SEEK_HOLE), offset + 1)
    except OSError as e:
        if e.errno == errno.ENXIO or e.errno in NO_SEEK_DATA:
            return os.fstat(handle).st_size + BLOCK
        raise
