"""The sending end: walks the source's trees pass by pass and streams what the receiver lacks.

One thread looks over the folders, the caller's lists them, one hears the receiver's answers, and one for each
data stream reads, hashes, compresses and sends contents. What waits between them is bounded, so is memory.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from smc.base.errors import SourceReadError, Transient, WireError
from smc.model.report import Moving
from smc.transfer.closing import find_moved
from smc.transfer.compression import Compression
from smc.transfer.dials import Dials
from smc.transfer.failures import PeerFailed, part
from smc.transfer.files.folders import Folders
from smc.transfer.files.patterns import Excludes
from smc.transfer.give_back import giving_back
from smc.transfer.jobs import Desk, Jobs
from smc.transfer.ledger import Ledger
from smc.transfer.listing import Lister, Trees, count
from smc.transfer.outgoing import Outgoing
from smc.transfer.pace import Pace
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.small import new_parcel
from smc.transfer.troubles import Troubles
from smc.transfer.verify import TreeDigest, compare_proofs
from smc.wire import messages as m
from smc.wire.channel import TICK_SECONDS, Channel
from smc.wire.orders import Ssl
from smc.wire.stream import Opening, SendingStream

PASSES = 3  # the source is live: each pass is shorter than the one before, and what then moves is listed
MOST_STREAMS = 16  # that a receiver may ask for, each a thread here: as many as its port greets at once
_M = TypeVar("_M", bound=m.Message)

Quiet = Callable[[], AbstractContextManager[None]]  # within it nothing changes the source
OpenStream = Callable[[Opening, bool], SendingStream]  # the bool: with TLS


@dataclass(frozen=True)
class SourceTree:
    """One filesystem of the source, mounted by itself at `path`; `name` is `<disk>_<partition>`.

    `mount_point` is where the source has it. `excludes` as in `transfer/files/patterns.py`.
    """

    name: str
    path: Path
    mount_point: str = "/"
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SentTree:
    """`hash` is the proof (hex): see `verify.py`."""

    name: str
    files: int
    size: int
    hash: str


@dataclass(frozen=True)
class Sent:
    """`moving` did not hold still in the last pass; `unreadable` could not be read in it."""

    trees: tuple[SentTree, ...]
    moving: tuple[Moving, ...]
    unreadable: tuple[Moving, ...]
    passes: int


@giving_back
def send(
    channel: Channel,
    open_stream: OpenStream,
    trees: Sequence[SourceTree],
    dials: Dials,
    stop: threading.Event,
    note: Callable[[str], None],
    compressing_at: Callable[[int], None] = lambda _level: None,
    quiet: Quiet | None = None,
) -> Sent:
    """Make the receiver's trees equal to `trees`; returns when all is on its disk.

    `compressing_at` is told the level, 0-10, at the beginning and when it changes. With `quiet` one more pass
    is made within it, which finds what has changed until then.

    Raises `Transient` when the connection is cut or `stop` is set (then call it again on a new channel),
    `SourceReadError` when a tree cannot be read at all, and what the receiver failed with.
    """
    crew = Crew(stop)
    opened = ExitStack()
    try:
        compression = Compression(lambda: dials.settings.compress_level, note, compressing_at)
        sender = _Sender(channel, open_stream, trees, dials, crew, note, compression, opened, quiet)
        try:
            return sender.run()
        except BaseException as e:  # noqa: BLE001 - the edge of the threads' work: all of it is raised
            raise part(channel, crew, e, sender.abort_streams) from None
    finally:
        crew.afterwards(opened.close)


class _Sender:
    def __init__(
        self,
        channel: Channel,
        open_stream: OpenStream,
        trees: Sequence[SourceTree],
        dials: Dials,
        crew: Crew,
        note: Callable[[str], None],
        compression: Compression,
        opened: ExitStack,
        quiet: Quiet | None,
    ) -> None:
        self._channel = channel
        self._open_stream = open_stream
        self._trees = trees
        self._settings = dials.settings
        self._crew = crew
        self._note = note
        self._opened = opened
        self._quiet = quiet
        self._excludes = [Excludes(tree.excludes) for tree in trees]
        self._heard: Pipe[m.Message] = Pipe(crew, 0)
        self._due: type[object] | None = None  # what the receiver says next, but for answers to listings
        self._known: Pipe[m.Known] = Pipe(crew, 0)
        self._jobs = Jobs(crew.check)
        opened.callback(self._jobs.close)
        self._outgoing = Outgoing(self._jobs, crew.check)
        self._compression = compression
        self._pace = channel.pace = Pace(dials, crew.check)
        self._limited = lambda: self._pace if dials.settings.bandwidth_limit_mbit else None
        self._troubles = self._new_troubles()
        self._streams: list[SendingStream] = []
        opened.callback(self._close_streams)
        self._digest_lock = threading.Lock()
        self._all_folders: list[Folders] = []
        self._folders = self._open_trees()
        self._ahead = self._open_trees()
        self._counted = self._open_trees()

    def run(self) -> Sent:
        self._crew.start("answers", self._hear)
        hello = tuple(
            m.Tree(tree.name, tree.excludes, folders.stamped)
            for tree, folders in zip(self._trees, self._folders, strict=True)
        )
        secure = self._settings.ssl is not Ssl.OFF
        welcome = self._ask(m.Hello(m.PROTOCOL, hello, self._settings.checksum, secure), m.Welcome)
        self._open_streams(welcome.streams, secure=secure)
        if len(welcome.remembered) != len(self._trees):
            raise WireError("the receiver speaks of other trees")
        stamped = [folders.stamped for folders in self._folders]
        known = [
            remembered and stamps and not self._settings.checksum
            for remembered, stamps in zip(welcome.remembered, stamped, strict=True)
        ]
        number = 0
        while True:
            number += 1
            moved, changes, digests = self._pass(number, known)
            self._note(f"pass {number}: {changes} changes")
            if number == PASSES or not (moved or self._troubles.unsettled):
                break
            known = stamped
        if self._quiet is not None:
            with self._quiet():
                number += 1
                _, changes, digests = self._pass(number, stamped)
            self._note(f"pass {number}, while nothing wrote: {changes} changes")
        return self._finish(number, digests)

    def abort_streams(self) -> None:
        for stream in self._streams:
            stream.abort()

    def say(self, message: m.Message) -> None:
        self._crew.check()
        self._channel.send(message)

    def known(self) -> m.Known:
        return self._known.get()

    def _open_trees(self) -> list[Folders]:
        opened = [self._opened.enter_context(_open(tree)) for tree in self._trees]
        self._all_folders += opened
        return opened

    def _new_troubles(self) -> Troubles:
        return Troubles([tree.mount_point for tree in self._trees])

    def _open_streams(self, keys: Sequence[m.StreamKey], *, secure: bool) -> None:
        """Each by its own thread: on a long line all are there after the time that one takes."""
        if not 0 < len(keys) <= MOST_STREAMS:
            raise WireError(f"the receiver asks for {len(keys)} data streams")
        for key in keys:
            opening = Opening(key.number, key.token, key.key)
            open_this = partial(self._open_stream, opening, secure)
            self._crew.start(f"stream {key.number}", partial(self._work, open_this, self._open_trees()))

    def _work(self, open_this: Callable[[], SendingStream], folders: Sequence[Folders]) -> None:
        stream = open_this()
        self._streams.append(stream)  # from now on `abort_streams` and `_close_streams` see to it
        desk = Desk(
            stream=stream,
            folders=folders,
            parcel=new_parcel(),
            jobs=self._jobs,
            compression=self._compression,
            troubles=lambda: self._troubles,
            settled=self._outgoing.settled,
            check=self._crew.check,
            pace=self._limited,
        )
        while (job := self._jobs.get()) is not None:
            job.work(desk)
        stream.close()

    def _close_streams(self) -> None:
        for stream in self._streams:
            stream.close()

    def _count(self) -> None:
        totals = [
            count(folders, excludes, self._crew.check)
            for folders, excludes in zip(self._counted, self._excludes, strict=True)
        ]
        self.say(m.Totals(tuple(totals)))

    def _pass(self, number: int, known: Sequence[bool]) -> tuple[int, int, list[TreeDigest]]:
        for folders in self._all_folders:  # no thread is at work between two passes
            folders.begin_again()
        self._troubles = self._new_troubles()
        digests = [TreeDigest() for _ in self._trees]
        self.say(m.PassBegin(number))
        lister = Lister(
            self,
            Trees(self._folders, self._ahead, self._excludes, known),
            self._troubles,
            self._crew,
            self._count if number == 1 else None,
        )
        for listed in lister.run(f"walk {number}"):
            digest = digests[listed.tree]
            if listed.listing is not None:
                ledger = Ledger(listed.listing, listed.tree, digest, self._digest_lock)
                self._outgoing.begin(ledger)
                self.say(listed.listing)
                continue
            with self._digest_lock:
                digest.expect(listed.path)
                if listed.proof is not None:
                    digest.know(listed.path, listed.proof)
        self._outgoing.wait_until_all_is_sent()
        self._question(m.PassEnd(number), m.PassDone)
        hands = (self._folders, self._ahead)  # nobody else uses them now
        for folders in chain(*hands):
            folders.begin_again()
        # While the receiver puts its folders in order.
        moved = find_moved(hands, self._excludes, self._troubles, self._crew.check)
        return moved, self._answer(m.PassDone).changes, digests

    def _finish(self, passes: int, digests: Sequence[TreeDigest]) -> Sent:
        self._jobs.end()
        proofs = [digest.proof() for digest in digests]
        self._note("waiting until the receiver has all on disk")
        finished = self._ask(m.Finish(tuple(proofs)), m.Finished)
        compare_proofs(proofs, finished.trees)
        self._crew.join()
        trees = tuple(
            SentTree(tree.name, proof.files, proof.size, proof.hash.hex())
            for tree, proof in zip(self._trees, proofs, strict=True)
        )
        return Sent(trees, self._troubles.moving(), self._troubles.unreadable(), passes)

    def _ask(self, message: m.Message, kind: type[_M]) -> _M:
        self._question(message, kind)
        return self._answer(kind)

    def _question(self, message: m.Message, kind: type[_M]) -> None:
        """From now on an answer of this kind may come."""
        self._due = kind
        self.say(message)

    def _answer(self, kind: type[_M]) -> _M:
        answer = self._heard.get()
        assert isinstance(answer, kind)  # else it would not have been taken
        return answer

    def _hear(self) -> None:
        while True:
            self._crew.check()
            message = self._channel.receive(timeout=TICK_SECONDS)
            if message is None:
                self._look_at_streams()
                continue
            if self._outgoing.hear(message):
                continue
            if isinstance(message, m.Failed):
                raise PeerFailed(message.failure)
            if isinstance(message, m.Known):
                self._known.put(message)
                continue
            if self._due is None or not isinstance(message, self._due):
                raise WireError(f"{type(message).__name__} came out of turn")
            self._due = None
            self._heard.put(message)
            if isinstance(message, m.Finished):
                return

    def _look_at_streams(self) -> None:
        """One that was turned away, or lost before it was greeted, is missed by the receiver for a minute."""
        if self._due is not m.Finished and any(stream.is_cut() for stream in tuple(self._streams)):
            raise Transient("the receiver hung up on a data stream", code="Wire.Cut")


def _open(tree: SourceTree) -> Folders:
    try:
        return Folders(tree.path)
    except OSError as e:
        raise SourceReadError(f"{tree.mount_point} cannot be read: {e.strerror}") from e
