"""What the receiver has of files whose content may not be needed: hashed, or signed block by block.

It has a thread of its own, so that listings go on being answered while large files are read.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from smc.transfer.contents import Contents
from smc.transfer.delta import sign
from smc.transfer.files.entry import open_quietly
from smc.transfer.files.folders import Folders, join
from smc.transfer.files.pieces import Pieces
from smc.transfer.files.temporary import TemporaryName
from smc.transfer.ledger import Ledger
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.target import TargetTree
from smc.transfer.verify import hash_of_pieces, hash_piece
from smc.wire import messages as m

FEW = 64  # hashes told at once
HELD_BACK = 16 << 20  # bytes hashed before a hash is told: a moment, on a slow disk a second
BLOCKS = 1 << 20  # bytes of a signature in one message


class _Task(NamedTuple):
    listing: int
    target: TargetTree
    entry_index: int
    folder: bytes
    entry: m.Entry
    answer: m.Answer
    last: bool  # of its listing


class Examiner:
    """Of one connection; `say` sends on the control connection."""

    def __init__(
        self,
        contents: Contents,
        temporary_name: TemporaryName,
        say: Callable[[m.Message], None],
        crew: Crew,
    ) -> None:
        self._contents = contents
        self._temporary_name = temporary_name
        self._say = say
        self._crew = crew
        self._tasks: Pipe[_Task | None] = Pipe(crew, 0)
        self._hashed: list[tuple[int, bytes]] = []  # of one listing, not told yet
        self._since = 0  # bytes that they took
        self._listing = -1

    def examine(self, ledger: Ledger, answers: Sequence[m.FileAnswer], target: TargetTree) -> None:
        """What was promised with the answers to a listing."""
        tasks = [
            _Task(ledger.number, target, index, folder, entry, answer.answer, last=False)
            for (index, folder, entry), answer in zip(ledger.files, answers, strict=True)
            if answer.answer in (m.Answer.COMPARE, m.Answer.DIFFER)
        ]
        for task in tasks[:-1]:
            self._tasks.put(task)
        if tasks:
            self._tasks.put(tasks[-1]._replace(last=True))

    def run(self) -> None:
        """Until `end`. `TargetWriteError` for what cannot be read: it cannot be trusted either."""
        folders: dict[str, Folders] = {}
        try:
            while (task := self._tasks.get()) is not None:
                if task.target.name not in folders:
                    folders[task.target.name] = Folders(task.target.path)
                with task.target.blamed(join(task.folder, task.entry.name)):
                    self._examine(task, folders[task.target.name])
        finally:
            for opened in folders.values():
                opened.close()

    def end(self) -> None:
        self._tasks.put(None)

    def _examine(self, task: _Task, folders: Folders) -> None:
        if task.listing != self._listing:
            folders.begin_again()  # any folder may have been replaced since it was opened
            self._listing = task.listing
        folder = folders.open(task.folder)
        if task.answer is m.Answer.DIFFER or self._since + task.entry.size > HELD_BACK:
            self._tell()
        if task.answer is m.Answer.DIFFER:
            self._sign(task, folder)
        else:
            handle = open_quietly(folder, task.entry.name)
            try:
                content = self._hash(handle, task.entry.size)
            finally:
                os.close(handle)
            self._contents.offer_hash(task.listing, task.entry_index, content)
            self._hashed.append((task.entry_index, content))
            self._since += task.entry.size
        if task.last or len(self._hashed) == FEW:
            self._tell()

    def _tell(self) -> None:
        if self._hashed:
            self._say(m.Examined(self._listing, tuple(self._hashed)))
        self._hashed, self._since = [], 0

    def _hash(self, handle: int, size: int) -> bytes:
        hashes: dict[int, bytes] = {}
        pieces = Pieces(handle, size)
        for number in pieces.numbers():
            self._crew.check()
            hashes[number] = hash_piece(pieces.read(number)[0])
        return hash_of_pieces(size, hashes)

    def _sign(self, task: _Task, folder: int) -> None:
        """Of what an interrupted connection left, else of what has the name."""
        try:
            handle = open_quietly(folder, self._temporary_name(task.entry.name))
        except FileNotFoundError:
            handle = open_quietly(folder, task.entry.name)
        self._contents.offer_older(task.listing, task.entry_index, handle)
        signature = sign(handle, os.fstat(handle).st_size, self._crew.check)
        blocks = memoryview(signature.blocks)
        for at in range(0, len(blocks), BLOCKS) or (0,):
            part = bytes(blocks[at : at + BLOCKS])
            last = at + BLOCKS >= len(blocks)
            self._say(
                m.Signature(task.listing, task.entry_index, signature.size, signature.block, part, last)
            )
