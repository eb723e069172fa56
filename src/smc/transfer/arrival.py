"""What one message of a stream brings, checked and, for small files, written in bulk."""

import errno
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec

from smc.base.errors import WireError
from smc.transfer import native
from smc.transfer.files.entry import check_entry, open_quietly, write_flags
from smc.transfer.files.folders import Folders, join
from smc.transfer.files.incoming import write_whole
from smc.transfer.files.temporary import TemporaryName
from smc.transfer.ledger import Item
from smc.transfer.target import TargetTree
from smc.wire import messages as m

WELL = 0, 0  # of native.write_files: no error at no step,
RENAME = 7  # and the last step
MOST_BYTES = 1 << 63  # what the kernel can name of a file
MOST_PIECES = MOST_BYTES // m.PIECE


class Places:
    """Folders of the targets, opened by one thread; good for one pass: in others, folders are replaced."""

    def __init__(self, roots: Mapping[str, Path]) -> None:
        self._roots = roots
        self._folders: dict[str, Folders] = {}
        self._pass = 0

    def begin(self, number: int) -> None:
        """What follows belongs to this pass."""
        if number != self._pass:
            self.close()
            self._pass = number

    def open(self, tree: str, path: bytes) -> int:
        folders = self._folders.get(tree)
        if folders is None:
            folders = self._folders[tree] = Folders(self._roots[tree])
        return folders.open(path)

    def close(self) -> None:
        while self._folders:
            self._folders.popitem()[1].close()


def write_small(
    files: tuple[m.Sent, ...],
    items: Sequence[Item],
    content: memoryview,
    target: TargetTree,
    free: frozenset[bytes],
    places: Places,
    temporary_name: TemporaryName,
) -> None:
    """Write whole files, folder by folder; `items` are these files as they were when they were read.

    `WireError` for contents that are not what is said of them. In a `free` folder nothing can be seen of an
    older content, so a file gets its name at once.
    """
    try:
        wrong = native.check_contents(content, files)
    except ValueError as e:
        raise WireError("small files came with another length of content") from e
    if wrong >= 0:
        raise WireError(f"the content of {items[wrong][2].name!r} is not what was announced")
    offset = 0
    for folder, group in groupby(items, key=itemgetter(1)):
        with target.blamed(folder):
            handle = places.open(target.name, folder)
        orders: list[native.ToWrite] = []
        for _, _, entry in group:
            orders.append((entry.name if folder in free else temporary_name(entry.name), entry, offset))
            offset += entry.size
        found = native.write_files(handle, orders, content)
        if found.count(WELL) == len(found) and not max([entry.flags for _, entry, _ in orders]):
            continue  # as nearly always
        for order, (error, step) in zip(orders, found, strict=True):
            if error or order[1].flags:
                _look_after(order, folder, content, handle, target, error, step)


def newer(entry: m.Entry, sent: m.Sent) -> m.Entry:
    """The entry as it was when its content was read."""
    if not 0 <= sent.size < MOST_BYTES:
        raise WireError(f"{entry.name!r} came with {sent.size} bytes")
    if sent.entry is None:
        if sent.size != entry.size:
            raise WireError(f"{entry.name!r} came with {sent.size} bytes, not the {entry.size} listed")
        return entry
    if sent.entry.kind is not m.Kind.FILE or sent.entry.size != sent.size or sent.entry.link:
        raise WireError(f"{entry.name!r} came as something else than it was listed")
    return msgspec.structs.replace(check_entry(sent.entry), name=entry.name)


def check_piece(piece: m.Piece, length: int) -> None:
    """Its parts lie in order within it, and the content has their length."""
    at = total = 0
    parts = sorted(
        [(start, size, 0) for start, size in piece.extents] + [(s, n, 1) for s, n, _ in piece.copies]
    )
    for start, size, copied in parts:
        if start < at or size <= 0:
            raise WireError("the extents of a piece are out of order")
        at = start + size
        total += 0 if copied else size
    if piece.kept:
        at, total = piece.size, 0
    elif not parts:
        at = total = piece.size
    fits = 0 < at <= piece.size <= m.PIECE and total == length and 0 <= piece.number < MOST_PIECES
    if piece.attempt < 0 or not fits or any(not 0 <= source < MOST_BYTES for *_, source in piece.copies):
        raise WireError("a piece does not fit its place")


def _look_after(
    order: "native.ToWrite",
    folder: bytes,
    content: memoryview,
    handle: int,
    target: TargetTree,
    error: int,
    step: int,
) -> None:
    """Flags, and what could not be written in bulk."""
    temporary, entry, offset = order
    with target.blamed(join(folder, entry.name)):
        if error == errno.EPERM and step == RENAME:  # what has the name is immutable
            write_whole(handle, temporary, entry, content[offset : offset + entry.size])
        elif error:
            raise OSError(error, os.strerror(error))
        elif entry.flags:
            opened = open_quietly(handle, entry.name)
            try:
                write_flags(opened, entry.flags)
            finally:
                os.close(opened)
