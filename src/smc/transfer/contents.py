"""Contents that were asked for: from the answer to a listing until each file is whole under its name.

The control connection's thread expects them, the streams' threads bring them; what several streams bring of
one file meets in an `Incoming`.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smc.base.errors import WireError
from smc.transfer import native
from smc.transfer.arrival import Places, check_piece, newer, write_small
from smc.transfer.files.folders import join
from smc.transfer.files.incoming import Incoming
from smc.transfer.files.place import change
from smc.transfer.ledger import Item, Ledger
from smc.transfer.memory import Memory, state_of
from smc.transfer.pipeline import TICK_SECONDS
from smc.transfer.tally import Tally
from smc.transfer.target import TargetTree
from smc.wire import messages as m

MOST_OLDER = 16  # open files that wait for the first piece of a newer content
MOST_LISTINGS = 128  # whose contents are on their way; more wait at the door, which bounds memory


class News(NamedTuple):
    """What a listing did not tell: `unsettled` must be looked at again, `newer` are as they were when they
    were read, if that is another state and not only attributes that were not listed."""

    unsettled: set[int]
    newer: dict[int, m.Entry]


@dataclass
class _Expected:
    """A listing whose contents are not all here."""

    ledger: Ledger
    target: TargetTree
    free: frozenset[bytes]  # folders that were empty when they were listed: no name there has an old content
    items: dict[int, Item]  # by index of the entry
    offers: dict[int, m.FileAnswer] = field(default_factory=dict)  # what was answered, but for SEND
    uncounted: set[int] = field(default_factory=set)  # not in the totals
    credited: dict[int, int] = field(default_factory=dict)  # bytes that count as done though it is not
    news: News = field(default_factory=lambda: News(set(), {}))


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
        free: frozenset[bytes],
        *,
        counted: bool,
    ) -> None:
        """No answers: all are to be sent. `free` folders were empty. `counted`: the files are in the totals,
        also those that are kept."""
        with self._changed:
            while len(self._expected) >= MOST_LISTINGS:
                self._check()
                self._changed.wait(TICK_SECONDS)
            if ledger.number in self._expected:
                raise WireError(f"listing {ledger.number} came twice")
            items = {item[0]: item for item in ledger.files}
            expected = _Expected(ledger, target, free, items)
            self._expected[ledger.number] = expected
        kept: list[m.Sent] = []
        for (index, folder, entry), answer in zip(ledger.files, answers, strict=bool(answers)):
            if answer.answer is m.Answer.SEND:
                continue
            expected.offers[index] = answer
            if answer.answer is m.Answer.KEPT:
                kept.append(m.Sent(index, entry.size, answer.hash))
            elif answer.answer is m.Answer.GO_ON:
                self._open[ledger.number, index] = taken_up.pop(join(folder, entry.name))
        if not counted:
            self._count(expected)
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
            if expected is not None and expected.ledger.awaits((index,)):
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
            _, folder, entry = expected.items[index]
            if incoming.handle >= 0:
                self._memory.keep_half(expected.target.name, join(folder, entry.name), entry, incoming)
        for handle in self._older.values():
            Incoming(-1, handle).close()
        self._open.clear()
        self._older.clear()

    def _count(self, expected: _Expected) -> None:
        """In a later pass: what must be done is added to the totals, and only that counts as done."""
        same = (m.Answer.KEPT, m.Answer.COMPARE)
        expected.uncounted = {index for index, offer in expected.offers.items() if offer.answer in same}
        more = [entry.stored for index, _, entry in expected.ledger.files if index not in expected.uncounted]
        self._tally.expect(expected.target.disk, sum(more), len(more))

    def _take_small(self, message: m.Small, content: memoryview, places: Places) -> None:
        expected = self._listing(message.listing)
        files = message.files
        indexes = [sent.index for sent in files]
        items = native.match_sent(expected.items, files)
        as_listed = items is not None
        if items is None or not expected.ledger.awaits(indexes):
            items = [self._newer(expected, sent) for sent in files]
        if self._open and any((message.listing, index) in self._open for index in indexes):
            raise WireError("a small file came at once, and in pieces")
        temporary_name = self._memory.temporary_name
        write_small(files, items, content, expected.target, expected.free, places, temporary_name)
        if not as_listed:
            for sent, (_, _, entry) in zip(files, items, strict=True):
                self._note(expected, sent, entry)
        self._resolve(expected, files)

    def _newer(self, expected: _Expected, sent: m.Sent) -> Item:
        """The file as it was when it was read."""
        folder, entry = self._entry(expected, sent.index)
        return sent.index, folder, newer(entry, sent)

    def _take_piece(self, message: m.Piece, content: memoryview, places: Places) -> None:
        expected = self._listing(message.listing)
        folder, entry = self._entry(expected, message.index)
        check_piece(message, len(content))
        offer = expected.offers.get(message.index)
        if message.kept and (offer is None or offer.answer is not m.Answer.GO_ON):
            raise WireError(f"a piece of {entry.name!r} was called kept that never came")
        path = join(folder, entry.name)
        with expected.target.blamed(path):
            incoming = self._incoming(message.listing, message.index, places)
            last = incoming.take(message, content)
        with self._changed:
            done = expected.credited.get(message.index, 0)
            part = 0 if message.index in expected.uncounted else min(entry.stored - done, len(content))
            if part:
                expected.credited[message.index] = done + part
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
            self._resolve(expected, (), (message.index,))
            return
        with expected.target.blamed(join(folder, entry.name)):
            incoming = self._incoming(*key, places)
        if incoming.announce(message.pieces, incoming.attempt, None):
            self._end(expected, message.index, incoming, places)

    def _end(self, expected: _Expected, index: int, incoming: Incoming, places: Places) -> None:
        """All pieces of a file are here, or all that will come of it."""
        _, folder, entry = expected.items[index]
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
            self._resolve(expected, (), (index,))
        else:
            self._settle(expected, sent, entry)

    def _keep_same(self, message: m.Same, places: Places) -> None:
        sent = message.file
        expected = self._listing(message.listing)
        folder, entry = self._entry(expected, sent.index)
        offer = expected.offers.get(sent.index)
        compared = offer is not None and offer.answer is m.Answer.COMPARE and offer.hash
        if not compared or compared != sent.hash or entry.size != sent.size:
            raise WireError(f"{entry.name!r} was called the same, but is not known to be")
        entry = newer(entry, sent)
        with expected.target.blamed(join(folder, entry.name)):
            if change(places.open(expected.target.name, folder), entry.name, entry):
                self.changes += 1
        self._settle(expected, sent, entry)

    def _listing(self, number: int) -> _Expected:
        expected = self._expected.get(number)
        if expected is None:
            raise WireError(f"content came for listing {number}, which waits for none")
        return expected

    def _entry(self, expected: _Expected, index: int) -> tuple[bytes, m.Entry]:
        """Folder and entry of a file whose content was asked for and has not come."""
        if index not in expected.items or not expected.ledger.awaits((index,)):
            raise self._not_asked_for(expected, index)
        _, folder, entry = expected.items[index]
        return folder, entry

    def _not_asked_for(self, expected: _Expected, index: int) -> WireError:
        number = expected.ledger.number
        return WireError(f"content came for entry {index} of listing {number}, which was not asked for")

    def _incoming(self, number: int, index: int, places: Places) -> Incoming:
        with self._changed:
            incoming = self._open.get((number, index))
            if incoming is None:
                expected = self._expected[number]
                _, folder, entry = expected.items[index]
                handle = places.open(expected.target.name, folder)
                temporary = self._memory.temporary_name(entry.name)
                incoming = Incoming.create(handle, temporary, self._older.pop((number, index), -1))
                self._open[number, index] = incoming
                self._changed.notify_all()  # one file less waits in `_older`
            return incoming

    def _settle(self, expected: _Expected, sent: m.Sent, entry: m.Entry) -> None:
        self._note(expected, sent, entry)
        self._resolve(expected, (sent,))

    def _note(self, expected: _Expected, sent: m.Sent, entry: m.Entry) -> None:
        """Before it is settled: what the listing did not tell."""
        if not sent.settled:
            expected.news.unsettled.add(sent.index)
        if sent.entry is not None and state_of(entry) != state_of(expected.items[sent.index][2]):
            expected.news.newer[sent.index] = entry

    def _resolve(self, expected: _Expected, sent: Sequence[m.Sent], missing: Sequence[int] = ()) -> None:
        whole = expected.ledger.settle(sent, missing)
        indexes = [file.index for file in sent]
        indexes += missing
        done = 0
        if expected.offers or expected.credited:
            with self._changed:
                for index in indexes:
                    expected.offers.pop(index, None)
                    done += expected.credited.pop(index, 0)
        uncounted = expected.uncounted
        counted = [index for index in indexes if index not in uncounted] if uncounted else indexes
        if counted:
            items = expected.items
            size = sum([items[index][2].stored for index in counted]) - done
            self._tally.credit(expected.target.disk, size, files=len(counted))
        if whole:
            self._forget(expected.ledger)

    def _forget(self, ledger: Ledger) -> None:
        with self._changed:
            self._expected.pop(ledger.number, None)
            self._changed.notify_all()

    def news(self, ledger: Ledger) -> News:
        """Of a listing whose contents are all here."""
        return self._expected[ledger.number].news
