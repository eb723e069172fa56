"""What the end of a pass is for at the target: hard links when all contents are there, then the folders' own
metadata. In bounded memory, for a tree may have millions of both.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

import msgspec
import xxhash

from smc.transfer.files.backlog import Backlog
from smc.wire.messages import Entry

LENGTH = Struct("<I")  # of a name's path, before it and the path of the first name


class LinksToMake:
    """Paths of names that are not the first of their inode, with the first's; in the order of the walk."""

    def __init__(self, folder: Path | None) -> None:
        self._backlog = Backlog(folder)

    def add(self, path: bytes, first: bytes) -> None:
        self._backlog.append(LENGTH.pack(len(path)) + path + first)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for record in self._backlog:
            end = LENGTH.size + LENGTH.unpack_from(record)[0]
            yield record[LENGTH.size : end], record[end:]

    def close(self) -> None:
        """Forget all; another pass can begin."""
        self._backlog.close()


class _State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    path: bytes
    entry: Entry
    own: bool


class FolderStates:
    """How folders shall be: as they say themselves when they are listed, else as their parents list them."""

    def __init__(self, folder: Path | None) -> None:
        self._backlog = Backlog(folder)
        self._seed = int.from_bytes(os.urandom(8), "little")  # nobody can prepare two paths that are one here
        self._decoder = msgspec.msgpack.Decoder(_State)

    def add(self, path: bytes, entry: Entry, *, own: bool = False) -> None:
        self._backlog.append(msgspec.msgpack.encode(_State(path, entry, own)))

    def from_the_bottom(self) -> Iterator[tuple[bytes, Entry, bool]]:
        """Each folder once, before those above it, and whether it said this itself: it was listed."""
        said: set[int] = set()  # folders that said it themselves, which comes later in the walk
        for record in reversed(self._backlog):
            state = self._decoder.decode(record)
            key = xxhash.xxh3_64_intdigest(state.path, self._seed)
            if state.own:
                said.add(key)
            elif key in said:
                said.discard(key)
                continue
            yield state.path, state.entry, state.own

    def close(self) -> None:
        """Forget all; another pass can begin."""
        self._backlog.close()
