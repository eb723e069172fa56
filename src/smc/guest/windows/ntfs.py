"""Files of an NTFS, read from the disk itself: no mount, no root, nothing written.

A reader of our own because tools take no partition inside of an image, and because the image may be hostile:
here a wrong number is an exception. Layout as in the documentation of the Linux NTFS project (ntfs/concepts,
ntfs/attributes). Compressed and encrypted files are refused; hives and boot files are neither.

| record of the MFT | at | size |
|---|---|---|
| `FILE` | 0 | 4 |
| offset and count of the update sequence | 4, 6 | 2, 2 |
| offset of the first attribute | 20 | 2 |
| flags (1: in use) | 22 | 2 |
"""

import os
import struct
from collections.abc import Iterator
from functools import cached_property
from typing import BinaryIO, NamedTuple

SECTOR = 512
ROOT = 5  # the record of the root folder
ATTRIBUTE_LIST, DATA, INDEX_ROOT, INDEX_ALLOCATION, BITMAP = 0x20, 0x80, 0x90, 0xA0, 0xB0
INDEX_NAME = "$I30"
LAST_ATTRIBUTE = 0xFFFFFFFF
IN_USE = 1
COMPRESSED, ENCRYPTED = 0x00FF, 0x4000
LAST_ENTRY = 2
SHORT_NAME = 2  # the namespace of names for DOS
RECORD_BITS = (1 << 48) - 1  # of a reference; above it is a count of uses
LARGEST_RECORD = 1 << 16
LARGEST_FILE = 512 << 20  # a hive of many years; read into memory


class Damaged(ValueError):
    """The filesystem is not as it is to be, or has what is not read here."""


class Attribute(NamedTuple):
    """`runs`: (first cluster on the disk or None for a hole, clusters); `value` when it is in the record."""

    kind: int
    name: str
    flags: int
    size: int
    first: int
    value: bytes | None
    runs: tuple[tuple[int | None, int], ...]


class Ntfs:
    """`start` is the byte on the disk where it begins."""

    def __init__(self, disk: BinaryIO, start: int) -> None:
        self._disk, self._start, self._end = disk, start, disk.seek(0, os.SEEK_END)
        boot = self._at(0, SECTOR)
        if boot[3:11] != b"NTFS    ":
            raise Damaged("no NTFS begins there")
        sector, per_cluster = struct.unpack_from("<HB", boot, 11)
        self._cluster = sector * (per_cluster if per_cluster <= 0x80 else 1 << (256 - per_cluster))
        (self._mft_at,) = struct.unpack_from("<Q", boot, 48)
        record, index = struct.unpack_from("<b3xb", boot, 64)
        self._record = record * self._cluster if record > 0 else 1 << -record
        self._index = index * self._cluster if index > 0 else 1 << -index
        for size in (self._record, self._index, self._cluster):
            if not SECTOR <= size <= max(LARGEST_RECORD, 2 << 20):
                raise Damaged(f"a block of {size} bytes")

    def read(self, path: str) -> bytes | None:
        """The content of a file; None when it is not there. Raises `Damaged`."""
        number = self._find(path)
        return None if number is None else self._stream(self._attributes(number), DATA, "")

    def names(self, path: str) -> list[str]:
        """In a folder; none when it is not there. Raises `Damaged`."""
        number = self._find(path)
        if number is None:
            return []
        return [name for name, below in self._entries(number) if below != number]  # the root has itself

    def has(self, path: str) -> bool:
        return self._find(path) is not None

    def _find(self, path: str) -> int | None:
        number = ROOT
        for step in filter(None, path.split("/")):
            wanted = step.upper()
            found = next((below for name, below in self._entries(number) if name.upper() == wanted), None)
            if found is None:
                return None
            number = found
        return number

    def _entries(self, number: int) -> Iterator[tuple[str, int]]:
        attributes = self._attributes(number)
        root = self._stream(attributes, INDEX_ROOT, INDEX_NAME)
        if root is None:
            return
        yield from _names(root[16:])
        blocks = self._stream(attributes, INDEX_ALLOCATION, INDEX_NAME)
        if blocks is None:
            return
        used = self._stream(attributes, BITMAP, INDEX_NAME) or b""
        for at in range(0, len(blocks) - self._index + 1, self._index):
            bit = at // self._index
            if bit // 8 < len(used) and used[bit // 8] >> bit % 8 & 1:
                yield from _names(_whole(blocks[at : at + self._index], b"INDX")[24:])

    def _attributes(self, number: int) -> list[Attribute]:
        """Of a record, and of those that it had to be continued in."""
        own = list(_parsed(self._mft_record(number)))
        listed = next((each for each in own if each.kind == ATTRIBUTE_LIST), None)
        if listed is None:
            return own
        others = {
            other for other in _listed(self._content([listed])) if other != number
        }  # each once, whatever the list says
        return own + [each for other in sorted(others) for each in _parsed(self._mft_record(other))]

    def _mft_record(self, number: int) -> bytes:
        if number == 0:
            raw = self._at(self._mft_at * self._cluster, self._record)
        else:
            raw = self._read_runs(self._mft, number * self._record, self._record)
        record = _whole(raw, b"FILE")
        if not struct.unpack_from("<H", record, 22)[0] & IN_USE:
            raise Damaged(f"record {number} is not in use")
        return record

    @cached_property
    def _mft(self) -> list[tuple[int | None, int]]:
        """Where the records lie. A list of attributes of its own never lies behind what it tells of."""
        own = list(_parsed(self._mft_record(0)))
        runs = _runs_of(own, DATA, "")
        listed = next((each for each in own if each.kind == ATTRIBUTE_LIST), None)
        if listed is None:
            return runs
        more = list(own)
        for other in sorted(set(_listed(self._content([listed]))) - {0}):
            more += _parsed(_whole(self._read_runs(runs, other * self._record, self._record), b"FILE"))
        return _runs_of(more, DATA, "")

    def _stream(self, attributes: list[Attribute], kind: int, name: str) -> bytes | None:
        found = [each for each in attributes if each.kind == kind and each.name == name]
        return self._content(found) if found else None

    def _content(self, pieces: list[Attribute]) -> bytes:
        pieces = sorted(pieces, key=lambda each: each.first)
        head = pieces[0]
        if head.value is not None:
            return head.value
        if head.flags & (COMPRESSED | ENCRYPTED):
            raise Damaged("a compressed or encrypted file, which is not read here")
        if head.size > LARGEST_FILE:
            raise Damaged(f"a file of {head.size} bytes, which is too large to be read here")
        return self._read_runs([run for each in pieces for run in each.runs], 0, head.size)

    def _read_runs(self, runs: list[tuple[int | None, int]], offset: int, size: int) -> bytes:
        found = bytearray()
        for cluster, count in runs:
            length = count * self._cluster
            if offset >= length:
                offset -= length
                continue
            wanted = min(length - offset, size - len(found))
            found += bytes(wanted) if cluster is None else self._at(cluster * self._cluster + offset, wanted)
            offset = 0
            if len(found) == size:
                return bytes(found)
        raise Damaged("a file ends before its size")

    def _at(self, offset: int, size: int) -> bytes:
        if self._start + offset + size > self._end:
            raise Damaged("the disk ends before the filesystem does")
        self._disk.seek(self._start + offset)
        return self._disk.read(size)


