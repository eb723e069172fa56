"""A large file on its way out: pieces, read and sent by as many streams as are free.

Each reading of the file is an attempt. The thread that ends the last piece of an attempt looks whether the
file held still, and ends the file or begins another attempt.
"""

import errno
import os
import stat
import threading

import msgspec

from smc.transfer.delta import Differ, Signature, without_holes
from smc.transfer.files.entry import entry_of, open_quietly
from smc.transfer.files.folders import join
from smc.transfer.files.pieces import Pieces
from smc.transfer.files.walk import is_fresh
from smc.transfer.jobs import Desk
from smc.transfer.ledger import Ledger
from smc.transfer.verify import hash_of_pieces, hash_piece
from smc.wire import messages as m
from smc.wire.messages import PIECE

RUN = 8  # pieces that one stream takes at a time,
DIFFERING = 64  # and of a file that goes by difference: at their border some bytes more may be sent
TRIES = 3  # readings of a file that changes meanwhile; after that, the next pass has the next try
TRY_AGAIN_UP_TO = 64 << 20  # a larger file waits for the next pass at once


class LargeJob:
    """`have` are ranges of pieces that the receiver holds; `expected` the hash of its whole content, to be
    compared first; `older` the signature of an older content, which copies are taken from.
    """

    def __init__(
        self,
        ledger: Ledger,
        index: int,
        folder: bytes,
        entry: m.Entry,
        *,
        have: tuple[tuple[int, int], ...] = (),
        expected: bytes = b"",
        older: Signature | None = None,
    ) -> None:
        self._ledger = ledger
        self._index = index
        self._folder = folder
        self._entry = entry
        self._path = join(folder, entry.name)
        self._have = have
        self._expected = expected
        self._older = older
        # Made when its turn comes: it takes megabytes. Each run has a fork, the last that ended is kept here.
        self._differ: Differ | None = None
        self._lock = threading.Lock()
        self._handle = -1
        self._fresh = True  # a change since the reading began could bear the same time stamp
        self._pieces = Pieces(-1, 0)
        self._attempt = 0
        self._before = os.stat_result([0] * 10)
        self._hashes: dict[int, bytes] = {}
        self._next: int | None = 0  # piece that nobody has taken; None when all are
        self._runs = 0  # streams at work on it
        self._sent = 0  # pieces, over all attempts
        self._done = False
        self._error: OSError | None = None

    def work(self, desk: Desk) -> None:
        with self._lock:
            if self._done or self._error is not None:
                return
            self._runs += 1
        try:
            if self._handle >= 0 or self._begin(desk):
                self._send_run(desk)
        except OSError as e:
            self._error = e
        if self._is_last_run():
            self._finish(desk)
        self._let_go(desk)

    def close(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _let_go(self, desk: Desk) -> None:
        if self._done:
            desk.jobs.closed(self)
            self.close()

    def _begin(self, desk: Desk) -> bool:
        """The first stream opens it. False when it is done already."""
        handle = open_quietly(desk.folders[self._ledger.tree].open(self._folder), self._entry.name)
        self._before = os.fstat(handle)
        self._fresh = is_fresh(self._before.st_ctime_ns)
        self._pieces = Pieces(handle, self._before.st_size)
        self._handle = handle
        if self._older is not None:
            self._differ, self._older = Differ(self._older), None
        desk.jobs.opened(self)
        if not stat.S_ISREG(self._before.st_mode):
            raise OSError(errno.ESTALE, "no regular file any more")
        self._done = bool(self._expected) and self._is_same(desk)
        return not self._done

    def _is_same(self, desk: Desk) -> bool:
        """Compare with what the receiver has, and say so when it is the same."""
        size = self._before.st_size
        if size != self._entry.size:
            return False
        hashes = {}
        for number in self._pieces.numbers():
            desk.check()
            data, _ = self._pieces.read(number)
            hashes[number] = hash_piece(data)
        after = os.fstat(self._handle)
        content = hash_of_pieces(size, hashes)
        if content != self._expected or after.st_size != size:
            return False
        desk.same(self._ledger, self._describe(desk, after, size, content))
        return True

    def _claim(self, desk: Desk) -> list[int]:
        """The next pieces to send; while there are more, other streams may take them."""
        most = RUN if self._differ is None else DIFFERING
        numbers: list[int] = []
        with self._lock:
            if self._next is None:
                return []
            for number in self._pieces.numbers(self._next):
                if len(numbers) == most:
                    self._next = number
                    break
                numbers.append(number)
            else:
                self._next = None
            more = self._next is not None
        if more:
            desk.jobs.put(self, first=True)
        return numbers

    def _send_run(self, desk: Desk) -> None:
        numbers = self._claim(desk)
        differ = self._differ.fork() if self._differ is not None else None
        for number in numbers:
            self._send_piece(desk, number, differ)
        if differ is not None:
            self._differ = differ  # it knows by how much the content is shifted

    def _send_piece(self, desk: Desk, number: int, differ: Differ | None) -> None:
        offset, length = number * PIECE, self._pieces.length(number)
        ahead = differ.ahead(offset, length) if differ is not None else 0
        data, extents = self._pieces.read(number, ahead)
        view = memoryview(data)[:length]
        content = hash_piece(view)
        self._hashes[number] = content
        piece = m.Piece(self._ledger.number, self._index, self._attempt, number, length, content, extents)
        if not self._attempt and any(first <= number < end for first, end in self._have):
            desk.send(msgspec.structs.replace(piece, extents=(), kept=True))
        elif differ is not None:
            copies, literals = differ.split(offset, data, length)
            if extents:
                copies, literals = without_holes(copies, extents)
            parts = [view[start : start + length] for start, length in literals]
            desk.send(msgspec.structs.replace(piece, extents=literals, copies=copies), parts)
        elif extents:
            desk.send(piece, [view[start : start + length] for start, length in extents])
        else:
            desk.send(piece, data)
        with self._lock:
            self._sent += 1

    def _is_last_run(self) -> bool:
        """Of the attempt, or of all after a failure."""
        with self._lock:
            self._runs -= 1
            return not self._runs and not self._done and (self._next is None or self._error is not None)

    def _finish(self, desk: Desk) -> None:
        self._done = True
        try:
            if self._error is None:
                if self._begin_again(desk):
                    return
                after, size = os.fstat(self._handle), self._before.st_size
                sent = self._describe(desk, after, size, hash_of_pieces(size, self._hashes))
        except OSError as e:
            self._error = e
        if self._error is not None:
            desk.miss(self._ledger, self._index, self._path, self._error, pieces=self._sent)
            return
        desk.send(m.Whole(self._ledger.number, self._attempt, self._sent, sent))
        desk.settled(self._ledger, (sent,))

    def _begin_again(self, desk: Desk) -> bool:
        """When it did not hold still, and another try is worth it."""
        after = os.fstat(self._handle)
        if self._held_still(after) or self._attempt + 1 == TRIES or after.st_size > TRY_AGAIN_UP_TO:
            return False
        self._before = after
        self._fresh = is_fresh(after.st_ctime_ns)
        self._pieces = Pieces(self._handle, after.st_size)
        self._attempt += 1
        self._hashes, self._next, self._done = {}, 0, False
        if self._differ is not None:
            self._differ.begin_again()
        desk.jobs.put(self, first=True)
        return True

    def _held_still(self, after: os.stat_result) -> bool:
        return _state(self._before) == _state(after) and not self._pieces.was_short

    def _describe(self, desk: Desk, after: os.stat_result, size: int, content: bytes) -> m.Sent:
        """What is told of a content: `settled` when it held still, its entry if not as it was listed."""
        settled = self._held_still(after) and not self._fresh
        troubles = desk.troubles()
        try:
            entry = self._newer(after, size)
        except OSError as e:  # its content is whole all the same, but the next pass looks at it again
            if self._is_as_listed(after, size):
                troubles.cannot_read(self._ledger.tree, self._path, e)
                return m.Sent(self._index, size, content, settled=False)
            raise
        troubles.was_read(self._ledger.tree, self._path, after.st_ctime_ns)
        if not settled:
            troubles.unsettled_at(self._ledger.tree, self._path)
        return m.Sent(self._index, size, content, settled, entry)

    def _newer(self, after: os.stat_result, size: int) -> m.Entry | None:
        """None when it is as it was listed, which may have been without flags and attributes."""
        now = msgspec.structs.replace(entry_of(self._handle, self._entry.name, after), size=size)
        listed = self._entry.flags, self._entry.xattrs
        return None if self._is_as_listed(after, size) and (now.flags, now.xattrs) == listed else now

    def _is_as_listed(self, after: os.stat_result, size: int) -> bool:
        listed = self._entry.size, self._entry.mtime_ns, self._entry.changed_ns, self._entry.inode
        return listed == (size, *_state(after)[1:], after.st_ino)


def _state(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns
