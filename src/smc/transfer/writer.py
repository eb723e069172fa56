"""The receiving end: takes what a sender streams and makes the target trees equal to the source's."""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from smc.base.errors import TargetWriteError, WireError
from smc.model.report import Proof
from smc.transfer.failures import PeerFailed, part
from smc.transfer.files.folders import split
from smc.transfer.files.incoming import Incoming, write_whole
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.reconcile import Reconciler
from smc.transfer.memory import Memory
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.tally import Tally, WriterProgress
from smc.transfer.verify import TreeDigest, hash_bytes
from smc.wire import messages as m
from smc.wire.channel import Channel

INBOX = 24  # messages of at most about 1 MiB that wait to be written
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class TargetTree:
    """A mounted filesystem of the target, by the name that the sender gives it: `<disk>_<partition>`."""

    name: str
    disk: int
    partition: int
    path: Path


@dataclass(frozen=True)
class Received:
    proof: tuple[Proof, ...]
    passes: int
    resent: int


def receive(
    channel: Channel,
    trees: Sequence[TargetTree],
    stop: threading.Event,
    on_progress: Callable[[WriterProgress], None],
    memory: Memory | None = None,
) -> Received:
    """Serve one connection of a sender until all trees are equal and on disk.

    Give the same `memory` to every connection of a run. Raises `Transient` when the connection is cut or
    `stop` is set: what was received whole stays, and the next connection goes on from there.
    """
    crew = Crew(stop)
    inbox: Pipe[tuple[m.Message, memoryview]] = Pipe(crew, INBOX)
    writer = _Writer(channel, trees, memory or Memory(), on_progress)
    crew.start("inbox", lambda: _fill(channel, inbox, crew))
    try:
        received = writer.run(inbox)
        crew.join()
    except BaseException as e:  # noqa: BLE001 - the edge of the threads' work: all of it is raised
        raise part(channel, crew, e) from None
    finally:
        writer.close()
    return received


def _fill(channel: Channel, inbox: Pipe[tuple[m.Message, memoryview]], crew: Crew) -> None:
    while True:
        crew.check()
        received = channel.receive(timeout=1.0)
        if received is None:
            continue
        if isinstance(received[0], m.Failed):
            raise PeerFailed(received[0].failure)
        inbox.put(received)
        if isinstance(received[0], m.Finish):
            return


@dataclass
class _Listed:
    """A listing whose contents are not all here."""

    tree: int
    entries: list[tuple[bytes, m.Entry]]
    offers: dict[int, m.FileAnswer]  # by index of the entry: what was answered
    credit: dict[int, int] = field(default_factory=dict)  # bytes that count as done when it is
    hashes: dict[int, tuple[int, bytes]] = field(default_factory=dict)


