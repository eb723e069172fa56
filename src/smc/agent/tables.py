"""Partition tables as they are on a disk: GPT (UEFI 2.10, chapter 5) and MBR with logical partitions."""

import binascii
import struct
import uuid
from collections.abc import Callable, Iterator

import msgspec

from smc.model.disk import Table

Read = Callable[[int, int], bytes]  # offset, size -> so many bytes, or fewer at the end

MBR_SIGNATURE = b"\x55\xaa"
MBR_ENTRIES = 446
MBR_ID = 440
PROTECTIVE = 0xEE
EXTENDED = frozenset({0x05, 0x0F, 0x85})
BOOT_INDICATORS = frozenset({0x00, 0x80})
MOST_LOGICAL = 256  # a chain of logical partitions that points back at itself ends here

GPT_SIGNATURE = b"EFI PART"
GPT_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")
GPT_ENTRY = struct.Struct("<16s16sQQQ72s")
GPT_ENTRIES_LIMIT = 4096  # 128 is usual
LEGACY_BIOS_BOOTABLE = 1 << 2


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One partition by its table; `start` and `size` in bytes."""

    number: int
    start: int
    size: int
    type_code: str
    part_uuid: str = ""
    part_label: str = ""
    bootable: bool = False


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    table: Table
    table_uuid: str = ""
    entries: tuple[Entry, ...] = ()


def read_layout(read: Read, size: int, sector: int) -> Layout:
    """The table of a disk of `size` bytes with logical sectors of `sector` bytes."""
    first = read(0, 512)
    if len(first) < 512 or first[510:512] != MBR_SIGNATURE:
        return _read_gpt(read, size, sector) or Layout(table=Table.NONE)
    kinds = [first[MBR_ENTRIES + 16 * row + 4] for row in range(4)]
    if PROTECTIVE in kinds:
        return _read_gpt(read, size, sector) or Layout(table=Table.NONE)
    indicators = {first[MBR_ENTRIES + 16 * row] for row in range(4)}
    if not any(kinds) or not indicators <= BOOT_INDICATORS:
        return Layout(table=Table.NONE)  # a boot sector of a filesystem ends with the same signature
    return _read_mbr(read, first, sector)


def _read_gpt(read: Read, size: int, sector: int) -> Layout | None:
    """By the first header, or by its copy in the last sector when that one is damaged."""
    for position in (sector, size - sector):
        if position > 0 and (layout := _read_gpt_at(read, position, sector)):
            return layout
    return None


def _read_gpt_at(read: Read, position: int, sector: int) -> Layout | None:
    header = read(position, sector)
    if len(header) < GPT_HEADER.size or not header.startswith(GPT_SIGNATURE):
        return None
    fields = GPT_HEADER.unpack_from(header)
    _, _, length, checksum, _, _, _, _, _, disk, entries_at, count, width, entries_checksum = fields
    if not GPT_HEADER.size <= length <= sector or count > GPT_ENTRIES_LIMIT or width < GPT_ENTRY.size:
        return None
    blank = header[:16] + bytes(4) + header[20:length]
    entries = read(entries_at * sector, count * width)
    if binascii.crc32(blank) != checksum or binascii.crc32(entries) != entries_checksum:
        return None
    found = tuple(_gpt_entries(entries, count, width, sector))
    return Layout(table=Table.GPT, table_uuid=_guid(disk), entries=found)


def _gpt_entries(entries: bytes, count: int, width: int, sector: int) -> Iterator[Entry]:
    for row in range(count):
        kind, unique, first, last, attributes, name = GPT_ENTRY.unpack_from(entries, row * width)
        if kind != bytes(16):
            yield Entry(
                number=row + 1,
                start=first * sector,
                size=(last - first + 1) * sector,
                type_code=_guid(kind),
                part_uuid=_guid(unique),
                part_label=name.decode("utf-16-le", "replace").split("\0", 1)[0],
                bootable=bool(attributes & LEGACY_BIOS_BOOTABLE),
            )


def _guid(data: bytes) -> str:
    return str(uuid.UUID(bytes_le=data))


def _read_mbr(read: Read, first: bytes, sector: int) -> Layout:
    disk = f"{int.from_bytes(first[MBR_ID : MBR_ID + 4], 'little'):08x}"
    entries: list[Entry] = []
    for row in range(4):
        bootable, kind, start, size = _mbr_row(first, row)
        if kind and size:
            entries.append(_mbr_entry(disk, row + 1, start * sector, size * sector, kind, bootable=bootable))
            if kind in EXTENDED:
                entries += _logical(read, disk, start * sector, sector)
    return Layout(table=Table.MBR, table_uuid=disk, entries=tuple(entries))


def _logical(read: Read, disk: str, extended: int, sector: int) -> Iterator[Entry]:
    """Each has a table of two rows: itself, and where the next table is, from the start of `extended`."""
    at = extended
    for number in range(5, 5 + MOST_LOGICAL):
        block = read(at, 512)
        if len(block) < 512 or block[510:512] != MBR_SIGNATURE:
            return
        bootable, kind, start, size = _mbr_row(block, 0)
        if kind and size:
            yield _mbr_entry(disk, number, at + start * sector, size * sector, kind, bootable=bootable)
        _, next_kind, next_start, _ = _mbr_row(block, 1)
        if next_kind not in EXTENDED or not next_start:
            return
        at = extended + next_start * sector


def _mbr_row(block: bytes, row: int) -> tuple[bool, int, int, int]:
    at = MBR_ENTRIES + 16 * row
    start, size = struct.unpack_from("<II", block, at + 8)
    return block[at] == 0x80, block[at + 4], start, size


def _mbr_entry(disk: str, number: int, start: int, size: int, kind: int, *, bootable: bool) -> Entry:
    unique = f"{disk}-{number:02x}"
    return Entry(
        number=number, start=start, size=size, type_code=f"0x{kind:x}", part_uuid=unique, bootable=bootable
    )
