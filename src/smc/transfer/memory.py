"""What outlives a connection at the receiver: counters, half-received files, an index of what was written.

The counters and the half-received files live as long as the receiver's program; the index is on its disk, so
that a receiver that was started again, or the next round, knows what is proved already.
"""

import hashlib
import logging
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from smc.base.errors import Transient
from smc.base.files import write_atomic
from smc.transfer.files.incoming import Incoming
from smc.transfer.files.temporary import KEY_SIZE, temporary_names
from smc.transfer.index import Index
from smc.wire.messages import Entry

log = logging.getLogger(__name__)

KEY = "names.key"  # in the folder of the index: half-received files are found again by another program

State = tuple[int, int, int, int]  # size, mtime ns, ctime ns, inode of the source's file


class _Half(NamedTuple):
    state: State
    incoming: Incoming


class Memory:
    """`resent` and `wire` count over all connections; `done` is the most that was reached, by disk.

    In `folder`, if there is one, is the index, and what a pass cannot hold in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """None keeps the index in memory."""
        self.resent = 0
        self.wire = 0
        self.files_done = 0
        self.done: dict[int, int] = {}
        self.stragglers: threading.Thread | None = None  # waits for threads of the connection before
        self.temporary_name = temporary_names(_key(folder))
        self.folder = folder
        self._indexes: dict[str, tuple[str, Index]] = {}
        self._halves: dict[tuple[str, bytes], _Half] = {}

    def index(self, tree: str, excludes: Sequence[str]) -> Index:
        """Of the tree of this name; with other excludes than before it begins empty."""
        key = hashlib.sha256("\0".join((tree, *excludes)).encode(errors="surrogateescape")).hexdigest()
        known = self._indexes.get(tree)
        if known is not None and known[0] == key:
            return known[1]
        if known is not None:
            known[1].close()
        path = self.folder / f"{tree}.index" if self.folder is not None else None
        index = Index(path, key)
        self._indexes[tree] = key, index
        return index

    def refuse_while_stuck(self) -> None:
        """What a thread of an earlier connection still writes must not meet what the next one writes."""
        if self.stragglers is not None and self.stragglers.is_alive():
            raise Transient(
                "the target's disk has not answered since the connection before this one",
                code="Transfer.Stuck",
                hint="Look at the disks of the intermediate instance.",
            )

    def keep_half(self, tree: str, path: bytes, entry: Entry, incoming: Incoming) -> None:
        """What came of a file before the connection was cut."""
        self._drop(self._halves.pop((tree, path), None))
        self._halves[tree, path] = _Half(state_of(entry), incoming)

    def take_half(self, tree: str, path: bytes, entry: Entry) -> Incoming | None:
        """What came of the source's file in this state."""
        half = self._halves.pop((tree, path), None)
        if half is not None and half.state == state_of(entry):
            return half.incoming
        self._drop(half)
        return None

    def let_go(self) -> None:
        """Of half-received files: the target can be unmounted. What came of them stays on its disk."""
        while self._halves:
            self._halves.popitem()[1].incoming.close()

    def close(self) -> None:
        """What a stuck thread uses stays open."""
        if self.stragglers is not None and self.stragglers.is_alive():
            return
        self.let_go()
        for _, index in self._indexes.values():
            index.close()
        self._indexes.clear()

    def _drop(self, half: _Half | None) -> None:
        if half is not None:
            self.resent += half.incoming.received
            half.incoming.close()


def _key(folder: Path | None) -> bytes:
    """Kept, if its disk can do that: without it what an earlier program left half received is of no use."""
    fresh = secrets.token_bytes(KEY_SIZE)
    if folder is None:
        return fresh
    try:
        kept = _read(folder / KEY)
        if len(kept) == KEY_SIZE:
            return kept
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(folder / KEY, fresh, mode=0o600)
    except OSError as e:
        log.warning("the key of temporary names cannot be kept: %s", e)
    return fresh


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def state_of(entry: Entry) -> State:
    return entry.size, entry.mtime_ns, entry.changed_ns, entry.inode
