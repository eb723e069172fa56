"""Reading the contents that the receiver asked for, in the order of the listing."""

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from smc.base.errors import WireError
from smc.transfer.files.content import hash_content, read_blocks
from smc.transfer.files.entry import entry_of, open_quietly
from smc.transfer.files.folders import Folders, join
from smc.transfer.files.walk import GONE
from smc.transfer.troubles import Troubles
from smc.transfer.verify import BLOCK, ContentHash, TreeDigest, hash_bytes
from smc.wire import messages as m

SMALL = 256 * 1024  # a file up to this size travels with others
TOGETHER = 512 * 1024  # bytes of small files in one message
TRIES = 3  # readings of a file that changes meanwhile; after that, the next pass has the next try
TRY_AGAIN_UP_TO = 64 << 20  # a larger file waits for the next pass at once
FRESH_NS = 100_000_000  # a change so short before the reading may share its time stamp with a later one
COARSE_NS = 2_000_000_000  # where a filesystem keeps whole seconds
SECOND_NS = 1_000_000_000

Parcel = tuple[m.Message, bytes]
_States = tuple[os.stat_result, os.stat_result]


@dataclass(frozen=True)
class Listed:
    """A listing that waits for its answer: its files as (index, folder, entry)."""

    number: int
    tree: int
    files: tuple[tuple[int, bytes, m.Entry], ...]


@dataclass
class _Together:
    files: list[m.Sent] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    size: int = 0


