"""A file that is being received: written under a temporary name in its folder, renamed when it is whole.

So a name holds the old content or the new, never a part, whatever is killed when. Pieces come in any order
and from several streams.
"""

import errno
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from smc.base.errors import Transient, WireError
from smc.transfer.delta import assemble
from smc.transfer.files.entry import write_flags
from smc.transfer.files.place import PRIVATE, apply, unlock
from smc.transfer.verify import hash_of_pieces, hash_piece
from smc.wire.messages import PIECE, Entry, Piece, Sent

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Incoming:
    """`hashes` are of the pieces that are written; `received` counts the bytes of content that came for them.

    `temporary` is its name until it is whole. `older`: an open file that copies are taken from, -1 for none.
    """

    handle: int
    older: int = -1
    temporary: bytes = b""
    hashes: dict[int, bytes] = field(default_factory=dict)
    received: int = 0
    attempt: int = 0
    pieces: int = 0  # messages that came, over all attempts
    end: Sent | None = None  # said, but not all pieces are here
    awaited: int = -1  # pieces that will have come; -1 until that is said
    _short: dict[int, int] = field(default_factory=dict)  # lengths of pieces of less than PIECE bytes
    _writing: int = 0  # threads
    _holes: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    def create(cls, folder: int, temporary: bytes, older: int = -1) -> "Incoming":
        return cls(_create(folder, temporary), older, temporary)

    def go_on(self) -> None:
        """With another connection: what is written stays, what was said of the end does not."""
        self.attempt = self.pieces = 0
        self.end, self.awaited = None, -1

    def take(self, piece: Piece, content: memoryview) -> bool:
        """Check and write one piece. True when it was the last that was missing.

        `WireError` for a content that is not what its hash says, OSError for what the target refuses.
        """
        with self._changed:
            self._begin_again(piece.attempt)
            current = piece.attempt == self.attempt
            self._writing += current
        if current:
            try:
                self._write(piece, content)
            finally:
                with self._changed:
                    self._writing -= 1
                    self._changed.notify_all()
        with self._changed:
            if piece.attempt == self.attempt:
                self._note(piece, len(content))
            self.pieces += 1
            return self._is_complete()

    def announce(self, pieces: int, attempt: int, sent: Sent | None) -> bool:
        """How many pieces there are; `sent` None: they are void. True when all are here."""
        if pieces < 0:
            raise WireError(f"{pieces} pieces were announced")
        with self._changed:
            self._begin_again(attempt)
            self.awaited, self.end = pieces, sent
            return self._is_complete()

    def finish(self, folder: int, entry: Entry, sent: Sent) -> None:
        """Give it its size, its metadata and its name. `WireError` for another content than announced."""
        if not self._fits(sent.size) or self._digest(sent.size) != sent.hash:
            raise WireError(f"the content of {entry.name!r} is not what was announced")
        if len(self.hashes) < -(-sent.size // PIECE):
            self._holes = True
        if self._holes or os.fstat(self.handle).st_size != sent.size:
            os.ftruncate(self.handle, sent.size)
            if entry.stored >= entry.size:  # all of it was allocated: a swap file must not have holes
                _allocate(self.handle, entry.size)
        _put_in_place(folder, self.handle, self.temporary, entry)
        self.close()

    def drop(self, folder: int) -> None:
        """The content does not come: nothing stays of it."""
        self.close()
        os.unlink(self.temporary, dir_fd=folder)

    def close(self) -> None:
        for handle in (self.handle, self.older):
            if handle >= 0:
                os.close(handle)
        self.handle = self.older = -1

    def _digest(self, size: int) -> bytes:
        return hash_of_pieces(size, self.hashes)

    def _fits(self, size: int) -> bool:
        """Each piece is as long as its place in a content of `size` bytes."""
        return all(
            self._short.get(number, PIECE) == min(PIECE, size - number * PIECE) for number in self.hashes
        )

    def _is_complete(self) -> bool:
        if 0 <= self.awaited < self.pieces:
            raise WireError(f"{self.pieces} pieces of a file came, {self.awaited} were announced")
        return self.pieces == self.awaited

    def _note(self, piece: Piece, length: int) -> None:
        """It is written."""
        self.hashes[piece.number] = piece.hash
        self.received += length
        if piece.size < PIECE:
            self._short[piece.number] = piece.size
        else:
            self._short.pop(piece.number, None)

    def _begin_again(self, attempt: int) -> None:
        """If it is a newer one: a thread that still writes a piece of the older must not hit the newer."""
        while attempt > self.attempt and self._writing:
            self._changed.wait()
        if attempt > self.attempt:
            os.ftruncate(self.handle, 0)
            self.hashes, self._short, self.received, self._holes = {}, {}, 0, False
            self.attempt = attempt

    def _write(self, piece: Piece, content: memoryview) -> None:
        if piece.kept:
            if self.hashes.get(piece.number) != piece.hash:  # it changed without a new time stamp
                self.hashes.clear()
                raise Transient(
                    "a file that was half received changed; it is sent again", code="Transfer.Changed"
                )
            return
        offset = piece.number * PIECE
        if piece.copies:
            block = assemble(self.older, piece.size, piece.copies, piece.extents, content)
            _check(piece, block)
            spans = _joined([*piece.extents, *((start, length) for start, length, _ in piece.copies)])
            if spans != [(0, piece.size)]:
                self._holes = True
            for start, length in spans:
                _write_all(self.handle, memoryview(block)[start : start + length], offset + start)
        elif piece.extents:
            spread = bytearray(piece.size)
            for (start, length), data in _parts(piece, content):
                spread[start : start + length] = data
            _check(piece, spread)
            self._holes = True
            for (start, _), data in _parts(piece, content):
                _write_all(self.handle, data, offset + start)
        else:
            _check(piece, content)
            _write_all(self.handle, content, offset)


def _parts(piece: Piece, content: memoryview) -> list[tuple[tuple[int, int], memoryview]]:
    found, at = [], 0
    for extent in piece.extents:
        found.append((extent, content[at : at + extent[1]]))
        at += extent[1]
    return found


def _joined(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places in order, those that touch as one."""
    found: list[tuple[int, int]] = []
    for start, length in sorted(parts):
        if found and sum(found[-1]) == start:
            found[-1] = found[-1][0], found[-1][1] + length
        else:
            found.append((start, length))
    return found


def _check(piece: Piece, block: bytes | bytearray | memoryview) -> None:
    if hash_piece(block) != piece.hash:
        raise WireError("a piece is not what its hash says")


def write_whole(folder: int, temporary: bytes, entry: Entry, data: memoryview) -> None:
    """A small file in one go."""
    handle = _create(folder, temporary)
    try:
        _write_all(handle, data, 0)
        _put_in_place(folder, handle, temporary, entry)
    finally:
        os.close(handle)


def _create(folder: int, temporary: bytes) -> int:
    try:
        return os.open(temporary, CREATE, PRIVATE, dir_fd=folder)
    except FileExistsError:  # left by a connection that was cut
        os.unlink(temporary, dir_fd=folder)
        return os.open(temporary, CREATE, PRIVATE, dir_fd=folder)


def _put_in_place(folder: int, handle: int, temporary: bytes, entry: Entry) -> None:
    apply(handle, entry)
    try:
        os.rename(temporary, entry.name, src_dir_fd=folder, dst_dir_fd=folder)
    except PermissionError:  # what has the name is immutable
        unlock(folder, entry.name)
        os.rename(temporary, entry.name, src_dir_fd=folder, dst_dir_fd=folder)
    if entry.flags:
        write_flags(handle, entry.flags)


def _allocate(handle: int, size: int) -> None:
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as e:
        if e.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # the filesystem knows no such thing
            raise


def _write_all(handle: int, data: memoryview, offset: int) -> None:
    while data:
        count = os.pwrite(handle, data, offset)
        data, offset = data[count:], offset + count
