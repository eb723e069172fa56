"""What is proved: SHA-256 of each file's content, and of a tree's paths and contents in order.

The hash of a content is SHA-256 of its bytes, as `sha256sum` prints it, unless it has whole zero blocks
(BLOCK bytes at a multiple of BLOCK): those are left out, because a file of a terabyte may be one hole. Then
it is SHA-256 over b"smc-sparse", the size, the number of each block left out (u64 each, little endian)
as SHA-256 of them in turn, and the SHA-256 of the bytes that remain. It depends on the content alone, not
on where a filesystem has holes.
"""

import hashlib
from struct import Struct

from smc.wire.messages import PIECE, TreeProof

BLOCK = PIECE
ZEROS = bytes(BLOCK)
NUMBER = Struct("<Q")
LENGTH = Struct("<I")


class ContentHash:
    """Fed with blocks that begin at multiples of BLOCK, in order; blocks not fed are zeros."""

    def __init__(self) -> None:
        self._data = hashlib.sha256()
        self._left_out = hashlib.sha256()
        self._sparse = False
        self.position = 0

    def feed(self, offset: int, block: bytes | bytearray | memoryview) -> None:
        """`block` is BLOCK bytes, or fewer at the end of the file."""
        self.pass_over(offset)
        if len(block) == BLOCK and not block[0] and not block[-1] and block == ZEROS:
            self._leave_out(offset)
        else:
            self._data.update(block)
        self.position = offset + len(block)

    def pass_over(self, offset: int) -> None:
        """Zeros up to `offset`."""
        if self.position % BLOCK:
            self._fill(min(offset, -(-self.position // BLOCK) * BLOCK))
        while offset - self.position >= BLOCK:
            self._leave_out(self.position)
            self.position += BLOCK
        self._fill(offset)

    def copy(self) -> "ContentHash":
        other = ContentHash()
        other._data, other._left_out = self._data.copy(), self._left_out.copy()
        other._sparse, other.position = self._sparse, self.position
        return other

    def digest(self, size: int) -> bytes:
        """Of a content of `size` bytes; nothing can be fed after it."""
        self.pass_over(size)
        if not self._sparse:
            return self._data.digest()
        outer = hashlib.sha256(b"smc-sparse" + NUMBER.pack(size))
        outer.update(self._left_out.digest())
        outer.update(self._data.digest())
        return outer.digest()

    def _fill(self, offset: int) -> None:
        if offset > self.position:
            self._data.update(ZEROS[: offset - self.position])
            self.position = offset

    def _leave_out(self, offset: int) -> None:
        self._sparse = True
        self._left_out.update(NUMBER.pack(offset // BLOCK))


def hash_bytes(data: bytes | memoryview) -> bytes:
    """The hash of a content that is in memory."""
    content = ContentHash()
    for offset in range(0, len(data), BLOCK):
        content.feed(offset, data[offset : offset + BLOCK])
    return content.digest(len(data))


class TreeDigest:
    """SHA-256 over the length of a path (u32), the path and the hash of its content, for each file in the
    order of the walk: a folder's own files by name, then its folders by name. Of hard links the first counts.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._files = 0
        self._size = 0

    def add(self, path: bytes, size: int, content: bytes) -> None:
        self._hash.update(LENGTH.pack(len(path)) + path + content)
        self._files += 1
        self._size += size

    def proof(self) -> TreeProof:
        return TreeProof(self._files, self._size, self._hash.digest())
