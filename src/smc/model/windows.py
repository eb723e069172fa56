"""A Windows as a source: its disks are planned as they are, for nothing but Windows makes an NTFS anew.

Table, partitions, their order, sizes, ids and names are kept: also what is reserved and what has no letter.
Only a disk as a whole may be larger. What sends such disks is not there yet, so a job is refused (`refuse`).
"""

from collections.abc import Iterator, Mapping, Sequence

from smc.base.errors import UserError
from smc.base.units import GIB, gib_rounded_up
from smc.model.disk import Disk, Partition
from smc.model.places import mounts
from smc.model.plan import LeftBehind, Plan, TargetDisk, TargetPartition
from smc.model.server import Server
from smc.model.wishes import Limits, PartWish, Wishes

NOT_SENT = "there is no program yet that sends the disks of a Windows: a job for it is refused"
LEAVE_OUT = "Leave it out: partitions of a Windows are kept as they are."


def refuse(server: Server) -> UserError:
    """Why there is no job for it, and what there is instead."""
    return UserError(
        f"{server.hostname} runs Windows: its disks are read and can be planned, but {NOT_SENT}",
        code="Source.WindowsUnsupported",
        hint="Make an image of it by its own means (a VHDX of all its disks), look at that with "
        "`smc image check FILE`, and import it into the cloud as an image.",
    )


def kept(server: Server, wishes: Wishes, limits: Limits) -> Plan:
    """Raises `UserError`: `UnsupportedParameter.*` for a change within a disk, `Disk.*` for a wrong size."""
    if wishes.lvm:
        raise _unsupported("LVM", f"LVM is not for Windows, which {server.hostname} runs")
    made = _made(server, wishes)
    for disk in made:
        _check_parts(server, disk, wishes.parts.get(disk.index))
    return Plan(
        architecture=server.architecture,
        firmware=server.firmware,
        disks=tuple(_target(disk, wishes, limits) for disk in made),
        excludes=wishes.excludes,
        ip_mode=wishes.ip_mode,
        left_behind=tuple(_left_behind(server, made)),
        warnings=(NOT_SENT,),
    )


def smallest(server: Server, wishes: Wishes, limits: Limits) -> dict[int, int]:
    """GiB by index, of the disks that come along."""
    return {disk.index: _smallest(disk, limits) for disk in _made(server, wishes)}


def _made(server: Server, wishes: Wishes) -> list[Disk]:
    return [disk for disk in server.disks if not disk.index or _wanted(server, disk, wishes)]


def _wanted(server: Server, disk: Disk, wishes: Wishes) -> bool:
    empty = wishes.parts.get(disk.index) == ()
    return bool(mounts(server, disk)) and disk.index not in wishes.leave_out and not empty


def _left_behind(server: Server, made: Sequence[Disk]) -> Iterator[LeftBehind]:
    for disk in server.disks:
        if disk not in made:
            why = "deselected" if mounts(server, disk) else "no filesystem on it has a letter"
            yield LeftBehind(what=disk.path, why=why)


def _check_parts(server: Server, disk: Disk, wished: Sequence[PartWish] | None) -> None:
    if wished is None:
        return
    own = {place.key: place.part for place in mounts(server, disk)}
    if [part.source for part in wished] != [*own]:
        raise _unsupported("Part", f"partitions of disk {disk.index} cannot be moved, reordered or left out")
    _check_sizes(own, wished)


def _check_sizes(own: Mapping[str, Partition], wished: Sequence[PartWish]) -> None:
    for part in wished:
        if part.size not in (0, own[part.source].size):
            raise _unsupported(
                "SizeBytes", f"{part.source} has {own[part.source].size} bytes, and keeps them"
            )


def _target(disk: Disk, wishes: Wishes, limits: Limits) -> TargetDisk:
    least, most = _smallest(disk, limits), limits.of(disk.index)[1]
    gib = wishes.sizes_gib.get(disk.index) or least
    if least > most or gib > most:
        raise UserError(
            f"disk {disk.index} ({disk.path}) would have {max(least, gib)} GiB; {most} GiB is the most",
            code="Disk.TooLarge",
            hint=f"Ask for at most {most} GiB." if least <= most else "It cannot be moved as it is.",
        )
    if gib < least:
        raise UserError(
            f"{gib} GiB are too small for disk {disk.index} ({disk.path}): a Windows is kept as it is,"
            f" and the smallest size that works is {least} GiB",
            code="Disk.TooSmall",
            hint=f"Ask for at least {least} GiB.",
        )
    return TargetDisk(
        index=disk.index,
        size=gib * GIB,
        table=disk.table,
        table_uuid=disk.table_uuid,
        partitions=tuple(_part(disk, part) for part in disk.partitions),
    )


def _part(disk: Disk, part: Partition) -> TargetPartition:
    filesystem = part.filesystem
    return TargetPartition(
        number=part.number,
        size=part.size,
        role=part.role,
        source=f"{disk.index}_{part.number}",
        part_uuid=part.part_uuid,
        part_label=part.part_label,
        filesystem=filesystem.type if filesystem else "",
        uuid=filesystem.uuid if filesystem else "",
        label=filesystem.label if filesystem else "",
        mount_point=filesystem.mount_point if filesystem else "",
        bootable=part.bootable,
    )


def _smallest(disk: Disk, limits: Limits) -> int:
    return max(gib_rounded_up(disk.size), limits.of(disk.index)[0])


def _unsupported(parameter: str, why: str) -> UserError:
    return UserError(why, code=f"UnsupportedParameter.{parameter}", hint=LEAVE_OUT)
