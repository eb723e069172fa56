"""A hive of the Windows registry, read from its bytes; the BCD of the boot manager is one too.

A reader of our own for the reasons of `ntfs.py`. Layout as in the registry format specification of the
libregf project; offsets are relative to byte 4096 and lead to cells, which begin with their size.

| cell | what | at |
|---|---|---|
| `nk`, a key | subkeys: count, list; values: count, list; name: length, text | 20, 28; 36, 40; 72, 76 |
| `vk`, a value | length of the name; size, place, type of the data; flags; the name | 2; 4, 8, 12; 16; 20 |
| `lf` `lh` `li` `ri`, a list | count, places (`lf`, `lh`: each with a hash; `ri`: of lists) | 2, 4 |
"""

import struct
from collections.abc import Iterator

BASE = 4096
LATIN, LATIN_VALUE = 0x20, 1  # flags: the name has one byte a character
INLINE = 0x80000000
STEPS = 1 << 20  # cells looked at for one question: a hive that leads in circles ends too
TEXT, EXPANDED, NUMBER, TEXTS = 1, 2, 4, 7
LARGEST_VALUE = 16344  # larger ones are in pieces; none that is asked for here
LEAST = {b"nk": 76, b"vk": 20, b"": 4}  # bytes of a cell
DEPTH = 2  # lists of lists are never deeper

Value = str | int | bytes | tuple[str, ...]


class Damaged(ValueError):
    """The hive is not as it is to be."""


class Hive:
    """Keys are named by paths with backslashes; case does not count. Every question may raise `Damaged`."""

    def __init__(self, content: bytes) -> None:
        if len(content) < BASE or content[:4] != b"regf":
            raise Damaged("it does not begin as a hive does")
        first, second = struct.unpack_from("<II", content, 4)
        total = 0
        for (word,) in struct.iter_unpack("<I", content[:508]):
            total ^= word
        total = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)
        if struct.unpack_from("<I", content, 508)[0] != total:
            raise Damaged("the sum of its first block is wrong")
        self.is_dirty = first != second  # Windows takes the rest from its log at the next start
        self._content = content
        self._root = int.from_bytes(content[36:40], "little")
        self._steps = 0

    def has(self, key: str) -> bool:
        return self._find(key) is not None

    def keys(self, key: str) -> list[str]:
        """Names of what is below; none when it is not there."""
        at = self._find(key)
        return [] if at is None else [_name(self._cell(below, b"nk")) for below in self._below(at)]

    def value(self, key: str, name: str) -> Value | None:
        at = self._find(key)
        for value in self._values(at) if at is not None else ():
            length, _, _, _, flags = struct.unpack_from("<HIIIH", value, 2)
            if _text(value[20 : 20 + length], latin=bool(flags & LATIN_VALUE)).upper() == name.upper():
                return self._data(value)
        return None

    def text(self, key: str, name: str) -> str:
        """ "" for what is not there or is no text."""
        found = self.value(key, name)
        return found if isinstance(found, str) else ""

    def number(self, key: str, name: str) -> int | None:
        found = self.value(key, name)
        return found if isinstance(found, int) else None

    def texts(self, key: str, name: str) -> tuple[str, ...]:
        found = self.value(key, name)
        return found if isinstance(found, tuple) else (found,) if isinstance(found, str) and found else ()

    def _find(self, key: str) -> int | None:
        self._steps = 0
        at = self._root
        for step in key.split("\\") if key else ():
            wanted = step.upper()
            below = self._below(at)
            found = next((each for each in below if _name(self._cell(each, b"nk")).upper() == wanted), None)
            if found is None:
                return None
            at = found
        return at

    def _below(self, at: int) -> Iterator[int]:
        cell = self._cell(at, b"nk")
        if struct.unpack_from("<I", cell, 20)[0]:
            yield from self._list(struct.unpack_from("<I", cell, 28)[0], DEPTH)

    def _list(self, at: int, depth: int) -> Iterator[int]:
        cell = self._cell(at)
        kind, count = cell[:2], struct.unpack_from("<H", cell, 2)[0]
        width = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind)
        if width is None or depth == 0 or 4 + count * width > len(cell):
            raise Damaged("a key whose list of keys is none")
        for number in range(count):
            (place,) = struct.unpack_from("<I", cell, 4 + number * width)
            if kind == b"ri":
                yield from self._list(place, depth - 1)
            else:
                yield place

    def _values(self, at: int) -> Iterator[bytes]:
        cell = self._cell(at, b"nk")
        count, place = struct.unpack_from("<I", cell, 36)[0], struct.unpack_from("<I", cell, 40)[0]
        if not count:
            return
        places = self._cell(place)
        if 4 * count > len(places):
            raise Damaged("a key whose list of values is cut off")
        for number in range(count):
            yield self._cell(struct.unpack_from("<I", places, 4 * number)[0], b"vk")

    def _data(self, value: bytes) -> Value:
        size, place, kind = struct.unpack_from("<III", value, 4)
        if size & INLINE:
            data = value[8 : 8 + min(size & ~INLINE, 4)]
        elif size > LARGEST_VALUE:
            raise Damaged(f"a value of {size} bytes")
        else:
            data = self._cell(place)[:size] if size else b""
        match kind:
            case 1 | 2:  # TEXT, EXPANDED
                return data.decode("utf-16-le", "replace").split("\0")[0]
            case 7:
                return tuple(word for word in data.decode("utf-16-le", "replace").split("\0") if word)
            case 4 if len(data) == 4:
                return int.from_bytes(data, "little")
            case _:
                return data

    def _cell(self, at: int, kind: bytes = b"") -> bytes:
        self._steps += 1
        if self._steps > STEPS or BASE + at + 4 > len(self._content):
            raise Damaged("a cell outside of the hive")
        (size,) = struct.unpack_from("<i", self._content, BASE + at)
        if size >= 0 or -size > len(self._content) - BASE - at:
            raise Damaged("a cell that is free or cut off")
        cell = self._content[BASE + at + 4 : BASE + at - size]
        if not cell.startswith(kind) or len(cell) < LEAST[kind]:
            raise Damaged(f"a cell that is no {kind.decode()}")
        return cell


def _name(cell: bytes) -> str:
    flags, length = struct.unpack_from("<H", cell, 2)[0], struct.unpack_from("<H", cell, 72)[0]
    return _text(cell[76 : 76 + length], latin=bool(flags & LATIN))


def _text(raw: bytes, *, latin: bool) -> str:
    return raw.decode("latin-1") if latin else raw.decode("utf-16-le", "replace")
