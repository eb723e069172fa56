"""Large changed files by difference: what the receiver has of an older content is not sent again.

The receiver signs its older content block by block; the sender looks for these blocks in its new content, at
any offset (src/native/matching.c). An append, a write in place, an insertion at the front: each costs about
what is new. docs/design/delta.md has the format, the reasons and the measurements.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass

from smc.base.errors import WireError
from smc.transfer import native
from smc.wire.messages import PIECE

SMALLEST = 512 * 1024  # bytes of a file; below, the round trip costs more than it saves
# 1% of 1 GiB changed by writes of 8 to 16 KiB, aligned to 4: signature and literals are 13.8 MB with blocks
# of 4 KiB; 17.0 with 2 KiB, 15.9 with 8, 21.9 with 16.
LEAST_BLOCK = 4096
LARGEST_BLOCK = 16 << 20
MOST_BLOCKS = 512 * 1024  # of a signature: 6 MB on the wire, about 12 MB in memory at the sender
SEED_BYTES = 8
AT_ONCE = 64 << 20  # bytes signed between two looks at whether to stop, or so many blocks:
BLOCKS_AT_ONCE = 256
HANDS = 2  # threads that sign parts of one content: the sender waits for all of it

Copies = tuple[tuple[int, int, int], ...]  # offset in the piece, length, offset in the older content
Extents = tuple[tuple[int, int], ...]  # offset in the piece, length


@dataclass(frozen=True, slots=True)
class Signature:
    """Of a content of `size` bytes in blocks of `block` bytes.

    `blocks`: a seed of 8 bytes, little endian, then the records that `native.signature` makes with it. Who
    does not know the seed cannot prepare two contents whose blocks look the same.
    """

    size: int
    block: int
    blocks: bytes


def block_size(size: int) -> int:
    """A power of two."""
    block = LEAST_BLOCK
    while block < LARGEST_BLOCK and -(-size // block) > MOST_BLOCKS:
        block *= 2
    return block


def sign(handle: int, size: int, check: Callable[[], None]) -> Signature:
    """Of the first `size` bytes of an open file, of 8 TiB at most; its holes are not read.

    `check` may raise to end it; OSError when it cannot be read.
    """
    block = block_size(size)
    size = min(size, block * MOST_BLOCKS)
    blocks = bytearray(os.urandom(SEED_BYTES))
    seed = int.from_bytes(blocks, "little")
    part = max(AT_ONCE, BLOCKS_AT_ONCE * block)

    def sign_part(offset: int) -> bytes:
        check()
        return native.signature(handle, offset, min(part, size - offset), block, seed)

    with ThreadPoolExecutor(HANDS) as hands:
        for records in hands.map(sign_part, range(0, size, part)):
            blocks += records
    return Signature(size, block, bytes(blocks))


class Differ:
    """Splits the pieces of a new content, in order, into copies and literals.

    `WireError` for what is no signature. Pieces come from one thread at a time; `fork` is for others.
    """

    def __init__(self, older: Signature) -> None:
        self.block = older.block
        seed = int.from_bytes(older.blocks[:SEED_BYTES], "little")
        records = memoryview(older.blocks)[SEED_BYTES:]
        try:
            self._matcher = native.Matcher(records, older.size, older.block, seed)
        except (ValueError, OverflowError) as e:
            raise WireError(f"a signature came that is none: {e}") from e
        self._next = self._shift = 0  # the older offset less the newer one, of the last copy
        self._promised = b""  # what a copy found already must still find in the next pieces

    def ahead(self, offset: int, length: int) -> int:
        """How many bytes behind this piece `split` should be given.

        A block, so that no border hides a match. Blocks longer than a piece (of files over 512 GiB) are
        looked for only where one begins if the content goes on as before: each byte is read twice at most.
        """
        if self.block <= PIECE or -(offset + self._shift) % self.block < length:
            return self.block
        return 0

    def split(self, offset: int, data: bytes, length: int) -> tuple[Copies, Extents]:
        """Of the first `length` bytes of `data`, which are a piece; behind it is what follows it, as much as
        `ahead` says or as there is. Pieces that are holes may be left out.
        """
        promised = self._promised[:length]
        if offset != self._next or data[: len(promised)] != promised:
            self._matcher.seek(offset)
            self._promised = b""
        copies = tuple(self._matcher.match(data, length))
        self._next = offset + length
        more = self._promised[length:]  # a block can be longer than a piece
        self._promised = more or data[length : length + self._matcher.carried()]
        if copies:
            start, _, source = copies[-1]
            self._shift = source - offset - start
        return copies, _gaps(copies, length)

    def fork(self) -> "Differ":
        """Another one, for pieces further on: what is between them does not matter much to it."""
        other = copy(self)
        other._matcher = self._matcher.fork()
        return other

    def begin_again(self) -> None:
        """The content changed: its pieces come from the beginning."""
        self._next, self._shift, self._promised = 0, 0, b""
        self._matcher.seek(0)


def without_holes(copies: Copies, data: Extents) -> tuple[Copies, Extents]:
    """What `split` says, for the parts of a piece that hold `data` (in order): holes are not filled."""
    kept = [
        (begin, end - begin, source + begin - start)
        for first, size in data
        for start, length, source in copies
        if (begin := max(first, start)) < (end := min(first + size, start + length))
    ]
    literals = [
        (first + at, length)
        for first, size in data
        for at, length in _gaps([(b - first, n, s) for b, n, s in kept if first <= b < first + size], size)
    ]
    return tuple(kept), tuple(literals)


def assemble(older: int, size: int, copies: Copies, extents: Extents, literal: memoryview) -> bytearray:
    """A piece from what is copied from the open file `older` and what came; the rest is zeros.

    `WireError` when a part does not lie within `size`, the older content has no such bytes (any more), or
    `literal` is not what the extents take. OSError when the older content cannot be read.
    """
    if any(start < 0 or length <= 0 or start + length > size for start, length, *_ in (*extents, *copies)):
        raise WireError("a piece has parts outside of it")
    if sum(length for _, length in extents) != len(literal):
        raise WireError("a piece came with another length of content")
    piece = bytearray(size)
    view = memoryview(piece)
    at = 0
    for start, length in extents:
        view[start : start + length] = literal[at : at + length]
        at += length
    end = os.fstat(older).st_size if older >= 0 and copies else 0
    for start, length, source in copies:
        inside = 0 <= source <= end - length
        if not inside or os.preadv(older, [view[start : start + length]], source) != length:
            raise WireError("a piece copies what is not there")
    return piece


def _gaps(copies: Sequence[tuple[int, int, int]], size: int) -> Extents:
    found = []
    at = 0
    for start, length, _ in copies:
        if start > at:
            found.append((at, start - at))
        at = start + length
    if at < size:
        found.append((at, size - at))
    return tuple(found)
