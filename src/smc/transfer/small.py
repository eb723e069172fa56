"""Small files on their way out: read folder by folder in bulk, many in one frame."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from smc.transfer import native
from smc.transfer.files.folders import join
from smc.transfer.files.walk import COARSE_NS, is_fresh
from smc.transfer.jobs import Desk
from smc.transfer.large import LargeJob
from smc.transfer.ledger import Item, Ledger
from smc.wire import messages as m

SMALL = 256 * 1024  # a file up to this size travels with others; at most a piece, so its hash is its SHA-256
TOGETHER = 512 * 1024  # bytes of small files in one frame
MOST = 512  # files in one frame
NOT_TAKEN = -1  # native.read_files: larger, with holes, or no file


@dataclass
class SmallJob:
    """Files of one listing, by folder. With `expected`, what the receiver has of a file is compared first."""

    ledger: Ledger
    items: Sequence[Item]
    expected: dict[int, bytes] | None = None

    def work(self, desk: Desk) -> None:
        together = _Together(self.ledger, desk)
        for folder, items in groupby(self.items, key=itemgetter(1)):
            self._read(desk, folder, list(items), together)
        together.flush()

    def _read(self, desk: Desk, folder: bytes, items: list[Item], together: "_Together") -> None:
        while items:
            try:
                handle = desk.folders[self.ledger.tree].open(folder)
                names = [entry.name for _, _, entry in items]
                now = time.time_ns()  # what changes after this is not seen by its time stamp if that is fresh
                found, data = native.read_files(handle, names, SMALL, TOGETHER)
            except OSError as e:
                for index, _, entry in items:
                    desk.miss(self.ledger, index, join(folder, entry.name), e)
                return
            at = 0
            hashes = native.hash_contents(data, [length for _, length, _, _ in found])
            old = now - COARSE_NS
            for (index, _, entry), (error, length, before, after), sha in zip(
                items, found, hashes, strict=False
            ):
                size, modified, changed, _, inode, _, _ = before
                if (
                    error
                    or size != entry.size
                    or length != size
                    or modified != entry.mtime_ns
                    or changed != entry.changed_ns
                    or inode != entry.inode
                    or (after is not before and after[:3] != before[:3])
                ):
                    self._otherwise(desk, index, folder, entry)
                elif self.expected is None and changed < old:  # as in every first copy
                    together.add(m.Sent(index, length, sha), data, at)
                else:
                    settled = changed < old or not is_fresh(changed, now)
                    sent = m.Sent(index, length, sha, settled)
                    self._take(desk, together, folder, entry, sent, data, at)
                at += length
            items = items[len(found) :]

    def _take(
        self,
        desk: Desk,
        together: "_Together",
        folder: bytes,
        entry: m.Entry,
        sent: m.Sent,
        data: bytes,
        at: int,
    ) -> None:
        if not sent.settled:
            desk.troubles().unsettled_at(self.ledger.tree, join(folder, entry.name))
        if self.expected is not None and self.expected.get(sent.index) == sent.hash:
            desk.same(self.ledger, sent)
        else:
            together.add(sent, data, at)

    def _otherwise(self, desk: Desk, index: int, folder: bytes, entry: m.Entry) -> None:
        """It changed since it was listed, has holes, or cannot be read: piece by piece, with all care."""
        expected = (self.expected or {}).get(index, b"")
        desk.jobs.put(LargeJob(self.ledger, index, folder, entry, expected=expected), first=True)


class _Together:
    """Files that wait for their frame. Contents that were read one after another stay one piece of it."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk
        self._files: list[m.Sent] = []
        self._contents: list[memoryview] = []
        self._data = b""
        self._start = self._end = 0  # of `_data`: what is not among the contents yet
        self._size = 0

    def add(self, sent: m.Sent, data: bytes, at: int) -> None:
        """A file whose content is in `data`, from `at` on."""
        self._size += sent.size
        if self._size > TOGETHER or len(self._files) == MOST:
            self.flush()
            self._size = sent.size
        self._files.append(sent)
        if data is not self._data or at != self._end:
            self._end_piece()
            self._data, self._start = data, at
        self._end = at + sent.size

    def flush(self) -> None:
        self._end_piece()
        files, contents = self._files, self._contents
        if not files:
            return
        self._files, self._contents, self._size = [], [], 0
        self._desk.send(m.Small(self._ledger.number, tuple(files)), contents)
        self._desk.settled(self._ledger, [(sent.index, (sent.size, sent.hash)) for sent in files])

    def _end_piece(self) -> None:
        if self._end > self._start:
            self._contents.append(memoryview(self._data)[self._start : self._end])
        self._start = self._end
