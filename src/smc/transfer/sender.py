"""The sending end: walks the source's trees pass by pass and streams what the receiver lacks.

Four threads overlap: one walks and lists, one hears the receiver's answers, one (the caller's) reads and
hashes contents, one compresses and sends. Pipes between them are short, so memory is bounded.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from smc.base.errors import SourceReadError, WireError
from smc.model.report import Moving
from smc.transfer.closing import find_moved
from smc.transfer.failures import PeerFailed, part
from smc.transfer.files.entry import entry_of
from smc.transfer.files.folders import Folders
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import PART, PART_SIZE, count, walk, weight
from smc.transfer.outgoing import Listed, Outgoing, Parcel
from smc.transfer.pace import ZSTD_LEVELS, Pace
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.troubles import Troubles
from smc.transfer.verify import TreeDigest
from smc.wire import messages as m
from smc.wire.channel import TICK_SECONDS, Channel
from smc.wire.orders import TransferSettings

PASSES = 3  # the source is live: each pass is shorter than the one before, and what then moves is listed
_M = TypeVar("_M", bound=m.Message)
OUTBOX = 8  # parcels of at most about 1 MiB that wait to be sent
UNANSWERED = 16  # listings that are on their way


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
    """`hash` is the proof (hex): see `verify.TreeDigest`."""

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


def send(
    channel: Channel,
    trees: Sequence[SourceTree],
    settings: TransferSettings,
    stop: threading.Event,
    note: Callable[[str], None],
) -> Sent:
    """Make the receiver's trees equal to `trees`; returns when all is on its disk.

    Raises `Transient` when the connection is cut or `stop` is set (then call it again on a new channel),
    `SourceReadError` when a tree cannot be read at all, and what the receiver failed with.
    """
    channel.compress_at(ZSTD_LEVELS[settings.compress_level])
    channel.pace = Pace(settings.bandwidth_limit_mbit, stop)
    crew = Crew(stop)
    sender = _Sender(channel, trees, settings, crew, note)
    try:
        return sender.run()
    except BaseException as e:  # noqa: BLE001 - the edge of the threads' work: all of it is raised
        raise part(channel, crew, e) from None
    finally:
        sender.close()


class _Sender:
    def __init__(
        self,
        channel: Channel,
        trees: Sequence[SourceTree],
        settings: TransferSettings,
        crew: Crew,
        note: Callable[[str], None],
    ) -> None:
        self._channel = channel
        self._trees = trees
        self._settings = settings
        self._crew = crew
        self._note = note
        self._excludes = [Excludes(tree.excludes) for tree in trees]
        self._outbox: Pipe[Parcel | None] = Pipe(crew, OUTBOX)
        self._heard: Pipe[m.Message] = Pipe(crew, 0)
        self._asked: Pipe[Listed | None] = Pipe(crew, UNANSWERED)
        self._folders = [_open(tree) for tree in trees]

    def run(self) -> Sent:
        self._crew.start("outbox", self._mail)
        self._crew.start("answers", self._hear)
        hello = tuple(m.Tree(tree.name, tree.excludes) for tree in self._trees)
        self._say(m.Hello(m.PROTOCOL, hello, self._settings.checksum))
        self._expect(m.Welcome)
        self._note("counting files")
        self._say(m.Totals(tuple(self._count())))
        number = 0
        while True:
            number += 1
            troubles = Troubles([tree.mount_point for tree in self._trees])
            changes, digests = self._pass(number, troubles)
            self._note(f"pass {number}: {changes} changes")
            if number == PASSES or (not changes and not troubles.unsettled):
                break
        find_moved(self._folders, self._excludes, troubles, self._crew.check)
        return self._finish(number, digests, troubles)

    def close(self) -> None:
        for folders in self._folders:
            folders.close()

    def _count(self) -> Iterator[m.Total]:
        for folders, excludes in zip(self._folders, self._excludes, strict=True):
            yield count(folders, excludes, self._crew.check)

    def _pass(self, number: int, troubles: Troubles) -> tuple[int, list[TreeDigest]]:
        digests = [TreeDigest() for _ in self._trees]
        outgoing = Outgoing(self._folders, digests, troubles, self._outbox.put, self._crew.check)
        self._say(m.PassBegin(number))
        self._crew.start(f"walk {number}", lambda: self._list(troubles))
        while (listed := self._asked.get()) is not None:
            verdict = self._expect(m.Verdict)
            if verdict.number != listed.number or len(verdict.files) != len(listed.files):
                raise WireError("an answer came that fits no listing")
            outgoing.take(listed, verdict)
        self._say(m.PassEnd(number))
        return self._expect(m.PassDone).changes, digests

    def _list(self, troubles: Troubles) -> None:
        """One walk over all trees; what it lists waits in `_asked` for its answer."""
        number = 0
        for at, tree in enumerate(self._trees):
            with Folders(tree.path) as folders:  # of this thread
                root = entry_of(folders.open(b""), b"")
                troubles.read_at[at, b""] = root.changed_ns
                self._say(m.TreeBegin(at, root))
                parts = walk(folders, self._excludes[at], troubles.reader(at))
                for group in _grouped(parts):
                    troubles.saw(at, group)
                    self._asked.put(Listed(number, at, tuple(_files(group))))
                    self._say(m.Listing(number, group))
                    number += 1
        self._asked.put(None)

    def _finish(self, passes: int, digests: Sequence[TreeDigest], troubles: Troubles) -> Sent:
        proofs = [digest.proof() for digest in digests]
        self._say(m.Finish(tuple(proofs)))
        self._outbox.put(None)
        self._note("waiting until the receiver has all on disk")
        self._expect(m.Finished)
        self._crew.join()
        trees = tuple(
            SentTree(tree.name, proof.files, proof.size, proof.hash.hex())
            for tree, proof in zip(self._trees, proofs, strict=True)
        )
        return Sent(trees, troubles.moving(), troubles.unreadable(), passes)

    def _say(self, message: m.Message) -> None:
        self._outbox.put((message, b""))

    def _expect(self, kind: type[_M]) -> _M:
        message = self._heard.get()
        if not isinstance(message, kind):
            raise WireError(f"{kind.__name__} was due, {type(message).__name__} came")
        return message

    def _mail(self) -> None:
        while (parcel := self._outbox.get()) is not None:
            self._channel.send(*parcel)

    def _hear(self) -> None:
        while True:
            self._crew.check()
            received = self._channel.receive(timeout=TICK_SECONDS)
            if received is None:
                continue
            message = received[0]
            if isinstance(message, m.Failed):
                raise PeerFailed(message.failure)
            self._heard.put(message)
            if isinstance(message, m.Finished):
                return


def _open(tree: SourceTree) -> Folders:
    try:
        return Folders(tree.path)
    except OSError as e:
        raise SourceReadError(f"{tree.mount_point} cannot be read: {e.strerror}") from e


def _grouped(parts: Iterable[m.Folder]) -> Iterator[tuple[m.Folder, ...]]:
    """Small folders travel together."""
    group: list[m.Folder] = []
    entries = size = 0
    for folder in parts:
        part_size = sum(map(weight, folder.entries)) + len(folder.path)
        if group and (entries + len(folder.entries) > PART or size + part_size > PART_SIZE):
            yield tuple(group)
            group, entries, size = [], 0, 0
        group.append(folder)
        entries += len(folder.entries) + 1
        size += part_size
    if group:
        yield tuple(group)


def _files(group: Iterable[m.Folder]) -> Iterator[tuple[int, bytes, m.Entry]]:
    """Index in the listing, folder and entry of each file whose content counts."""
    index = 0
    for folder in group:
        for entry in folder.entries:
            if entry.kind is m.Kind.FILE and not entry.link:
                yield index, folder.path, entry
            index += 1
