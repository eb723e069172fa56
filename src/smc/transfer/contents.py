"""Contents that were asked for: from the answer to a listing until each file is whole under its name.

The control connection's thread expects them, the streams' threads bring them; what several streams bring of
one file meets in an `Incoming`.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from smc.base.errors import WireError
from smc.transfer.arrival import Arrived, Places, check_piece, newer, write_small
from smc.transfer.files.folders import join
from smc.transfer.files.incoming import Incoming
from smc.transfer.files.place import change
from smc.transfer.ledger import Ledger, Result
from smc.transfer.memory import Memory
from smc.transfer.pipeline import TICK_SECONDS
from smc.transfer.tally import Tally
from smc.transfer.target import TargetTree
from smc.wire import messages as m

MOST_OLDER = 16  # open files that wait for the first piece of a newer content
MOST_LISTINGS = 128  # whose contents are on their way; more wait at the door, which bounds memory


@dataclass
class _Expected:
    """A listing whose contents are not all here."""

    ledger: Ledger
    target: TargetTree
    offers: dict[int, m.FileAnswer]  # by index of the entry: what was answered
    entries: dict[int, tuple[bytes, m.Entry]]  # folder and entry
    credit: dict[int, int] = field(default_factory=dict)  # bytes that count as done when it is
    arrived: dict[int, m.Entry] = field(default_factory=dict)  # settled, as they were when they were read


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
            while len(self._expected) >= MOST_LISTINGS:
                self._check()
                self._changed.wait(TICK_SECONDS)
            if ledger.number in self._expected:
                raise WireError(f"listing {ledger.number} came twice")
            expected = _Expected(ledger, target, {}, {})
            self._expected[ledger.number] = expected
        kept: list[tuple[int, Result | None]] = []
        for (index, folder, entry), answer in zip(ledger.files, answers, strict=True):
            expected.entries[index] = folder, entry
            expected.offers[index] = answer
            if answer.answer is m.Answer.KEPT:
                kept.append((index, (entry.size, answer.hash)))
                expected.arrived[index] = entry
            elif answer.answer is m.Answer.GO_ON:
                self._open[ledger.number, index] = taken_up.pop(join(folder, entry.name))
            self._count(expected, index, entry, answer.answer, counted=counted)
        if kept:
            self._resolve(expected, kept)
        ledger.open()
        if ledger.complete:
            self._forget(ledger)

    def offer_older(self, listing: int, index: int, handle: int) -> None:
        """An open file that copies may be taken from; ours from now on."""
        with self._changed:
            while len(self._older) >= MOST_OLDER:
                self._check()
                self._changed.wait(TICK_SECONDS)
            self._older[listing, index] = handle

    def offer_hash(self, listing: int, index: int, content: bytes) -> None:
        """What the sender is told of a file that is compared."""
        with self._changed:
            expected = self._expected.get(listing)
            if expected is not None and index in expected.offers:
                expected.offers[index] = m.FileAnswer(m.Answer.COMPARE, content)

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

    def are_complete(self) -> bool:
        """Waits a moment for it."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._expected, TICK_SECONDS)

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
        expected = self._listing(message.listing)
        arrived: list[Arrived] = []
        at = 0
        for sent in message.files:
            folder, entry = self._entry(expected, sent.index)
            if (message.listing, sent.index) in self._open:
                raise WireError(f"{entry.name!r} came at once, and in pieces")
            arrived.append(Arrived(sent, folder, newer(entry, sent), at))
            at += sent.size
        if at != len(content):
            raise WireError("small files came with another length of content")
        write_small(arrived, content, expected.target, places, self._memory.temporary_name)
        self._settle(expected, arrived)

    def _take_piece(self, message: m.Piece, content: memoryview, places: Places) -> None:
        expected = self._listing(message.listing)
        folder, entry = self._entry(expected, message.index)
        check_piece(message, len(content))
        if message.kept and expected.offers[message.index].answer is not m.Answer.GO_ON:
            raise WireError(f"a piece of {entry.name!r} was called kept that never came")
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
        expected = self._listing(message.listing)
        folder, entry = self._entry(expected, message.file.index)
        newer(entry, message.file)
        with expected.target.blamed(join(folder, entry.name)):
            incoming = self._incoming(message.listing, message.file.index, places)
            if incoming.announce(message.pieces, message.attempt, message.file):
                self._end(expected, message.file.index, incoming, places)

    def _miss(self, message: m.Missing, places: Places) -> None:
        expected = self._listing(message.listing)
        folder, entry = self._entry(expected, message.index)
        key = message.listing, message.index
        with self._changed:
            begun = key in self._open
            older = self._older.pop(key, -1) if not begun else -1
            self._changed.notify_all()
        if older >= 0:
            os.close(older)
        if not begun and not message.pieces:
            self._resolve(expected, [(message.index, None)])
            return
        with expected.target.blamed(join(folder, entry.name)):
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
                incoming.drop(handle)
            else:
                entry = newer(entry, sent)
                incoming.finish(handle, entry, sent)
        with self._changed:
            del self._open[expected.ledger.number, index]
        if sent is None:
            self._resolve(expected, [(index, None)])
        else:
            self._settle(expected, [Arrived(sent, folder, entry)])

    def _keep_same(self, message: m.Same, places: Places) -> None:
        sent = message.file
        expected = self._listing(message.listing)
        folder, entry = self._entry(expected, sent.index)
        offer = expected.offers[sent.index]
        compared = offer.answer is m.Answer.COMPARE and offer.hash
        if not compared or offer.hash != sent.hash or entry.size != sent.size:
            raise WireError(f"{entry.name!r} was called the same, but is not known to be")
        entry = newer(entry, sent)
        with expected.target.blamed(join(folder, entry.name)):
            if change(places.open(expected.target.name, folder), entry.name, entry):
                self.changes += 1
        self._settle(expected, [Arrived(sent, folder, entry)])

    def _listing(self, number: int) -> _Expected:
        expected = self._expected.get(number)
        if expected is None:
            raise WireError(f"content came for listing {number}, which waits for none")
        return expected

    def _entry(self, expected: _Expected, index: int) -> tuple[bytes, m.Entry]:
        """Folder and entry of a file whose content was asked for and has not come."""
        if index not in expected.offers:
            number = expected.ledger.number
            raise WireError(f"content came for entry {index} of listing {number}, which was not asked for")
        return expected.entries[index]

    def _incoming(self, number: int, index: int, places: Places) -> Incoming:
        with self._changed:
            incoming = self._open.get((number, index))
            if incoming is None:
                expected = self._expected[number]
                folder, entry = expected.entries[index]
                handle = places.open(expected.target.name, folder)
                temporary = self._memory.temporary_name(entry.name)
                incoming = Incoming.create(handle, temporary, self._older.pop((number, index), -1))
                self._open[number, index] = incoming
                self._changed.notify_all()  # one file less waits in `_older`
            return incoming

    def _settle(self, expected: _Expected, arrived: Sequence[Arrived]) -> None:
        for sent, _, entry, _ in arrived:
            if sent.settled:
                expected.arrived[sent.index] = entry
        self._resolve(expected, [(sent.index, (sent.size, sent.hash)) for sent, *_ in arrived])

    def _resolve(self, expected: _Expected, results: Sequence[tuple[int, Result | None]]) -> None:
        size = files = 0
        with self._changed:
            for index, _ in results:
                if expected.offers.pop(index, None) is None:
                    raise WireError(f"entry {index} of listing {expected.ledger.number} came twice")
                left = expected.credit.pop(index, None)
                if left is not None:
                    size, files = size + left, files + 1
        if files:
            self._tally.credit(expected.target.disk, size, files=files)
        if expected.ledger.settle(results):
            self._forget(expected.ledger)

    def _forget(self, ledger: Ledger) -> None:
        with self._changed:
            self._expected.pop(ledger.number, None)
            self._changed.notify_all()

    def arrived(self, ledger: Ledger) -> Mapping[int, m.Entry]:
        """The entries of settled files as they were when they were read, by index."""
        return self._expected[ledger.number].arrived
