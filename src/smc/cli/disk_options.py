"""Options that say what comes on which target disk, as edits of the layout that is there.

They become the parameter `Disks`. Only a disk whose mount points change is told with a list of them; the rest
is as the source, or the job, has it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.base.units import GIB, MIB
from smc.client.api import Api, Json

Resize = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH=SIZE", help="Size of a mount point at the target: /srv=40G, 500M, 1T, bytes."),
]
Move = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH=DISK", help="Move a mount point to another disk: /srv=2 (0: system disk)."),
]
LeaveOut = Annotated[
    list[str] | None, typer.Option(metavar="PATH", help="Leave a mount point, and what it holds, behind.")
]
Lvm = Annotated[
    list[str] | None,
    typer.Option(metavar="DISK", help="Logical volumes instead of partitions on this disk (0: system disk)."),
]
Encrypt = Annotated[  # hidden, as it is only answered: with what to do instead
    list[str] | None, typer.Option(metavar="DISK", help="An encrypted disk.", hidden=True)
]
NoLvm = Annotated[list[str] | None, typer.Option(metavar="DISK", help="Plain partitions on this disk.")]

UNITS = {"": 1, "K": 1 << 10, "M": MIB, "G": GIB, "T": 1 << 40}
SIZE = re.compile(r"(\d{1,18}|\d{1,6}\.\d{1,3})\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
CODE = "InvalidParameter.Disks"
OF_DISK = "Give a disk by its number: 0 is the system disk, 1 the first data disk."


@dataclass(frozen=True)
class Edits:
    """As they were written; `disk_ids` by data disk, of a target instance."""

    resize: Sequence[str] = ()
    move: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    lvm: Sequence[str] = ()
    no_lvm: Sequence[str] = ()
    encrypt: Sequence[str] = ()
    disk_ids: Mapping[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, edit.name) for edit in fields(self))


@dataclass
class Layout:
    """Mount points by disk, in their order, and the disks with LVM. `homes`: where the source has each.

    `sizes`: bytes that were asked for before, by mount point.
    """

    mounts: dict[int, list[str]]
    homes: dict[str, int]
    lvm: set[int] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)


def of_source(api: Api, source: str) -> Layout:
    """Raises `UserError` (`InvalidSourceId.NotFound`)."""
    found = api.call("DescribeSourceServers", {"SourceId": [source]})["SourceServers"]["SourceServer"]
    if not found:
        raise UserError(
            f"there is no source {source}",
            code="InvalidSourceId.NotFound",
            hint="`smc source list` shows them.",
        )
    (told,) = found
    mounts = {0: [part["Path"] for part in told["SystemDiskParts"]["SystemDiskPart"]]}
    for disk in told["DataDisks"]["DataDisk"]:
        mounts[disk["Index"]] = [part["Path"] for part in disk["Parts"]["Part"]]
    return Layout(mounts=mounts, homes={path: at for at, paths in mounts.items() for path in paths})


def of_job(api: Api, told: Json) -> Layout:
    """`told`: as DescribeReplicationJobs has it."""
    source = of_source(api, told["SourceId"])
    indexes = [0, *(disk["Index"] for disk in told["DataDisks"]["DataDisk"])]
    planned = [told["Disks"]["System"], *told["Disks"]["Data"]["Data"]]
    mounts: dict[int, list[str]] = {index: [] for index in source.mounts}
    lvm: set[int] = set()
    sizes: dict[str, int] = {}
    for index, disk in zip(indexes, planned, strict=True):
        parts = [part for part in disk["Parts"]["Part"] if part["Path"] in source.homes]
        mounts[index] = [part["Path"] for part in parts]
        sizes |= {part["Path"]: part["AskedBytes"] for part in parts}
        lvm |= {index} if disk["LVM"] else set()
    return Layout(mounts=mounts, homes=source.homes, lvm=lvm, sizes=sizes)


def disks(layout: Layout, edits: Edits) -> Json | None:
    """The parameter `Disks`. Raises `UserError` (`InvalidParameter.Disks`)."""
    if not edits:
        return None
    now = {index: list(paths) for index, paths in layout.mounts.items()}
    for path, target in (_pair(text, "--move") for text in edits.move):
        _take_out(now, layout, path, "--move")
        now[_disk(target, layout, f"--move {path}={target}")].append(path)
    for path in edits.leave_out:
        _take_out(now, layout, path, "--leave-out")
    sizes = {path: _bytes(size, path) for path, size in (_pair(text, "--resize") for text in edits.resize)}
    for path in sizes:
        if not any(path in paths for paths in now.values()):
            raise _unknown(path, "--resize", layout)
    lvm = (layout.lvm | _disks(edits.lvm, layout, "--lvm")) - _disks(edits.no_lvm, layout, "--no-lvm")
    lists = {
        index: [_part(path, sizes.get(path) or layout.sizes.get(path)) for path in paths]
        for index, paths in now.items()
        if paths != layout.mounts[index] or any(path in sizes for path in paths)
    }
    _check_first(lists, layout)
    entries: dict[int, Json] = {index: {"LVM": index in lvm} for index in now}
    for index, parts in lists.items():
        entries[index]["Part"] = parts or [{"Path": ""}]
    for index in _disks(edits.encrypt, layout, "--encrypt"):
        entries[index]["Encrypted"] = True
    for index, disk_id in edits.disk_ids.items():
        entries[index]["DiskId"] = disk_id
    return {"System": entries.pop(0), "Data": list(entries.values())}


def _part(path: str, size: int | None) -> Json:
    return {"Path": path, "SizeBytes": size} if size else {"Path": path}


def _check_first(lists: Mapping[int, list[Json]], layout: Layout) -> None:
    """The API tells which data disk a list is of by the first mount point in it that is on a data disk."""
    for index, parts in lists.items():
        homes = [layout.homes[part["Path"]] for part in parts]
        first = next((home for home in homes if home), index)
        if index and first != index:
            raise UserError(
                f"disk {index} would have nothing of its own any more, only what comes from disk {first}",
                code=CODE,
                hint=f"Leave a mount point of disk {index} on it, or have all of them on disk {first}.",
            )


def _take_out(now: Mapping[int, list[str]], layout: Layout, path: str, option: str) -> None:
    if path not in layout.homes:
        raise _unknown(path, option, layout)
    for paths in now.values():
        if path in paths:
            paths.remove(path)


def _pair(text: str, option: str) -> tuple[str, str]:
    path, equals, value = text.rpartition("=")
    if not equals or not path.startswith("/") or not value:
        example = "/srv=2" if option == "--move" else "/srv=40G"
        raise UserError(
            f"{option} {text}: a mount point and a value are wanted",
            code=CODE,
            hint=f"For example {option} {example}",
        )
    return path.rstrip("/") or "/", value


def _bytes(text: str, path: str) -> int:
    match = SIZE.fullmatch(text)
    if match is None or not float(match[1]):
        raise UserError(
            f"--resize {path}={text}: this is no size", code=CODE, hint="Give 500M, 40G, 1.5T, or bytes."
        )
    return int(float(match[1]) * UNITS[match[2].upper()])


def _disks(texts: Sequence[str], layout: Layout, option: str) -> set[int]:
    return {_disk(text, layout, f"{option} {text}") for text in texts}


def _disk(text: str, layout: Layout, where: str) -> int:
    if not text.isdigit() or int(text) not in layout.mounts:
        there = ", ".join(str(index) for index in sorted(layout.mounts))
        raise UserError(
            f"{where}: there is no such disk with a mount point",
            code="Disk.NotFound" if text.isdigit() else CODE,
            hint=f"{OF_DISK} There are {there}.",
        )
    return int(text)


def _unknown(path: str, option: str, layout: Layout) -> UserError:
    return UserError(
        f"{option}: {path} is no mount point that comes along",
        code="Disk.PartNotFound",
        hint=f"There are {', '.join(sorted(layout.homes))}.",
    )
