"""What is proved: the hash of each file's content, of each folder's files, and of a tree's folders in order.

*Content*: up to LEAF bytes its SHA-256, as `sha256sum` prints it. Up to PIECE bytes: SHA-256 over
b"smc-leaves", the size (u64, little endian) and the SHA-256 of each LEAF bytes in order, the last may be
shorter. Larger: SHA-256 over b"smc-pieces", the size, and number (u64) and hash of each piece of PIECE bytes
that is not all zeros. So leaves are hashed side by side, pieces by several hands, and a hole costs nothing.
*Folder*: SHA-256 over length of name (u32), name and content hash of each file directly in it, by name.
*Tree*: SHA-256 over length of path (u32), path and folder hash of each folder that has files, in the order of
the walk. Of hard links the first name counts.
"""

import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from struct import Struct

from smc.base.errors import Broken, WireError
from smc.transfer import native
from smc.wire.messages import PIECE, FolderProof, TreeProof

NUMBER = Struct("<Q")
LENGTH = Struct("<I")
DIGEST = 32  # bytes of each hash here
TOGETHER = 256  # folders of a group

Files = tuple[int, int, bytes]  # how many, their bytes, and of each by name: length of name, name, hash
NO_FILES: Files = (0, 0, b"")


def hash_bytes(data: bytes | memoryview) -> bytes:
    """The hash of a content that is in memory, of any size."""
    if len(data) <= PIECE:
        return hash_piece(data)
    pieces = {at // PIECE: hash_piece(data[at : at + PIECE]) for at in range(0, len(data), PIECE)}
    return hash_of_pieces(len(data), pieces)


def hash_piece(data: bytes | bytearray | memoryview) -> bytes:
    return native.hash_piece(data)


def hash_of_pieces(size: int, pieces: Mapping[int, bytes]) -> bytes:
    """The hash of a content of `size` bytes; pieces that are not there are holes."""
    if size <= PIECE:
        return pieces.get(0) or hash_piece(bytes(size))
    zeros = hash_piece(bytes(PIECE))
    last, rest = divmod(size, PIECE)
    whole = hashlib.sha256(b"smc-pieces" + NUMBER.pack(size))
    for number in sorted(pieces):
        if pieces[number] != (zeros if number < last else hash_piece(bytes(rest))):
            whole.update(NUMBER.pack(number) + pieces[number])
    return whole.digest()


def compare_proofs(sent: Sequence[TreeProof], written: Sequence[TreeProof]) -> None:
    """Raises `Broken` when they are not the same, though every piece was checked on its way."""
    if tuple(sent) != tuple(written):
        raise Broken(
            "the proof of what was written is not that of what was sent",
            code="Transfer.ProofDiffers",
            hint="Start the job again with checksum on; if that fails too, test the memory of both machines.",
        )


class _Part:
    """Files of a part of a folder; None until all are known."""

    __slots__ = ("files", "folder")

    def __init__(self, folder: "_Folder") -> None:
        self.folder = folder
        self.files: Files | None = None


class _Folder:
    """A folder whose turn has not come, or whose parts are still coming."""

    __slots__ = ("_files", "_hash", "_size", "group", "parts", "path", "proof", "whole")

    def __init__(self, path: bytes, group: "_Group") -> None:
        self.path = path
        self.group = group
        self.parts: deque[_Part] | None = None
        self.proof: FolderProof | None = None
        self.whole = False
        self._hash: hashlib._Hash | None = None
        self._files = self._size = 0

    def begin_part(self) -> _Part:
        if self.parts is None:
            self.parts, self._hash = deque(), hashlib.sha256()
        part = _Part(self)
        self.parts.append(part)
        return part

    def settle(self) -> FolderProof | None:
        """Take in what is there, in order; the proof when nothing of the folder is missing."""
        assert self.parts is not None
        assert self._hash is not None
        while self.parts and self.parts[0].files is not None:
            files, size, lines = self.parts.popleft().files or NO_FILES
            self._files += files
            self._size += size
            self._hash.update(lines)
        if not self.whole or self.parts:
            return None
        self.proof = FolderProof(self._files, self._size, self._hash.digest())
        self.parts = self._hash = None
        return self.proof


Proved = tuple[bytes, bytes]  # path and hash of a folder that has files


class _Group:
    """Up to TOGETHER folders that follow each other; when all are proved they take little memory."""

    __slots__ = ("_hashes", "_paths", "expected", "files", "folders", "missing", "size")

    def __init__(self) -> None:
        self.folders: deque[_Folder] = deque()  # without those that were packed or taken
        self.expected = self.missing = 0
        self.files = self.size = 0
        self._paths = self._hashes = b""

    def expect(self, path: bytes) -> _Folder:
        folder = _Folder(path, self)
        self.folders.append(folder)
        self.expected += 1
        self.missing += 1
        return folder

    def pack(self) -> None:
        """Of paths in the order of the walk some 10 bytes remain."""
        proved = list(self.take())
        self._paths = zlib.compress(b"\0".join([path for path, _ in proved]), 1)
        self._hashes = b"".join([content for _, content in proved])

    def take(self) -> Iterator[Proved]:
        """What has files, up to the first folder that is not proved; it is counted in `files` and `size`."""
        if self._hashes:
            paths = zlib.decompress(self._paths).split(b"\0")
            for number, path in enumerate(paths):
                yield path, self._hashes[number * DIGEST : (number + 1) * DIGEST]
            self._paths = self._hashes = b""
        while self.folders and (proof := self.folders[0].proof) is not None:
            folder = self.folders.popleft()
            if proof.files:
                self.files += proof.files
                self.size += proof.size
                yield folder.path, proof.hash


class TreeDigest:
    """The proof of one tree in one pass; folders are announced in the order of the walk and known in any.

    For one thread at a time: the callers hold a lock. While a folder is not settled, those that are behind it
    wait with some 50 bytes each: 50 MB for a million.
    """

    def __init__(self, told: Callable[[bytes, FolderProof], None] | None = None) -> None:
        """`told` hears of each folder's proof as soon as all of it came; not of what was known before."""
        self._hash = hashlib.sha256()
        self._files = self._size = 0
        self._order: deque[_Group] = deque()
        self._waiting: dict[bytes, _Folder] = {}
        self._last: list[bytes] | None = None  # names of the path that came last
        self._told = told

    def expect(self, path: bytes) -> None:
        """The next folder of the walk; its parts or its proof come later. `WireError` if out of order."""
        place = path.split(b"/") if path else []
        if self._last is not None and place <= self._last:
            raise WireError(f"folder {path!r} came out of order")
        self._last = place
        if not self._order or self._order[-1].expected == TOGETHER:
            self._order.append(_Group())
        self._waiting[path] = self._order[-1].expect(path)

    def expects(self, path: bytes) -> bool:
        return path in self._waiting

    def know(self, path: bytes, proof: FolderProof) -> None:
        """All of a folder that was expected is proved already."""
        folder = self._waiting.pop(path)
        folder.proof = proof
        self._proved(folder.group)

    def begin_part(self, path: bytes, *, last: bool) -> _Part:
        """The next part of a folder that was expected; hand it back to `end_part`."""
        folder = self._waiting[path]
        part = folder.begin_part()
        if last:
            folder.whole = True
            del self._waiting[path]
        return part

    def end_part(self, part: _Part, files: Files) -> None:
        part.files = files
        folder = part.folder
        proof = folder.settle()
        if proof is None:
            return
        if self._told is not None:
            self._told(folder.path, proof)
        self._proved(folder.group)

    def proof(self) -> TreeProof:
        """When everything that was expected has come."""
        assert not self._order, "folders are still missing"
        return TreeProof(self._files, self._size, self._hash.digest())

    @property
    def complete(self) -> bool:
        return not self._order

    def _proved(self, group: _Group) -> None:
        """One more folder of it."""
        group.missing -= 1
        if group is not self._order[0]:
            if not group.missing and group.expected == TOGETHER:
                group.pack()
            return
        while self._order:
            first = self._order[0]
            for path, content in first.take():
                self._hash.update(LENGTH.pack(len(path)) + path + content)
            if first.folders:
                return
            self._files += first.files
            self._size += first.size
            self._order.popleft()


def ranges(numbers: Mapping[int, object], most: int) -> tuple[tuple[int, int], ...]:
    """At most `most` ranges (first, one past the last) of the keys."""
    return tuple(islice(_ranges(numbers), most))


def _ranges(numbers: Mapping[int, object]) -> Iterator[tuple[int, int]]:
    first = at = -1
    for number in sorted(numbers):
        if number != at:
            if at > first >= 0:
                yield first, at
            first = number
        at = number + 1
    if at > first >= 0:
        yield first, at