class Outgoing:
    """The contents of one pass; `send` takes messages in order."""

    def __init__(
        self,
        folders: Sequence[Folders],
        digests: Sequence[TreeDigest],
        troubles: Troubles,
        send: Callable[[Parcel], None],
        check: Callable[[], None],
    ) -> None:
        self._check = check
        self._folders = folders
        self._digests = digests
        self._troubles = troubles
        self._send = send
        self._together = _Together()

    def take(self, listed: Listed, verdict: m.Verdict) -> None:
        for (index, folder, entry), answer in zip(listed.files, verdict.files, strict=True):
            path = join(folder, entry.name)
            if answer.answer is m.Answer.KEPT:
                self._digests[listed.tree].add(path, entry.size, answer.hash)
                continue
            file = _File(listed, index, folder, entry, path)
            try:
                handle = open_quietly(self._folders[listed.tree].open(folder), entry.name)
            except OSError as e:
                self._miss(file, e)
                continue
            try:
                self._take_open(file, handle, answer)
            finally:
                os.close(handle)
        self._flush(listed)
        self._send((m.ListingDone(listed.number), b""))

    def _take_open(self, file: "_File", handle: int, answer: m.FileAnswer) -> None:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            self._miss(file, None)
            return
        try:
            if answer.answer is m.Answer.COMPARE and self._is_same(file, handle, state, answer):
                return
            if state.st_size <= SMALL and answer.answer is not m.Answer.GO_ON and _is_full(handle, state):
                self._send_small(file, handle, state)
            else:
                self._flush(file.listed)
                self._stream(file, handle, answer)
        except OSError as e:
            self._miss(file, e)

    def _is_same(self, file: "_File", handle: int, before: os.stat_result, answer: m.FileAnswer) -> bool:
        size = before.st_size
        if size != file.entry.size or hash_content(handle, size, self._check).digest(size) != answer.hash:
            return False
        after = os.fstat(handle)
        if after.st_size != size:
            return False
        sent = self._sent(file, handle, (before, after), size, answer.hash)
        self._flush(file.listed)
        self._send((m.Same(file.listed.number, sent), b""))
        return True

    def _send_small(self, file: "_File", handle: int, before: os.stat_result) -> None:
        for _ in range(TRIES):
            data = os.pread(handle, before.st_size, 0)
            states = before, os.fstat(handle)
            if _same_state(*states) and len(data) == before.st_size:
                break
            before = states[1]
        together = self._together
        if together.size + len(data) > TOGETHER:
            self._flush(file.listed)
            together = self._together
        together.files.append(self._sent(file, handle, states, len(data), hash_bytes(data)))
        together.contents.append(data)
        together.size += len(data)

    def _flush(self, listed: Listed) -> None:
        together, self._together = self._together, _Together()
        if together.files:
            self._send((m.Small(listed.number, tuple(together.files)), b"".join(together.contents)))

    def _stream(self, file: "_File", handle: int, answer: m.FileAnswer) -> None:
        content = ContentHash()
        if answer.answer is m.Answer.GO_ON:
            content = self._hash_beginning(handle, answer)
            if not content.position:
                self._again(file)
        for left in reversed(range(TRIES)):
            before = os.fstat(handle)
            for block in read_blocks(handle, before.st_size, content.position):
                content.feed(block.offset, block.data)
                piece = m.Piece(file.listed.number, file.index, block.offset, len(block.data), block.extents)
                self._send((piece, block.stored()))
            states = before, os.fstat(handle)
            if _same_state(*states) or not left or before.st_size > TRY_AGAIN_UP_TO:
                break
            self._again(file)
            content = ContentHash()
        size = max(before.st_size, content.position)
        sent = self._sent(file, handle, states, size, content.digest(size))
        self._send((m.Whole(file.listed.number, sent), b""))

    def _hash_beginning(self, handle: int, answer: m.FileAnswer) -> ContentHash:
        """Of what an earlier connection brought; at position 0 when it was something else."""
        if answer.size % BLOCK or answer.size <= 0:
            raise WireError("the receiver goes on within a block")
        if os.fstat(handle).st_size >= answer.size:
            content = hash_content(handle, answer.size, self._check)
            if content.copy().digest(answer.size) == answer.hash:
                return content
        return ContentHash()

    def _again(self, file: "_File") -> None:
        self._send((m.Again(file.listed.number, file.index), b""))

    def _sent(self, file: "_File", handle: int, states: _States, size: int, content: bytes) -> m.Sent:
        """What is told of a content; `states` are those before and after it was read."""
        before, after = states
        settled = _same_state(before, after) and size == before.st_size and not _is_fresh(before)
        entry = None
        if size != file.entry.size or not _is_listed_state(file.entry, after):
            entry = msgspec.structs.replace(entry_of(handle, file.entry.name, after), size=size)
        key = file.listed.tree, file.path
        self._troubles.read_at[key] = after.st_ctime_ns
        if not settled:
            self._troubles.unsettled += 1
            self._troubles.moves(*key, "it was being written while it was copied")
        self._digests[file.listed.tree].add(file.path, size, content)
        return m.Sent(file.index, size, content, settled, entry)

    def _miss(self, file: "_File", error: OSError | None) -> None:
        self._flush(file.listed)
        self._send((m.Missing(file.listed.number, file.index), b""))
        if error is None or error.errno in GONE:
            self._troubles.moves(file.listed.tree, file.path, "it vanished while it was copied")
        else:
            self._troubles.cannot_read(file.listed.tree, file.path, error)


@dataclass(frozen=True)
class _File:
    listed: Listed
    index: int
    folder: bytes
    entry: m.Entry
    path: bytes


def _same_state(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns) == (
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
    )


def _is_listed_state(entry: m.Entry, state: os.stat_result) -> bool:
    listed = entry.size, entry.mtime_ns, entry.changed_ns
    return listed == (state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _is_fresh(state: os.stat_result) -> bool:
    """Whether a change after the reading could bear the same time stamp."""
    coarse = state.st_ctime_ns % SECOND_NS == 0
    return time.time_ns() - state.st_ctime_ns < (COARSE_NS if coarse else FRESH_NS)


def _is_full(handle: int, state: os.stat_result) -> bool:
    """Without holes."""
    return not state.st_size or os.lseek(handle, 0, os.SEEK_HOLE) >= state.st_size
