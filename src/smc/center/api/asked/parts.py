"""The partitions that are wished for, in either generation of parameters: by device, or by mount point.

A disk with a list of parts gets exactly these, in that order. In `Disks` one list of a data disk says that
all of them are meant to be there: what no list names is left out, and its disk too when nothing is on it.
"""

from collections.abc import Mapping, Sequence

from smc.base.errors import UserError
from smc.center.api import layout
from smc.center.api.job_parameters import JobParameters, NewDisk, NewDisks, Part
from smc.center.api.words import invalid, unsupported
from smc.model.disk import Disk
from smc.model.places import mounts
from smc.model.server import Server, runs_windows
from smc.model.wishes import PartWish

Parts = dict[int, tuple[PartWish, ...]]


def refuse_engine(sent: JobParameters, server: Server) -> None:
    new = sent.disks or NewDisks()
    parts = [*sent.system_disk_part]
    parts += [part for disk in sent.data_disk for part in disk.part]
    parts += [part for disk in (new.system, *new.data) if disk is not None for part in disk.part]
    if runs_windows(server) and any(part.block is False for part in parts):
        raise unsupported("Block", "of a Windows whole partitions are copied, never files.")
    if any(part.block for part in parts) and not runs_windows(server):
        raise unsupported("Block", "files are copied, not blocks, so far.")


def parts_sent(sent: JobParameters, server: Server) -> Parts:
    """By index of the target disk, of those that are told. Raises `UserError`."""
    by_path, by_device = _newer(sent.disks or NewDisks(), server), _older(sent, server)
    if twice := by_path.keys() & by_device.keys():
        raise invalid(
            "Disks",
            f"The partitions of disk {min(twice)} are given twice.",
            "Give them in Disks, or in SystemDiskPart and DataDisk, not in both.",
        )
    return by_device | by_path


def data_targets(new: NewDisks, server: Server) -> list[tuple[Disk, NewDisk]]:
    """The source's disk behind each of `Disks.Data`: the one that its first part is on, else the next free.

    Raises `UserError` (`ReplicationJobDataDiskIndex.Invalid`).
    """
    free = layout.movable_data_disks(server)
    if len(new.data) > len(free):
        raise UserError(
            f"Disks.Data names {len(new.data)} data disks; the source has {len(free)}.",
            code="ReplicationJobDataDiskIndex.Invalid",
            hint="DescribeSourceServers shows them in their order.",
        )
    if not _has_parts(new.data):
        return list(zip(free, new.data, strict=False))
    places = _by_path(server)
    taken: dict[int, Disk] = {}
    for at, wished in enumerate(new.data):
        homes = [places[path][0] for part in wished.part if (path := _clean(part.path)) in places]
        own = next((disk for disk in homes if disk in free), None)
        if own is not None:
            taken[at] = own
            free.remove(own)
    return [(taken.get(at) or free.pop(0), wished) for at, wished in enumerate(new.data)]


def _newer(new: NewDisks, server: Server) -> Parts:
    places = _by_path(server)
    parts: Parts = {}
    if new.system and new.system.part:
        parts[0] = _by_mount_point(new.system.part, places)
    if not _has_parts(new.data):
        return parts
    targets = data_targets(new, server)
    for disk, wished in targets:
        if wished.part:
            parts[disk.index] = _by_mount_point(wished.part, places)
    for disk in layout.movable_data_disks(server):
        if disk.index not in {target.index for target, _ in targets}:
            parts[disk.index] = ()
    return parts


def _older(sent: JobParameters, server: Server) -> Parts:
    parts: Parts = {}
    if sent.system_disk_part:
        parts[0] = _by_device(0, sent.system_disk_part, server, "SystemDiskPart")
    for disk in sent.data_disk:
        if disk.part:
            parts[disk.index] = _by_device(disk.index, disk.part, server, "DataDisk.Part")
    return parts


def _has_parts(disks: Sequence[NewDisk]) -> bool:
    return any(disk.part for disk in disks)


def _by_path(server: Server) -> dict[str, tuple[Disk, str]]:
    """Mount point -> the disk, and the partition's name in a plan."""
    return {
        place.part.filesystem.mount_point: (disk, place.key)
        for disk in server.disks
        for place in mounts(server, disk)
        if place.part.filesystem
    }


def _clean(path: str) -> str:
    return path.rstrip("/") or path


def _by_mount_point(parts: Sequence[Part], places: Mapping[str, tuple[Disk, str]]) -> tuple[PartWish, ...]:
    """A part with an empty path is none: so a disk can be told to have no mount point at all."""
    wishes = []
    for part in parts:
        path = _clean(part.path)
        if path and path not in places:
            raise invalid(
                "Path",
                f"No filesystem that can be moved is mounted at {path} on the source.",
                f"There are {', '.join(sorted(places))}.",
            )
        if path:
            wishes.append(PartWish(source=places[path][1], size=_size(part)))
    return tuple(wishes)


def _by_device(index: int, parts: Sequence[Part], server: Server, parameter: str) -> tuple[PartWish, ...]:
    known = [place.key for disk in server.disks if disk.index == index for place in mounts(server, disk)]
    wishes = []
    for part in parts:
        if not part.device and part.size_bytes is None:
            continue
        if not part.device or part.size_bytes is None:
            raise invalid(parameter, "Device and SizeBytes are given both or neither.")
        if part.device not in known:
            raise invalid(
                f"{parameter}.Device",
                f"Disk {index} of the source has no mounted partition {part.device}.",
                f"It has {', '.join(known) or 'none'}; Disks moves mount points to other disks.",
            )
        wishes.append(PartWish(source=part.device, size=_size(part)))
    return tuple(wishes)


def _size(part: Part) -> int:
    if part.size_bytes is not None and part.size_bytes <= 0:
        raise invalid("SizeBytes", f"SizeBytes must be more than 0, not {part.size_bytes}.", "Leave it out.")
    return part.size_bytes or 0
