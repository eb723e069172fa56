"""Contents that were asked for: from the answer to a listing until each file is whole under its name.

The control connection's thread expects them, the streams' threads bring them; what several streams bring of
one file meets in an `Incoming`.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from smc.base.errors import WireError
from smc.transfer.arrival import Arrived, Places, check_piece, newer, write_small
from smc.transfer.files.folders import join
from smc.transfer.files.incoming import Incoming
from smc.transfer.files.place import change
from smc.transfer.ledger import Ledger
from smc.transfer.memory import Memory
from smc.transfer.pipeline import TICK_SECONDS
from smc.transfer.tally import Tally
from smc.transfer.target import TargetTree
from smc.wire import messages as m

MOST_LISTINGS = 1024  # whose contents are on their way; a sender has fewer under way


@dataclass
class _Expected:
    """A listing whose contents are not all here."""

    ledger: Ledger
    target: TargetTree
    offers: dict[int, m.FileAnswer]  # by index of the entry: what was answered
    entries: dict[int, tuple[bytes, m.Entry]]  # folder and entry
    credit: dict[int, int] = field(default_factory=dict)  # bytes that count as done when it is
    arrived: dict[int, m.Entry] = field(default_factory=dict)  # as they were when they were read
    unsettled: set[int] = field(default_factory=set)


class Contents:
    """Of one connection. `WireError` for content that was not asked for or is not what it should be."""

    def __init__(self, memory: Memory, tally: Tally, check: Callable[[], None]) -> None:
        self._check = check
        self._memory = memory
        self._tally = tally
        self._expected: dict[int, _Expected] = {}
        self._open: dict[tuple[int, int], Incoming] = {}
        self._older: dict[tuple[int, int], int] = {}
        self._changed = threading.Condition()
        self.changes = 0  # metadata of files whose content was right

    def expect(
        self,
        ledger: Ledger,
        answers: Sequence[m.FileAnswer],
        target: TargetTree,
        taken_up: dict[bytes, Incoming],
        *,
        counted: bool,
    ) -> None:
        """`counted`: the files are in the totals, also those that are kept."""
        with self._changed:
            if ledger.number in self._expected or len(self._expected) >= MOST_LISTINGS:
                raise WireError(f"listing {ledger.number} came out of turn")
            expected = _Expected(ledger, target, {}, {})
            self._expected[ledger.number] = expected
        kept: list[tuple[int, m.Entry, bytes]] = []
        for (index, folder, entry), answer in zip(ledger.files, answers, strict=True):
            expected.entries[index] = folder, entry
            expected.offers[index] = answer
            if answer.answer is m.Answer.KEPT:
                kept.append((index, entry, answer.hash))
            elif answer.answer is m.Answer.GO_ON:
                self._open[ledger.number, index] = taken_up.pop(join(folder, entry.name))
            self._count(expected, index, entry, answer.answer, counted=counted)
        for index, entry, content in kept:
            self._settle(expected, index, entry, content, settled=True)
        ledger.open()
        if ledger.complete:
            self._forget(ledger)

    def offer_older(self, listing: int, index: int, handle: int) -> None:
        """An open file that copies may be taken from; ours from now on."""
        with self._changed:
            self._older[listing, index] = handle

    def take(self, message: m.Message, content: memoryview, places: Places) -> None:
        """One message of a stream."""
        match message:
            case m.Small():
                self._take_small(message, content, places)
            case m.Piece():
                self._take_piece(message, content, places)
            case m.Whole():
                self._take_whole(message, places)
            case m.Same():
                self._keep_same(message, places)
            case m.Missing():
                self._miss(message, places)
            case _:
                raise WireError(f"a stream does not carry {type(message).__name__}")

    def wait_until_complete(self) -> None:
        with self._changed:
            while self._expected:
                self._check()
                self._changed.wait(TICK_SECONDS)

    def close(self) -> None:
        """What is half received is kept for the next connection."""
        for (number, index), incoming in self._open.items():
            expected = self._expected[number]
            folder, entry = expected.entries[index]
            if incoming.handle >= 0:
                self._memory.keep_half(expected.target.name, join(folder, entry.name), entry, incoming)
        for handle in self._older.values():
            Incoming(-1, handle).close()
        self._open.clear()
        self._older.clear()

    def _count(
        self, expected: _Expected, index: int, entry: m.Entry, answer: m.Answer, *, counted: bool
    ) -> None:
        if not counted:
            if answer in (m.Answer.KEPT, m.Answer.COMPARE):
                return
            self._tally.expect(expected.target.disk, entry.stored)
        expected.credit[index] = entry.stored

    def _take_small(self, message: m.Small, content: memoryview, places: Places) -> None:
        arrived: list[Arrived] = []
        at = 0
        for sent in message.files:
            expected, folder, entry = self._entry(message.listing, sent.index)
            arrived.append(Arrived(sent, folder, newer(entry, sent), at))
            at += sent.size
        if at != len(content):
            raise WireError("small files came with too much content")
        if not arrived:
            return
        write_small(arrived, content, expected.target, places)
        for one in arrived:
            self._settle(expected, one.sent.index, one.entry, one.sent.hash, settled=one.sent.settled)

    def _take_piece(self, message: m.Piece, content: memoryview, places: Places) -> None:
        expected, folder, entry = self._entry(message.listing, message.index)
        check_piece(message, len(content))
        path = join(folder, entry.name)
        with expected.target.blamed(path):
            incoming = self._incoming(message.listing, message.index, places)
            last = incoming.take(message, content)
        with self._changed:
            part = min(expected.credit.get(message.index, 0), len(content))
            if part:
                expected.credit[message.index] -= part
        if part:
            self._tally.credit(expected.target.disk, part)
        if last:
            self._end(expected, message.index, incoming, places)

    def _take_whole(self, message: m.Whole, places: Places) -> None:
        expected, folder, entry = self._entry(message.listing, message.file.index)
        newer(entry, message.file)
        with expected.target.blamed(join(folder, entry.name)):
            incoming = self._incoming(message.listing, message.file.index, places)
            if incoming.announce(message.pieces, message.attempt, message.file):
                self._end(expected, message.file.index, incoming, places)

    def _miss(self, message: m.Missing, places: Places) -> None:
        expected, _, _ = self._entry(message.listing, message.index)
        key = message.listing, message.index
        with self._changed:
            begun = key in self._open
        if not begun and not message.pieces:
            self._resolve(expected, message.index, None)
            return
        incoming = self._incoming(*key, places)
        if incoming.announce(message.pieces, incoming.attempt, None):
            self._end(expected, message.index, incoming, places)

    def _end(self, expected: _Expected, index: int, incoming: Incoming, places: Places) -> None:
        """All pieces of a file are here, or all that will come of it."""
        folder, entry = expected.entries[index]
        sent = incoming.end
        with expected.target.blamed(join(folder, entry.name)):
            handle = places.open(expected.target.name, folder)
            if sent is None:
                incoming.drop(handle, entry.name)
            else:
                entry = newer(entry, sent)
                incoming.finish(handle, entry, sent)
        with self._changed:
            del self._open[expected.ledger.number, index]
        if sent is None:
            self._resolve(expected, index, None)
        else:
            self._settle(expected, index, entry, sent.hash, settled=sent.settled)

    def _keep_same(self, message: m.Same, places: Places) -> None:
        sent = message.file
        expected, folder, entry = self._entry(message.listing, sent.index)
        if expected.offers[sent.index].answer is not m.Answer.COMPARE or entry.size != sent.size:
            raise WireError(f"{entry.name!r} was called the same without having been compared")
        entry = newer(entry, sent)
        with expected.target.blamed(join(folder, entry.name)):
            if change(places.open(expected.target.name, folder), entry.name, entry):
                self.changes += 1
        self._settle(expected, sent.index, entry, sent.hash, settled=sent.settled)

    def _entry(self, number: int, index: int) -> tuple[_Expected, bytes, m.Entry]:
        """A file whose content was asked for and has not come."""
        expected = self._expected.get(number)
        if expected is None or index not in expected.offers:
            raise WireError(f"content came for entry {index} of listing {number}, which was not asked for")
        return expected, *expected.entries[index]

    def _incoming(self, number: int, index: int, places: Places) -> Incoming:
        with self._changed:
            incoming = self._open.get((number, index))
            if incoming is None:
                expected = self._expected[number]
                folder, entry = expected.entries[index]
                handle = places.open(expected.target.name, folder)
                incoming = Incoming.create(handle, entry.name, self._older.pop((number, index), -1))
                self._open[number, index] = incoming
            return incoming

    def _settle(
        self, expected: _Expected, index: int, entry: m.Entry, content: bytes, *, settled: bool
    ) -> None:
        expected.arrived[index] = entry
        if not settled:
            expected.unsettled.add(index)
        self._resolve(expected, index, (entry.size, content))

    def _resolve(self, expected: _Expected, index: int, result: tuple[int, bytes] | None) -> None:
        with self._changed:
            del expected.offers[index]
            left = expected.credit.pop(index, None)
        if left is not None:
            self._tally.credit(expected.target.disk, left, files=1)
        if expected.ledger.settle(index, result):
            self._forget(expected.ledger)

    def _forget(self, ledger: Ledger) -> None:
        with self._changed:
            self._expected.pop(ledger.number, None)
            self._changed.notify_all()

    def arrived(self, ledger: Ledger, index: int) -> m.Entry | None:
        """The entry of a file as it was when its content was read; None when it must be looked at again."""
        with suppress(KeyError):
            expected = self._expected[ledger.number]
            return None if index in expected.unsettled else expected.arrived.get(index)
        return None
