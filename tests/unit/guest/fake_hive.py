"""Hives of a registry made here; that they are right is judged by hivex (kernel ring)."""

import struct
from collections.abc import Mapping

BASE, BLOCK = 4096, 4096
NONE = 0xFFFFFFFF
Given = str | int | bytes | tuple[str, ...]
Keys = Mapping[str, "Given | Keys"]  # a value, or a key below


def hive(keys: Keys, *, dirty: bool = False) -> bytes:
    """A nested mapping as a hive: mappings are keys, all else is values."""
    cells = _Cells()
    root = cells.key("ROOT", keys, NONE, 0x2C)
    body = cells.packed()
    head = bytearray(BASE)
    struct.pack_into("<4sII8xIIIIIII", head, 0, b"regf", 7, 6 if dirty else 7, 1, 5, 0, 1, root, len(body), 1)
    total = 0
    for (word,) in struct.iter_unpack("<I", head[:508]):
        total ^= word
    struct.pack_into("<I", head, 508, total)
    return bytes(head) + body


def paths(found: Mapping[str, Given]) -> Keys:
    r"""`{"a\\b\\name": value}` as nested keys; a path that ends with a backslash is a key of its own."""
    keys: dict[str, object] = {}
    for path, value in found.items():
        *steps, name = path.split("\\")
        at = keys
        for step in steps:
            below = at.setdefault(step, {})
            assert isinstance(below, dict)
            at = below
        if name:
            at[name] = value
    return keys  # type: ignore[return-value]  # nested as it is


class _Cells:
    def __init__(self) -> None:
        self._body = bytearray(32)
        self._security = self._add(bytes(24))  # one for all keys: nobody asks for it, hivex counts its users
        struct.pack_into("<2s2xIIII", self._body, 36, b"sk", 32, 32, 1 << 16, 4)

    def packed(self) -> bytes:
        rest = -len(self._body) % BLOCK
        body = self._body + (struct.pack("<i", rest) + bytes(rest - 4) if rest else b"")
        struct.pack_into("<4sII", body, 0, b"hbin", 0, len(body))
        return bytes(body)

    def key(self, name: str, keys: Keys, parent: int, flags: int = 0x20) -> int:
        at = self._add(bytes(76 + len(name)))
        below = {one: each for one, each in keys.items() if isinstance(each, Mapping)}
        values = [(one, each) for one, each in keys.items() if not isinstance(each, Mapping)]
        places = [self._value(one, each) for one, each in values]
        subkeys = [(one, self.key(one, below[one], at)) for one in sorted(below, key=str.upper)]
        listed = self._listed(subkeys)
        value_list = self._add(struct.pack(f"<{len(places)}I", *places)) if places else NONE
        cell = struct.pack(
            "<2sH8xIIIIIIIIIIIIIIIHH", b"nk", flags, 0, parent, len(subkeys), 0, listed, NONE, len(places),
            value_list, self._security, NONE, 64, 0, 64, 4096, 0, len(name), 0,
        )  # fmt: skip
        self._body[at + 4 : at + 4 + 76 + len(name)] = cell + name.encode("latin-1")
        return at

    def _listed(self, subkeys: list[tuple[str, int]]) -> int:
        if not subkeys:
            return NONE
        entries = b"".join(struct.pack("<II", at, _hashed(name)) for name, at in subkeys)
        return self._add(struct.pack("<2sH", b"lh", len(subkeys)) + entries)

    def _value(self, name: str, value: Given) -> int:
        kind, data = _data(value)
        if len(data) <= 4:
            size, place = len(data) | 0x80000000, int.from_bytes(data.ljust(4, b"\0"), "little")
        else:
            size, place = len(data), self._add(data)
        return self._add(
            struct.pack("<2sHIIIHH", b"vk", len(name), size, place, kind, 1, 0) + name.encode("latin-1")
        )

    def _add(self, content: bytes) -> int:
        at = len(self._body)
        room = (len(content) + 4 + 7) & ~7
        self._body += struct.pack("<i", -room) + content.ljust(room - 4, b"\0")
        return at


def _data(value: Given) -> tuple[int, bytes]:
    match value:
        case str():
            return 1, f"{value}\0".encode("utf-16-le")
        case int():
            return 4, value.to_bytes(4, "little")
        case bytes():
            return 3, value
        case _:
            return 7, "".join(f"{word}\0" for word in (*value, "")).encode("utf-16-le")


def _hashed(name: str) -> int:
    found = 0
    for letter in name.upper():
        found = (found * 37 + ord(letter)) & 0xFFFFFFFF
    return found
