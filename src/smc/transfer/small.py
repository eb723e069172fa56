"""Small files on their way out: read folder by folder in bulk, many in one frame."""

import time
from dataclasses import dataclass, field
from itertools import starmap

import msgspec

from smc.transfer import native
from smc.transfer.files.folders import join
from smc.transfer.files.walk import COARSE_NS, is_fresh
from smc.transfer.jobs import Desk
from smc.transfer.large import LargeJob
from smc.transfer.ledger import Item, Ledger
from smc.wire import messages as m

SMALL = 256 * 1024  # a file up to this size travels with others; at most a piece, so its hash is its SHA-256
TOGETHER = 512 * 1024  # bytes of small files that make a job
MOST = 512  # files in one frame


def new_parcel() -> native.Parcel:
    """For a stream's thread. A job with its last file has room in it."""
    return native.Parcel(TOGETHER + SMALL, MOST)


@dataclass
class SmallJob:
    """Files of one listing, by folder. With `expected`, what the receiver has of a file is compared first."""

    ledger: Ledger
    items: list[Item]
    expected: dict[int, bytes] | None = None
    _moving: set[int] = field(default_factory=set)
    _newer: dict[int, m.Entry] = field(default_factory=dict)  # with flags and attributes that were not listed

    def work(self, desk: Desk) -> None:
        desk.parcel.clear()  # whoever was here before may have failed
        at = 0
        while at < len(self.items):
            end = self._read(desk, at)
            if end == at:  # there is no room
                self._send(desk)
            at = end
        self._send(desk)

    def _read(self, desk: Desk, at: int) -> int:
        """What has place of the next folder; returns where to go on."""
        items, folder = self.items, self.items[at][1]
        try:
            handle = desk.folders[self.ledger.tree].open(folder)
        except OSError as e:
            while at < len(items) and items[at][1] == folder:
                index, _, entry = items[at]
                desk.miss(self.ledger, index, join(folder, entry.name), e)
                at += 1
            return at
        now = time.time_ns()  # what changes after this is not seen by its time stamp if that is fresh
        end, otherwise, recent, attributed = desk.parcel.read(handle, items, at, now - COARSE_NS)
        for place in otherwise:
            self._go_otherwise(desk, *items[place])
        for place in recent:
            index, _, entry = items[place]
            if is_fresh(entry.changed_ns, now):
                self._moving.add(index)
                desk.troubles().unsettled_at(self.ledger.tree, join(folder, entry.name))
        for place, flags, xattrs in attributed:
            index, _, entry = items[place]
            self._newer[index] = msgspec.structs.replace(entry, flags=flags, xattrs=xattrs)
        return end

    def _go_otherwise(self, desk: Desk, index: int, folder: bytes, entry: m.Entry) -> None:
        """It changed since it was listed, has holes, or cannot be read: piece by piece, with all care."""
        expected = (self.expected or {}).get(index, b"")
        desk.jobs.put(LargeJob(self.ledger, index, folder, entry, expected=expected), first=True)

    def _send(self, desk: Desk) -> None:
        files = tuple(starmap(m.Sent, desk.parcel.results()))
        if not files:
            return
        if self._moving or self._newer:
            files = tuple([self._seen(file) for file in files])
        with memoryview(desk.parcel) as content:
            if self.expected is None:
                self._send_files(desk, files, [content])
            else:
                self._send_differing(desk, files, content, self.expected)
        desk.parcel.clear()

    def _send_differing(
        self, desk: Desk, files: tuple[m.Sent, ...], content: memoryview, expected: dict[int, bytes]
    ) -> None:
        differing: list[m.Sent] = []
        contents: list[memoryview] = []
        at = 0
        for file in files:
            if expected.get(file.index) == file.hash:
                desk.same(self.ledger, file)
            else:
                differing.append(file)
                contents.append(content[at : at + file.size])
            at += file.size
        if differing:
            self._send_files(desk, tuple(differing), contents)

    def _send_files(self, desk: Desk, files: tuple[m.Sent, ...], contents: list[memoryview]) -> None:
        desk.send(m.Small(self.ledger.number, files), contents)
        desk.settled(self.ledger, files)

    def _seen(self, file: m.Sent) -> m.Sent:
        """With what was seen of it besides its content."""
        settled = file.index not in self._moving
        return m.Sent(file.index, file.size, file.hash, settled, self._newer.get(file.index))
