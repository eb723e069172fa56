"""Logical volumes of LVM, found in the bytes of their disk: no device-mapper, no root, nothing written.

A reader of our own, because LVM's programs take no partition inside of an image, and because the image may be
hostile: here a wrong number is an exception. What LVM keeps at the start of a physical volume (its own
lib/format_text/layout.h):

| a physical volume | at | size |
|---|---|---|
| `LABELONE`, in one of the first four sectors | 0 | 8 |
| offset of the header, from the label on | 20 | 4 |
| `LVM2 001` | 24 | 8 |
| the header: its id, without hyphens | 0 | 32 |
| lists of (offset, size) that end with zeros: areas of data, areas of metadata | 40 | 16 each |

| an area of metadata | at | size |
|---|---|---|
| CRC of the rest of its first sector | 0 | 4 |
| ` LVM2 x[5A%r0N*>` | 4 | 16 |
| its size, in bytes | 32 | 8 |
| offset, size, CRC, flags (1: not used) of the text; after the end comes the second sector | 40 | 24 |
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from smc.guest.lvm_text import Damaged, Section, as_section, list_of, number_of, parse, section_of, text_of

SECTOR = 512
LABEL_SECTORS = 4
MAGIC = b" LVM2 x[5A%r0N*>"
CRC_START = 0xF597A6CF  # lib/misc/crc.h
IGNORED = 1
LARGEST_TEXT = 16 << 20
MOST_AREAS = 8
MOST_VOLUMES = 256
NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}")


class Span(NamedTuple):
    """Bytes of the disk that follow one another."""

    start: int
    size: int


class Logical(NamedTuple):
    """A volume that a system sees. `spans` in their order; without them `why` says what it is instead."""

    group: str
    name: str
    spans: tuple[Span, ...] = ()
    why: str = ""

    @property
    def title(self) -> str:
        return f"{self.group}/{self.name}"


class _Member(NamedTuple):
    """A physical volume: its id, and where on the disk it is."""

    id: str
    start: int
    text: str


def volumes_of(disk: BinaryIO, members: Sequence[Span]) -> list[Logical]:
    """Of the physical volumes that lie there. Raises `Damaged`."""
    found = [_member(disk, member) for member in members]
    starts = {member.id: member.start for member in found}
    groups: dict[str, tuple[int, str, Section]] = {}
    for name, group in (_group(member.text) for member in found if member.text):
        key, age = text_of(group, "id"), number_of(group, "seqno")
        if key not in groups or groups[key][0] < age:
            groups[key] = age, name, group
    end = disk.seek(0, os.SEEK_END)
    volumes = [volume for _, name, group in groups.values() for volume in _volumes(name, group, starts, end)]
    if len(volumes) > MOST_VOLUMES:
        raise Damaged(f"{len(volumes)} logical volumes")
    if sum(span.size for volume in volumes for span in volume.spans) > end:
        raise Damaged("the logical volumes together go beyond the disk")
    return volumes


def _member(disk: BinaryIO, place: Span) -> _Member:
    for sector in range(LABEL_SECTORS):
        label = _at(disk, place.start + sector * SECTOR, SECTOR)
        if label.startswith(b"LABELONE") and label[24:32] == b"LVM2 001":
            break
    else:
        raise Damaged("no label of a physical volume")
    (header,) = struct.unpack_from("<I", label, 20)
    lists = _areas(label[header + 40 :])
    _data, metadata = _until_zero(lists), _until_zero(lists)
    raw = label[header : header + 32].decode("ascii", "replace")
    name = "-".join((raw[:6], *(raw[at : at + 4] for at in range(6, 26, 4)), raw[26:]))
    texts = (_metadata(disk, place.start + area.start) for area in metadata)
    return _Member(name, place.start, next((text for text in texts if text), ""))


def _areas(block: bytes) -> Iterator[Span]:
    for at in range(0, len(block) - 15, 16):
        yield Span(*struct.unpack_from("<QQ", block, at))


def _until_zero(areas: Iterator[Span]) -> list[Span]:
    """An area of data may have the size 0, which says: to the end."""
    found: list[Span] = []
    for area in areas:
        if not area.start:
            break
        found.append(area)
    if len(found) > MOST_AREAS:
        raise Damaged(f"{len(found)} areas of a physical volume")
    return found


def _metadata(disk: BinaryIO, start: int) -> str:
    """ "" where the area is not used."""
    head = _at(disk, start, SECTOR)
    if head[4:20] != MAGIC or _crc(head[4:]) != int.from_bytes(head[:4], "little"):
        raise Damaged("the head of LVM's metadata")
    (size,) = struct.unpack_from("<Q", head, 32)
    offset, length, crc, flags = struct.unpack_from("<QQII", head, 40)
    if not offset or flags & IGNORED:
        return ""
    if not SECTOR <= offset < size or not 0 < length <= min(LARGEST_TEXT, size - SECTOR):
        raise Damaged(f"LVM's metadata of {length} bytes at {offset}")
    first = min(length, size - offset)
    text = _at(disk, start + offset, first) + _at(disk, start + SECTOR, length - first)
    if _crc(text) != crc:
        raise Damaged("the checksum of LVM's metadata")
    return text.decode("utf-8", "replace").rstrip("\0")


def _crc(data: bytes) -> int:
    return zlib.crc32(data, CRC_START ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _at(disk: BinaryIO, start: int, size: int) -> bytes:
    if start + size > disk.seek(0, os.SEEK_END):
        raise Damaged("LVM's metadata ends beyond the disk")
    disk.seek(start)
    return disk.read(size)


def _group(text: str) -> tuple[str, Section]:
    """The one section of the text that is not a value of it."""
    groups = [(name, value) for name, value in parse(text).items() if isinstance(value, dict)]
    if len(groups) != 1 or not NAME.fullmatch(groups[0][0]):
        raise Damaged("LVM's metadata without a volume group")
    return groups[0]


def _volumes(group_name: str, group: Section, starts: Mapping[str, int], end: int) -> Iterator[Logical]:
    extent = number_of(group, "extent_size") * SECTOR
    firsts = {}  # by name in the text: the first extent of a physical volume, None where it is elsewhere
    for name, member in section_of(group, "physical_volumes").items():
        start = starts.get(text_of(as_section(member), "id"))
        data = number_of(as_section(member), "pe_start") * SECTOR
        firsts[name] = None if start is None else start + data
    for name, value in section_of(group, "logical_volumes").items():
        volume = as_section(value)
        if "VISIBLE" not in list_of(volume, "status") or not NAME.fullmatch(name):
            continue
        spans, why = _spans(volume, firsts, extent)
        if any(span.start + span.size > end for span in spans):
            raise Damaged(f"{group_name}/{name} lies beyond the disk")
        yield Logical(group_name, name, spans, why)


def _spans(volume: Section, firsts: Mapping[str, int | None], extent: int) -> tuple[tuple[Span, ...], str]:
    """What follows one another on the disk is one; with why they are not known."""
    spans: list[Span] = []
    for number in range(1, number_of(volume, "segment_count") + 1):
        segment = section_of(volume, f"segment{number}")
        kind = text_of(segment, "type")
        if kind != "striped" or number_of(segment, "stripe_count") != 1:
            return (), f"{kind}, of which only plain ones are read here"
        member, at = (*list_of(segment, "stripes"), "", "")[:2]
        if not isinstance(member, str) or member not in firsts or not isinstance(at, int) or at < 0:
            raise Damaged("a segment of a logical volume on no physical volume")
        first = firsts[member]
        if first is None:
            return (), "partly on a disk that is not in the image"
        start, size = first + at * extent, number_of(segment, "extent_count") * extent
        if spans and spans[-1].start + spans[-1].size == start:
            start, size = spans[-1].start, spans.pop().size + size
        spans.append(Span(start, size))
    return tuple(spans), "" if spans else "empty"
