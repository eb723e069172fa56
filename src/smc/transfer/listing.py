"""Telling the receiver what the source has, pass by pass: folders surveyed, and listed if that is needed.

One thread looks over the trees, ahead of the caller, who lists the folders that the receiver does not know.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from smc.base.errors import WireError
from smc.transfer.files.folders import Folders, split
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import MOST_ENTRIES, MOST_WEIGHT, Part, Seen, list_folder, look_over
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.troubles import Troubles
from smc.wire import messages as m

GONE_MEANWHILE = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
BATCH = 256  # folders in one survey
LINKED = 64 * 1024  # bytes of packed links in one survey: what waits is held
AHEAD = 64  # surveys that may wait for their answer: enough for a long line


class Line(Protocol):
    """The control connection, as the listing uses it."""

    def say(self, message: m.Message) -> None: ...

    def known(self) -> m.Known:
        """The next answer to a survey."""
        ...


class Listed(NamedTuple):
    """A folder whose turn has come: proved already, or a listing that must be answered."""

    tree: int
    path: bytes
    proof: m.FolderProof | None
    listing: m.Listing | None


class _Batch(NamedTuple):
    tree: int
    number: int  # of the survey; -1 when the receiver was not asked
    folders: list[Seen]


@dataclass(frozen=True)
class Trees:
    """By number. `ahead` are the same folders as `folders`, for the thread that looks ahead.

    `known`: whether the receiver may know folders of the tree.
    """

    folders: Sequence[Folders]
    ahead: Sequence[Folders]
    excludes: Sequence[Excludes]
    known: Sequence[bool]


class Lister:
    """Of one pass."""

    def __init__(
        self, line: Line, trees: Trees, troubles: Troubles, crew: Crew, count: Callable[[], None] | None
    ) -> None:
        """The thread that looks ahead tells the totals when it is through.

        `count` tells them too, faster where the receiver is slow; None: they are known.
        """
        self._line = line
        self._trees = trees
        self._troubles = troubles
        self._crew = crew
        self._count = count
        self._batches: Pipe[_Batch | None] = Pipe(crew, AHEAD)
        self._numbers = 0
        self._named = _Named()

    def run(self, name: str) -> Iterator[Listed]:
        """In the order of the walk. What has a listing is to be said by the caller."""
        self._crew.start(name, self._look)
        while (batch := self._batches.get()) is not None:
            proofs: Sequence[m.FolderProof | None] = (None,) * len(batch.folders)
            if batch.number >= 0:
                answer = self._line.known()
                proofs = answer.folders
                if answer.number != batch.number or len(proofs) != len(batch.folders):
                    raise WireError("an answer came that fits no survey")
            yield from self._list(batch, proofs)

    def _list(self, batch: _Batch, proofs: Sequence[m.FolderProof | None]) -> Iterator[Listed]:
        unknown: list[Seen] = []
        for seen, proof in zip(batch.folders, proofs, strict=True):
            yield Listed(batch.tree, seen.path, proof, None)
            if proof is None:
                unknown.append(seen)
        for group in _grouped(self._parts(batch.tree, unknown)):
            self._troubles.saw(batch.tree, group)
            yield Listed(batch.tree, b"", None, m.Listing(self._numbers, batch.tree, group))
            self._numbers += 1

    def _parts(self, tree: int, unknown: Iterable[Seen]) -> Iterator[Part]:
        folders, excludes = self._trees.folders[tree], self._trees.excludes[tree]
        bare = not self._trees.known[tree]  # then the content of each file is read, whatever the answer
        unreadable = self._troubles.reader(tree)
        for seen in unknown:
            here = seen if self._named.has(seen.path) else Seen(seen.path, failure=GONE_MEANWHILE)
            for part in list_folder(folders, here, excludes, unreadable, bare=bare):
                self._named.add(part.folder)
                yield part

    def _look(self) -> None:
        number = 0
        totals: list[m.Total] = []
        for tree, folders in enumerate(self._trees.ahead):
            files = size = 0
            for batch in _batches(look_over(folders, self._trees.excludes[tree], self._crew.check)):
                files += sum([seen.files for seen in batch])
                size += sum([seen.stored for seen in batch])
                if self._batches.full():
                    self._count_apart()
                if self._trees.known[tree]:
                    surveyed = tuple(m.Surveyed(s.path, s.digest, s.files, s.stored) for s in batch)
                    self._line.say(m.Survey(number, tree, surveyed))
                    self._batches.put(_Batch(tree, number, batch))
                    number += 1
                else:
                    self._batches.put(_Batch(tree, -1, batch))
            totals.append(m.Total(files, size))
        self._batches.put(None)
        if self._count is not None:
            self._line.say(m.Totals(tuple(totals)))

    def _count_apart(self) -> None:
        """This thread has to wait: the totals are found by one that has not."""
        count, self._count = self._count, None
        if count is not None:
            self._crew.start("count", count)


class _Named:
    """The folders that listings named: one that was seen, but not when its parent was listed, has no place.

    It has gone since, or the parent could not be read. Asked in the order of the walk.
    """

    def __init__(self) -> None:
        self._above: list[tuple[bytes, set[bytes]]] = []  # listed folders above the last, with those in them

    def has(self, path: bytes) -> bool:
        """True too below a folder that the receiver knows."""
        if not path:
            self._above.clear()
            return True
        parent, name = split(path)
        while self._above and not _is_at_or_below(parent, self._above[-1][0]):
            self._above.pop()
        return not self._above or self._above[-1][0] != parent or name in self._above[-1][1]

    def add(self, folder: m.Folder) -> None:
        if folder.first:
            self._above.append((folder.path, set()))
        kind = m.Kind.FOLDER
        self._above[-1][1].update([entry.name for entry in folder.entries if entry.kind is kind])


def _is_at_or_below(path: bytes, folder: bytes) -> bool:
    return not folder or path == folder or path.startswith(folder + b"/")


def count(folders: Folders, excludes: Excludes, check: Callable[[], None]) -> m.Total:
    """Files and the bytes that they hold, by names and sizes alone. `check` may raise to end it."""
    files = size = 0
    for seen in look_over(folders, excludes, check):
        files += seen.files
        size += seen.stored
    return m.Total(files, size)


def _batches(folders: Iterable[Seen]) -> Iterator[list[Seen]]:
    batch: list[Seen] = []
    linked = 0
    for seen in folders:
        batch.append(seen)
        linked += len(seen.links or b"")
        if len(batch) == BATCH or linked >= LINKED:
            yield batch
            batch, linked = [], 0
    if batch:
        yield batch


def _grouped(parts: Iterable[Part]) -> Iterator[tuple[m.Folder, ...]]:
    """Small folders travel together."""
    group: list[m.Folder] = []
    entries = weight = 0
    for folder, weighs in parts:
        if group and (entries + len(folder.entries) > MOST_ENTRIES or weight + weighs > MOST_WEIGHT):
            yield tuple(group)
            group, entries, weight = [], 0, 0
        group.append(folder)
        entries += len(folder.entries) + 1
        weight += weighs
    if group:
        yield tuple(group)