class _Writer:
    def __init__(
        self,
        channel: Channel,
        trees: Sequence[TargetTree],
        memory: Memory,
        on_progress: Callable[[WriterProgress], None],
    ) -> None:
        self._channel = channel
        self._targets = {tree.name: tree for tree in trees}
        self._memory = memory
        self._tally = Tally(channel, memory, [tree.disk for tree in trees], on_progress)
        self._trees: list[tuple[TargetTree, Reconciler]] = []
        self._digests: list[TreeDigest] = []
        self._tree = -1
        self._pass = 0
        self._listed: dict[int, _Listed] = {}
        self._open: dict[tuple[int, int], Incoming] = {}

    def run(self, inbox: Pipe[tuple[m.Message, memoryview]]) -> Received:
        while True:
            message, content = inbox.get()
            if isinstance(message, m.Finish):
                return self._finish(message)
            self._take(message, content)
            self._tally.report(f"pass {self._pass}", now=False)

    def close(self) -> None:
        """What is half received stays under its temporary name for the next connection."""
        for incoming in self._open.values():
            incoming.close()
        for _, reconciler in self._trees:
            reconciler.close()

    def _take(self, message: m.Message, content: memoryview) -> None:
        match message:
            case m.Hello():
                self._greet(message)
            case m.Totals():
                self._set_totals(message)
            case m.PassBegin():
                self._pass = message.number
                self._digests = [TreeDigest() for _ in self._trees]
            case m.TreeBegin():
                self._begin_tree(message)
            case m.Listing():
                self._take_listing(message)
            case m.Small():
                self._write_small(message, content)
            case m.Piece():
                self._write_piece(message, content)
            case m.Again():
                listed, path, entry = self._entry(message.listing, message.index)
                with self._blaming(listed.tree, path):
                    self._incoming(message.listing, message.index, listed, path, entry).begin_again()
            case m.Whole():
                self._end_file(message)
            case m.Same():
                self._keep_same(message)
            case m.Missing():
                self._miss(message)
            case m.ListingDone():
                self._end_listing(message.number)
            case m.PassEnd():
                self._end_pass(message.number)
            case _:
                raise WireError(f"a sender does not send {type(message).__name__}")

    def _greet(self, hello: m.Hello) -> None:
        if hello.protocol != m.PROTOCOL:
            raise WireError(f"the sender speaks protocol {hello.protocol}, this program {m.PROTOCOL}")
        if self._trees or {tree.name for tree in hello.trees} != self._targets.keys():
            names = ", ".join(tree.name for tree in hello.trees)
            raise WireError(f"the sender's trees ({names}) are not the target's")
        for tree in hello.trees:
            target = self._targets[tree.name]
            excludes = Excludes(tree.excludes)
            self._tree = len(self._trees)
            try:
                reconciler = Reconciler(
                    tree.name, target.path, excludes, self._memory, checksum=hello.checksum
                )
            except OSError as e:
                raise _blame(e, target, b"") from e
            self._trees.append((target, reconciler))
        self._channel.send(m.Welcome())

    def _set_totals(self, message: m.Totals) -> None:
        if len(message.trees) != len(self._trees) or self._pass:
            raise WireError("totals came that are not of these trees")
        self._tally.set_totals([tree.disk for tree, _ in self._trees], message.trees)

    def _begin_tree(self, message: m.TreeBegin) -> None:
        if not 0 <= message.tree < len(self._trees) or not self._digests:
            raise WireError(f"there is no tree {message.tree}")
        self._tree = message.tree
        self._trees[message.tree][1].begin_pass(message.root)

    def _take_listing(self, listing: m.Listing) -> None:
        if not self._digests or listing.number in self._listed:
            raise WireError(f"listing {listing.number} came out of turn")
        target, reconciler = self._trees[self._tree]
        listed = _Listed(self._tree, [], {})
        answers: list[m.FileAnswer] = []
        for folder in listing.folders:
            with self._blaming(self._tree, folder.path):
                given = reconciler.take(folder)
            at = iter(given)
            for entry in folder.entries:
                if entry.kind is m.Kind.FILE and not entry.link:
                    self._offer(target, listed, len(listed.entries), entry, next(at))
                path = folder.path + b"/" + entry.name if folder.path else entry.name
                listed.entries.append((path, entry))
            answers += given
        self._listed[listing.number] = listed
        self._channel.send(m.Verdict(listing.number, tuple(answers)))

    def _offer(
        self, target: TargetTree, listed: _Listed, index: int, entry: m.Entry, answer: m.FileAnswer
    ) -> None:
        if answer.answer is m.Answer.KEPT:
            listed.hashes[index] = entry.size, answer.hash
        else:
            listed.offers[index] = answer
        if self._pass > 1:  # not in the totals that were counted
            if answer.answer in (m.Answer.KEPT, m.Answer.COMPARE):
                return
            self._tally.expect(target.disk, entry.stored)
        if answer.answer is m.Answer.KEPT:
            self._tally.credit(target.disk, entry.stored, files=1)
        else:
            listed.credit[index] = entry.stored

    def _write_small(self, message: m.Small, content: memoryview) -> None:
        for sent in message.files:
            listed, path, entry = self._entry(message.listing, sent.index)
            data, content = content[: sent.size], content[sent.size :]
            if len(data) != sent.size or hash_bytes(data) != sent.hash:
                raise WireError(f"the content of {path!r} is not what was announced")
            entry = _newer(entry, sent)
            with self._blaming(listed.tree, path):
                write_whole(self._trees[listed.tree][1].folders.open(split(path)[0]), entry, data)
            self._settle(listed, path, entry, sent)
        if content:
            raise WireError("small files came with too much content")

    def _write_piece(self, message: m.Piece, content: memoryview) -> None:
        listed, path, entry = self._entry(message.listing, message.index)
        _check_piece(message, len(content))
        with self._blaming(listed.tree, path):
            incoming = self._incoming(message.listing, message.index, listed, path, entry)
            if message.offset < incoming.content.position:
                raise WireError(f"a piece of {path!r} came out of turn")
            incoming.write(message.offset, message.size, message.extents, content)
        part = min(listed.credit.get(message.index, 0), len(content))
        if part:
            listed.credit[message.index] -= part
            self._tally.credit(self._trees[listed.tree][0].disk, part)

    def _end_file(self, message: m.Whole) -> None:
        sent = message.file
        listed, path, entry = self._entry(message.listing, sent.index)
        entry = _newer(entry, sent)
        with self._blaming(listed.tree, path):
            incoming = self._incoming(message.listing, sent.index, listed, path, entry)
            if sent.size < incoming.content.position or incoming.content.digest(sent.size) != sent.hash:
                raise WireError(f"the content of {path!r} is not what was announced")
            incoming.finish(self._trees[listed.tree][1].folders.open(split(path)[0]), entry)
        del self._open[message.listing, sent.index]
        self._settle(listed, path, entry, sent)

    def _keep_same(self, message: m.Same) -> None:
        sent = message.file
        listed, path, entry = self._entry(message.listing, sent.index)
        offer = listed.offers[sent.index]
        if offer.answer is not m.Answer.COMPARE or offer.hash != sent.hash or entry.size != sent.size:
            raise WireError(f"{path!r} was called the same without having been compared")
        entry = _newer(entry, sent)
        with self._blaming(listed.tree, path):
            self._trees[listed.tree][1].adjust(path, entry)
        self._settle(listed, path, entry, sent)

    def _miss(self, message: m.Missing) -> None:
        listed, path, entry = self._entry(message.listing, message.index)
        incoming = self._open.pop((message.listing, message.index), None)
        if incoming is not None:
            with self._blaming(listed.tree, path):
                incoming.drop(self._trees[listed.tree][1].folders.open(split(path)[0]), entry.name)
        self._resolve(listed, message.index)

    def _end_listing(self, number: int) -> None:
        listed = self._listed.pop(number, None)
        if listed is None or listed.offers:
            raise WireError(f"listing {number} ended before its contents came")
        for index, (size, content) in sorted(listed.hashes.items()):
            self._digests[listed.tree].add(listed.entries[index][0], size, content)

    def _end_pass(self, number: int) -> None:
        if self._listed or number != self._pass:
            raise WireError(f"pass {number} ended before its listings")
        changes = 0
        for at, (_, reconciler) in enumerate(self._trees):
            with self._blaming(at, b""):
                reconciler.finish_pass()
            changes += reconciler.changes
        self._channel.send(m.PassDone(number, changes))

    def _finish(self, message: m.Finish) -> Received:
        if len(message.trees) != len(self._trees) or self._listed or not self._digests:
            raise WireError("the sender finished too early")
        self._tally.report("writing to disk")
        os.sync()
        written = [digest.proof() for digest in self._digests]
        proof = tuple(
            Proof(
                disk=tree.disk,
                partition=tree.partition,
                files=ours.files,
                bytes=ours.size,
                sent=theirs.hash.hex(),
                written=ours.hash.hex(),
            )
            for (tree, _), theirs, ours in zip(self._trees, message.trees, written, strict=True)
        )
        self._tally.complete()
        self._tally.report("all files are on disk")
        self._channel.send(m.Finished(tuple(written)))
        return Received(proof, self._pass, self._memory.resent)

    def _entry(self, number: int, index: int) -> tuple[_Listed, bytes, m.Entry]:
        """A file whose content was asked for and has not come."""
        listed = self._listed.get(number)
        if listed is None or index not in listed.offers:
            raise WireError(f"content came for entry {index} of listing {number}, which was not asked for")
        return listed, *listed.entries[index]

    def _incoming(self, number: int, index: int, listed: _Listed, path: bytes, entry: m.Entry) -> Incoming:
        incoming = self._open.get((number, index))
        if incoming is None:
            folder = self._trees[listed.tree][1].folders.open(split(path)[0])
            if listed.offers[index].answer is m.Answer.GO_ON:
                incoming = Incoming.take_up(folder, entry.name, listed.offers[index].size)
            else:
                incoming = Incoming.create(folder, entry.name)
            self._open[number, index] = incoming
        return incoming

    def _settle(self, listed: _Listed, path: bytes, entry: m.Entry, sent: m.Sent) -> None:
        listed.hashes[sent.index] = sent.size, sent.hash
        if sent.settled:
            self._memory.remember(self._trees[listed.tree][0].name, path, entry, sent.hash)
        else:
            self._memory.forget(self._trees[listed.tree][0].name, path)
        self._resolve(listed, sent.index)

    def _resolve(self, listed: _Listed, index: int) -> None:
        del listed.offers[index]
        left = listed.credit.pop(index, None)
        if left is not None:
            self._tally.credit(self._trees[listed.tree][0].disk, left, files=1)

    @contextmanager
    def _blaming(self, tree: int, path: bytes) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise _blame(e, self._trees[tree][0], path) from e


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
    if piece.offset < 0 or piece.offset % m.PIECE or not at <= piece.size <= m.PIECE or total != length:
        raise WireError("a piece does not fit its place")


def _blame(error: OSError, tree: TargetTree, path: bytes) -> TargetWriteError:
    where = f"{path.decode(errors='backslashreplace')!r} on disk {tree.disk} partition {tree.partition}"
    if error.errno in FULL:
        return TargetWriteError(
            f"the target filesystem is full: {where} could not be written",
            code="Target.Full",
            hint="Make the target disk larger, or exclude files.",
        )
    return TargetWriteError(f"{where} could not be written: {error.strerror or error}")
