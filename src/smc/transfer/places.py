"""Where the records of folders are in the index: of a million folders, in 170 bytes of memory each."""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import xxhash

HEAD = Struct("<QI")  # offset and size; the survey at the target follows


class Place(NamedTuple):
    """Of a record; `target` is the survey of the target's folder when it was in order, if that is known."""

    offset: int
    size: int
    target: bytes = b""


class Places:
    """By path. Two paths can have the same place by chance: the record says whose it is."""

    def __init__(self) -> None:
        self._packed: dict[int, bytes] = {}  # objects of their own would take twice as much

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[Place]:
        return map(_unpack, self._packed.values())

    def get(self, path: bytes) -> Place | None:
        packed = self._packed.get(xxhash.xxh3_64_intdigest(path))
        return None if packed is None else _unpack(packed)

    def put(self, path: bytes, place: Place) -> None:
        packed = HEAD.pack(place.offset, place.size) + place.target
        self._packed[xxhash.xxh3_64_intdigest(path)] = packed

    def pop(self, path: bytes) -> Place | None:
        packed = self._packed.pop(xxhash.xxh3_64_intdigest(path), None)
        return None if packed is None else _unpack(packed)

    def clear(self) -> None:
        self._packed.clear()


def _unpack(packed: bytes) -> Place:
    offset, size = HEAD.unpack_from(packed)
    return Place(offset, size, packed[HEAD.size :])
