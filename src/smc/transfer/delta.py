"""Large changed files by difference: what the receiver has of an older content is not sent again.

The receiver signs its older content block by block; the sender looks for these blocks in its new content,
at any
offset (src/native/delta.c). An append, a write in place, an insertion at the front: each costs about what
is new.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from smc.base.errors import WireError
from smc.transfer import native

SMALLEST = 512 * 1024  # bytes of a file; below, the round trip costs more than it saves
# 1% of 1 GiB in writes of 8 KiB: signature + literals are 3.1 + 16 MB with blocks of 4 KiB, 0.8 + 31 with
# 16 KiB.
LEAST_BLOCK = 4096
MOST_BLOCKS = 512 * 1024  # of a signature: 6 MB on the wire, about 12 MB in memory at the sender
RECORD = 12  # bytes of a signature for a block
AT_ONCE = 64 << 20  # bytes signed between two looks at whether to stop

Copies = tuple[tuple[int, int, int], ...]  # offset in the piece, length, offset in the older content
Extents = tuple[tuple[int, int], ...]  # offset in the piece, length


@dataclass(frozen=True, slots=True)
class Signature:
    """Of a content of `size` bytes in blocks of `block` bytes; `blocks` has RECORD bytes for each."""

    size: int
    block: int
    blocks: bytes


def block_size(size: int) -> int:
    """A power of two."""
    block = LEAST_BLOCK
    while -(-size // block) > MOST_BLOCKS:
        block *= 2
    return block


def sign(handle: int, size: int, check: Callable[[], None]) -> Signature:
    """Of the first `size` bytes of an open file. `check` may raise to end it; OSError when it cannot be
    read."""
    block = block_size(size)
    blocks = bytearray()
    for offset in range(0, size, AT_ONCE):
        check()
        blocks += native.signature(handle, offset, min(AT_ONCE, size - offset), block)
    return Signature(size, block, bytes(blocks))


class Differ:
    """Splits the pieces of a new content, in order, into copies and literals. `WireError` for no
    signature."""

    def __init__(self, older: Signature) -> None:
        self.block = older.block
        try:
            self._matcher = native.Matcher(older.blocks, older.size, older.block)
        except ValueError as e:
            raise WireError(f"a signature came that is none: {e}") from e
        self._next = 0
        self._promised = b""  # what a copy found already must still find in the next piece

    def split(self, offset: int, piece: bytes, after: bytes) -> tuple[Copies, Extents]:
        """`after` is what follows the piece in the content, up to `block` bytes, so that no border hides a
        match."""
        if offset != self._next or not piece.startswith(self._promised):
            self._matcher.seek(offset)
        copies = tuple(self._matcher.match(piece + after, len(piece)))
        self._next = offset + len(piece)
        self._promised = after[: self._matcher.carried()]
        return copies, _gaps(copies, len(piece))

    def begin_again(self) -> None:
        """The content changed: its pieces come from the beginning."""
        self._next, self._promised = 0, b""
        self._matcher.seek(0)


def assemble(older: int, size: int, copies: Copies, extents: Extents, literal: memoryview) -> bytearray:
    """A piece from what is copied from the open file `older` and what came; the rest is zeros.

    Parts must lie within `size`. `WireError` when the older content has no such bytes.
    """
    piece = bytearray(size)
    view = memoryview(piece)
    at = 0
    for start, length in extents:
        view[start : start + length] = literal[at : at + length]
        at += length
    for start, length, source in copies:
        if older < 0 or source < 0 or os.preadv(older, [view[start : start + length]], source) != length:
            raise WireError("a piece copies what is not there")
    return piece


def _gaps(copies: Copies, size: int) -> Extents:
    found = []
    at = 0
    for start, length, _ in copies:
        if start > at:
            found.append((at, start - at))
        at = start + length
    if at < size:
        found.append((at, size - at))
    return tuple(found)
