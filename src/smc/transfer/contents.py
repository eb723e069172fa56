"""Contents that were asked for: from the answer to a listing until each file is whole under its name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from smc.base.errors import WireError
from smc.transfer.files.folders import join, split
from smc.transfer.files.incoming import Incoming, write_whole
from smc.transfer.files.reconcile import Reconciler
from smc.transfer.memory import Memory
from smc.transfer.tally import Tally
from smc.transfer.target import TargetTree
from smc.transfer.verify import TreeDigest, hash_bytes
from smc.wire import messages as m

MOST_LISTINGS = 64  # that a sender may have under way


@dataclass(frozen=True)
class Target:
    tree: TargetTree
    reconciler: Reconciler

    def folder_of(self, path: bytes) -> int:
        return self.reconciler.folders.open(split(path)[0])


@dataclass
class _Listed:
    """A listing whose contents are not all here."""

    target: Target
    digest: TreeDigest
    entries: list[tuple[bytes, m.Entry]]
    offers: dict[int, m.FileAnswer]  # by index of the entry: what was answered
    credit: dict[int, int] = field(default_factory=dict)  # bytes that count as done when it is
    hashes: dict[int, tuple[int, bytes]] = field(default_factory=dict)


class Contents:
    """Of one connection. `WireError` for content that was not asked for or is not what it should be."""

    def __init__(self, memory: Memory, tally: Tally, check: Callable[[], None]) -> None:
        self._check = check
        self._memory = memory
        self._tally = tally
        self._listed: dict[int, _Listed] = {}
        self._open: dict[tuple[int, int], Incoming] = {}

    @property
    def complete(self) -> bool:
        return not self._listed

    def expect(
        self,
        listing: m.Listing,
        answers: Sequence[m.FileAnswer],
        target: Target,
        digest: TreeDigest,
        *,
        counted: bool,
    ) -> None:
        """`counted`: the files are in the totals, also those that are kept."""
        if listing.number in self._listed or len(self._listed) == MOST_LISTINGS:
            raise WireError(f"listing {listing.number} came out of turn")
        listed = _Listed(target, digest, [], {})
        answer = iter(answers)
        for folder in listing.folders:
            for entry in folder.entries:
                if entry.kind is m.Kind.FILE and not entry.link:
                    self._offer(listed, len(listed.entries), entry, next(answer), counted=counted)
                listed.entries.append((join(folder.path, entry.name), entry))
        self._listed[listing.number] = listed

    def take(self, message: m.Message, content: memoryview) -> bool:
        """Returns False for a message that is not about a content."""
        match message:
            case m.Small():
                self._write_small(message, content)
            case m.Piece():
                self._write_piece(message, content)
            case m.Again():
                self._begin_again(message)
            case m.Whole():
                self._end_file(message)
            case m.Same():
                self._keep_same(message)
            case m.Missing():
                self._miss(message)
            case m.ListingDone():
                self._end_listing(message.number)
            case _:
                return False
        return True

    def close(self) -> None:
        """What is half received stays under its temporary name for the next connection."""
        for incoming in self._open.values():
            incoming.close()

    def _offer(
        self, listed: _Listed, index: int, entry: m.Entry, answer: m.FileAnswer, *, counted: bool
    ) -> None:
        if answer.answer is m.Answer.KEPT:
            listed.hashes[index] = entry.size, answer.hash
        else:
            listed.offers[index] = answer
        if not counted:
            if answer.answer in (m.Answer.KEPT, m.Answer.COMPARE):
                return
            self._tally.expect(listed.target.tree.disk, entry.stored)
        if answer.answer is m.Answer.KEPT:
            self._tally.credit(listed.target.tree.disk, entry.stored, files=1)
        else:
            listed.credit[index] = entry.stored

    def _write_small(self, message: m.Small, content: memoryview) -> None:
        for sent in message.files:
            listed, path, entry = self._entry(message.listing, sent.index)
            data, content = content[: sent.size], content[sent.size :]
            if len(data) != sent.size or hash_bytes(data) != sent.hash:
                raise WireError(f"the content of {path!r} is not what was announced")
            entry = _newer(entry, sent)
            with listed.target.tree.blamed(path):
                write_whole(listed.target.folder_of(path), entry, data)
            self._settle(listed, path, entry, sent)
        if content:
            raise WireError("small files came with too much content")

    def _write_piece(self, message: m.Piece, content: memoryview) -> None:
        listed, path, _ = self._entry(message.listing, message.index)
        _check_piece(message, len(content))
        with listed.target.tree.blamed(path):
            incoming = self._incoming(message.listing, message.index)
            if message.offset < incoming.content.position:
                raise WireError(f"a piece of {path!r} came out of turn")
            incoming.write(message.offset, message.size, message.extents, content)
        part = min(listed.credit.get(message.index, 0), len(content))
        if part:
            listed.credit[message.index] -= part
            self._tally.credit(listed.target.tree.disk, part)

    def _end_file(self, message: m.Whole) -> None:
        sent = message.file
        listed, path, entry = self._entry(message.listing, sent.index)
        entry = _newer(entry, sent)
        with listed.target.tree.blamed(path):
            incoming = self._incoming(message.listing, sent.index)
            if sent.size < incoming.content.position or incoming.content.digest(sent.size) != sent.hash:
                raise WireError(f"the content of {path!r} is not what was announced")
            incoming.finish(listed.target.folder_of(path), entry)
        del self._open[message.listing, sent.index]
        self._settle(listed, path, entry, sent)

    def _keep_same(self, message: m.Same) -> None:
        sent = message.file
        listed, path, entry = self._entry(message.listing, sent.index)
        offer = listed.offers[sent.index]
        if offer.answer is not m.Answer.COMPARE or offer.hash != sent.hash or entry.size != sent.size:
            raise WireError(f"{path!r} was called the same without having been compared")
        entry = _newer(entry, sent)
        with listed.target.tree.blamed(path):
            listed.target.reconciler.adjust(path, entry)
        self._settle(listed, path, entry, sent)

    def _miss(self, message: m.Missing) -> None:
        listed, path, entry = self._entry(message.listing, message.index)
        incoming = self._open.pop((message.listing, message.index), None)
        if incoming is not None:
            with listed.target.tree.blamed(path):
                incoming.drop(listed.target.folder_of(path), entry.name)
        self._resolve(listed, message.index)

    def _begin_again(self, message: m.Again) -> None:
        listed, path, _ = self._entry(message.listing, message.index)
        with listed.target.tree.blamed(path):
            incoming = self._incoming(message.listing, message.index)
            if listed.offers[message.index].answer is m.Answer.GO_ON:
                self._memory.resent += incoming.received
                listed.offers[message.index] = m.FileAnswer(m.Answer.SEND)
            incoming.begin_again()

    def _end_listing(self, number: int) -> None:
        listed = self._listed.pop(number, None)
        if listed is None or listed.offers:
            raise WireError(f"listing {number} ended before its contents came")
        for index, (size, content) in sorted(listed.hashes.items()):
            listed.digest.add(listed.entries[index][0], size, content)

    def _entry(self, number: int, index: int) -> tuple[_Listed, bytes, m.Entry]:
        """A file whose content was asked for and has not come."""
        listed = self._listed.get(number)
        if listed is None or index not in listed.offers:
            raise WireError(f"content came for entry {index} of listing {number}, which was not asked for")
        return listed, *listed.entries[index]

    def _incoming(self, number: int, index: int) -> Incoming:
        incoming = self._open.get((number, index))
        listed, path, entry = self._entry(number, index)
        if incoming is None:
            folder = listed.target.folder_of(path)
            if listed.offers[index].answer is m.Answer.GO_ON:
                incoming = Incoming.take_up(folder, entry.name, listed.offers[index].size, self._check)
            else:
                incoming = Incoming.create(folder, entry.name)
            self._open[number, index] = incoming
        return incoming

    def _settle(self, listed: _Listed, path: bytes, entry: m.Entry, sent: m.Sent) -> None:
        listed.hashes[sent.index] = sent.size, sent.hash
        if sent.settled:
            self._memory.remember(listed.target.tree.name, path, entry, sent.hash)
        else:
            self._memory.forget(listed.target.tree.name, path)
        self._resolve(listed, sent.index)

    def _resolve(self, listed: _Listed, index: int) -> None:
        del listed.offers[index]
        left = listed.credit.pop(index, None)
        if left is not None:
            self._tally.credit(listed.target.tree.disk, left, files=1)


def _newer(entry: m.Entry, sent: m.Sent) -> m.Entry:
    """The entry as it was when its content was read."""
    if sent.entry is None:
        if sent.size != entry.size:
            raise WireError(f"{entry.name!r} came with {sent.size} bytes, not the {entry.size} listed")
        return entry
    if sent.entry.kind is not m.Kind.FILE or sent.entry.size != sent.size or sent.entry.link:
        raise WireError(f"{entry.name!r} came as something else than it was listed")
    return msgspec.structs.replace(sent.entry, name=entry.name)


def _check_piece(piece: m.Piece, length: int) -> None:
    """A piece is one block: it begins at a multiple of PIECE and its extents are in order within it."""
    at = total = 0
    for start, size in piece.extents:
        if start < at or size <= 0:
            raise WireError("the extents of a piece are out of order")
        at, total = start + size, total + size
    if not piece.extents:
        at = total = piece.size
    if piece.offset < 0 or piece.offset % m.PIECE or not 0 < at <= piece.size <= m.PIECE or total != length:
        raise WireError("a piece does not fit its place")
