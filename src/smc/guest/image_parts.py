"""Partitions and logical volumes of a disk image: where each lies in it, and what blkid finds there."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from smc.base.run import Run
from smc.guest.lvm_text import Damaged
from smc.guest.lvm_volumes import Logical, Span, volumes_of
from smc.guest.volumes import Volume, mapped_name
from smc.model.disk import Role

READ_SECONDS = 600.0
COPY_BYTES = 1 << 20
MEMBER = "LVM2_member"
TYPES = {
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": Role.ESP,
    "21686148-6449-6E6F-744E-656564454649": Role.BIOS_BOOT,
    "EF": Role.ESP,  # by MBR
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": Role.SWAP,
}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A partition or a logical volume: `spans` of `file`, in their order; none where `why` is instead."""

    file: Path
    spans: tuple[Span, ...]
    device: Path  # as the image's own system has it
    number: int = 0
    role: Role = Role.FILESYSTEM
    filesystem: str = ""
    uuid: str = ""
    label: str = ""
    part_uuid: str = ""
    active: bool = False  # by MBR
    why: str = ""

    @property
    def start(self) -> int:
        return self.spans[0].start

    @property
    def kind(self) -> str:
        """For a person, who wants to know why it is not read."""
        return f"{self.device.name}: {self.why}" if self.why else self.filesystem or "unknown"

    @property
    def volume(self) -> Volume:
        return Volume(
            source=f"0_{self.number}",
            number=self.number,
            device=self.device,
            role=self.role,
            filesystem=self.filesystem,
            uuid=self.uuid,
            label=self.label,
            part_uuid=self.part_uuid,
        )


def parts_of(raw: Path, run: Run) -> tuple[Part, ...]:
    """Partitions in the order of their table, then the volumes of LVM on them."""
    partitions = [_partition(raw, row, sector, run) for row, sector in _rows(raw, run)]
    members = [part for part in partitions if part.filesystem == MEMBER]
    try:
        with raw.open("rb") as disk:
            volumes = volumes_of(disk, [member.spans[0] for member in members])
    except Damaged as e:
        damaged = [msgspec.structs.replace(part, why=f"damaged: {e}") for part in members]
        return tuple(damaged[members.index(part)] if part in members else part for part in partitions)
    return (*partitions, *(_logical(raw, volume, run) for volume in volumes))


def in_one_piece(part: Part, folder: Path) -> Part:
    """What lies in pieces is put together in a file of the folder, with holes where the image has some."""
    if len(part.spans) < 2:
        return part
    file = folder / part.device.name
    with part.file.open("rb") as source, file.open("wb") as target:
        at = 0
        for span in part.spans:
            for start, size in _data(source, span):
                _copy(source, start, target, at + start - span.start, size)
            at += span.size
        target.truncate(at)
    return msgspec.structs.replace(part, file=file, spans=(Span(0, at),))


def _rows(raw: Path, run: Run) -> Iterator[tuple[Mapping[str, object], int]]:
    """As sfdisk tells the table, with the bytes of a sector."""
    done = run("sfdisk", "--json", raw, timeout=READ_SECONDS, ok=(0, 1))
    table = json.loads(done.stdout)["partitiontable"] if done.status == 0 else {}
    for row in table.get("partitions", ()):
        yield row, table.get("sectorsize", 512)


def _partition(raw: Path, row: Mapping[str, object], sector: int, run: Run) -> Part:
    span = Span(int(str(row["start"])) * sector, int(str(row["size"])) * sector)
    told = _probe(raw, span, run)
    role = Role.SWAP if told.get("TYPE") == "swap" else Role.FILESYSTEM
    number = int(re.search(r"(\d+)$", str(row["node"]))[1])  # type: ignore[index]  # sfdisk numbers them
    return Part(
        file=raw,
        spans=(span,),
        device=Path(f"/dev/vda{number}"),  # an image has no device node
        number=number,
        role=TYPES.get(str(row["type"]).upper(), role),
        filesystem=told.get("TYPE", ""),
        uuid=told.get("UUID", ""),
        label=told.get("LABEL", ""),
        part_uuid=str(row.get("uuid", "")).lower(),
        active=bool(row.get("bootable")),
    )


def _logical(raw: Path, volume: Logical, run: Run) -> Part:
    told = _probe(raw, volume.spans[0], run) if volume.spans else {}
    return Part(
        file=raw,
        spans=volume.spans,
        device=Path("/dev", mapped_name(volume.title)),
        role=Role.SWAP if told.get("TYPE") == "swap" else Role.FILESYSTEM,
        filesystem=told.get("TYPE", ""),
        uuid=told.get("UUID", ""),
        label=told.get("LABEL", ""),
        why=volume.why,
    )


def _probe(raw: Path, span: Span, run: Run) -> dict[str, str]:
    words = ("blkid", "-p", "--offset", str(span.start), "--size", str(span.size), "-o", "export", raw)
    told = run(*words, timeout=READ_SECONDS, ok=(0, 2)).stdout
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def _data(source: BinaryIO, span: Span) -> Iterator[tuple[int, int]]:
    """(start, size) of what is no hole; 0 bytes at last."""
    at, end = span.start, span.start + span.size
    while at < end:
        try:
            start = os.lseek(source.fileno(), at, os.SEEK_DATA)
        except OSError:
            return  # nothing but a hole from here on
        at = min(os.lseek(source.fileno(), start, os.SEEK_HOLE), end)
        yield start, max(at - start, 0)


def _copy(source: BinaryIO, start: int, target: BinaryIO, to: int, size: int) -> None:
    source.seek(start)
    target.seek(to)
    while size and (block := source.read(min(size, COPY_BYTES))):
        target.write(block)
        size -= len(block)