def _whole(raw: bytes, magic: bytes) -> bytes:
    """A record of several sectors, with the last bytes of each put back from its update sequence."""
    if raw[:4] != magic:
        raise Damaged(f"a record that is no {magic.decode()}")
    at, count = struct.unpack_from("<HH", raw, 4)
    if count != len(raw) // SECTOR + 1 or at + 2 * count > len(raw):
        raise Damaged("an update sequence of another length than its record")
    whole = bytearray(raw)
    for number in range(1, count):
        end = number * SECTOR
        if whole[end - 2 : end] != raw[at : at + 2]:
            raise Damaged("a record that was written in part")
        whole[end - 2 : end] = raw[at + 2 * number : at + 2 * number + 2]
    return bytes(whole)


def _parsed(record: bytes) -> Iterator[Attribute]:
    (at,) = struct.unpack_from("<H", record, 20)
    try:
        while at + 4 <= len(record) and (kind := struct.unpack_from("<I", record, at)[0]) != LAST_ATTRIBUTE:
            (length,) = struct.unpack_from("<I", record, at + 4)
            if length < 24:
                raise Damaged("an attribute without a length")
            yield _attribute(record[at : at + length], kind)
            at += length
    except (struct.error, IndexError) as e:
        raise Damaged("an attribute that its record cuts off") from e


def _attribute(raw: bytes, kind: int) -> Attribute:
    apart, name_length, name_at, flags = struct.unpack_from("<BBHH", raw, 8)
    name = raw[name_at : name_at + 2 * name_length].decode("utf-16-le", "replace")
    if not apart:
        size, value_at = struct.unpack_from("<IH", raw, 16)
        return Attribute(kind, name, flags, size, 0, raw[value_at : value_at + size], ())
    (first,) = struct.unpack_from("<Q", raw, 16)
    (runs_at,) = struct.unpack_from("<H", raw, 32)
    (size,) = struct.unpack_from("<Q", raw, 48)
    return Attribute(kind, name, flags, size, first, None, tuple(_runs(raw[runs_at:])))


def _runs(packed: bytes) -> Iterator[tuple[int | None, int]]:
    """Each a byte of two lengths, then the count of clusters, then by how much the place has changed."""
    at = cluster = 0
    while packed[at]:
        of_count, of_place = packed[at] & 15, packed[at] >> 4
        count = int.from_bytes(packed[at + 1 : at + 1 + of_count], "little")
        place = packed[at + 1 + of_count : at + 1 + of_count + of_place]
        cluster += int.from_bytes(place, "little", signed=True)
        if cluster < 0:
            raise Damaged("a file before the disk")
        yield (cluster if of_place else None), count
        at += 1 + of_count + of_place


def _runs_of(attributes: list[Attribute], kind: int, name: str) -> list[tuple[int | None, int]]:
    pieces = sorted(
        (each for each in attributes if each.kind == kind and each.name == name), key=lambda each: each.first
    )
    return [run for each in pieces for run in each.runs]


def _listed(content: bytes) -> Iterator[int]:
    """Records that an attribute list names."""
    at = 0
    while at + 26 <= len(content):
        (length,) = struct.unpack_from("<H", content, at + 4)
        if length < 26:
            raise Damaged("a list of attributes without lengths")
        yield struct.unpack_from("<Q", content, at + 16)[0] & RECORD_BITS
        at += length


def _names(node: bytes) -> Iterator[tuple[str, int]]:
    """Of a node of a folder's index, from its header on: (name, record)."""
    try:
        at, end = struct.unpack_from("<II", node)
        while at + 16 <= min(end, len(node)):
            reference, length, _, flags = struct.unpack_from("<QHHI", node, at)
            if flags & LAST_ENTRY:
                return
            if length < 16:
                raise Damaged("an entry of a folder without a length")
            count, namespace = node[at + 80], node[at + 81]
            name = node[at + 82 : at + 82 + 2 * count].decode("utf-16-le", "replace")
            if namespace != SHORT_NAME:
                yield name, reference & RECORD_BITS
            at += length
    except (struct.error, IndexError) as e:
        raise Damaged("a folder that is cut off") from e
