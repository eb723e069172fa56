"""Places a source's filesystems on target disks: a returned plan always fits (contracts: plans).

The table is the source's, partitions stand on whole MiB; every filesystem that comes along is there exactly
once, in the order it has on the source or that was wished for. A disk that is large enough keeps all
sizes and its last filesystem grows to the end; a smaller one gives each its minimum and a share of the rest.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from smc.base.errors import UserError
from smc.base.units import GIB
from smc.model import windows
from smc.model.disk import Disk, Filesystem, Role, Table
from smc.model.formats import FORMATS
from smc.model.logical import disks_with_group, group_name
from smc.model.logical import warnings as without_group
from smc.model.pieces import (
    Piece,
    Want,
    guid,
    missing_pieces,
    pieces_of,
    unreadable,
    why_unusable,
)
from smc.model.placement import Arranged, Shelf, arrange, chosen, needed_gib
from smc.model.places import KINDS
from smc.model.plan import LeftBehind, Plan, TargetDisk, TargetPartition, VolumeGroup
from smc.model.server import Server, runs_windows
from smc.model.subvolumes import why_left
from smc.model.tables import frame_bytes, numbers, table_of
from smc.model.traces import AGENT_FOLDER
from smc.model.wishes import Limits, Wishes


def plan(server: Server, wishes: Wishes, limits: Limits) -> Plan:
    """Raises `UserError`: `Source.*` the server cannot be laid out, `Disk.*` and `Part.*` a wish is wrong."""
    _check_disks(server, wishes)
    if runs_windows(server):
        return windows.kept(server, wishes, limits)
    shelves = _shelves(server, wishes)
    arranged = arrange(shelves, wishes, limits)
    filled = [shelf for shelf in arranged.shelves if shelf.mounts]
    return Plan(
        architecture=server.architecture,
        firmware=server.firmware,
        disks=tuple(_target_disk(server, shelf, arranged.wants) for shelf in filled),
        excludes=wishes.excludes,
        ip_mode=wishes.ip_mode,
        left_behind=tuple(_left_behind(server, arranged)),
        warnings=(*without_group(server, wishes), *_warnings(filled, arranged), *_databases_told(server)),
    )


def smallest_gib(server: Server, limits: Limits, wishes: Wishes) -> dict[int, int]:
    """By index, of the disks that come along: what each needs at least. Raises as `plan` does."""
    if runs_windows(server):
        return windows.smallest(server, wishes, limits)
    free = msgspec.structs.replace(wishes, sizes_gib={})
    shelves = [shelf for shelf in _shelves(server, free) if shelf.mounts]
    wants = arrange(shelves, free, limits).wants
    return {
        shelf.disk.index: max(needed_gib(shelf, wants), limits.of(shelf.disk.index)[0]) for shelf in shelves
    }


def _check_disks(server: Server, wishes: Wishes) -> None:
    known = {disk.index for disk in server.disks}
    if not known:
        raise UserError(f"{server.hostname} has no disk", code="Source.LayoutUnsupported")
    for index in sorted({*wishes.sizes_gib, *wishes.leave_out, *wishes.parts, *wishes.lvm} - known):
        raise UserError(
            f"{server.hostname} has no disk {index}",
            code="Disk.NotFound",
            hint=f"Its disks are {', '.join(f'{disk.index} ({disk.path})' for disk in server.disks)}.",
        )


def _shelves(server: Server, wishes: Wishes) -> list[Shelf]:
    found = {disk.index: pieces_of(server, disk) for disk in server.disks}
    _check_mounts(server, found)
    system, size = server.disks[0], server.disks[0].size
    found[0][:0] = missing_pieces(server, found[0], table_of(system, found[0], size))
    return chosen(found, server.disks, wishes, disks_with_group(server, wishes))


def _check_mounts(server: Server, found: Mapping[int, Sequence[Piece]]) -> None:
    mounts = [piece.mount_point for pieces in found.values() for piece in pieces if piece.mount_point]
    if server.disks[0].index != 0 or "/" not in {piece.mount_point for piece in found[0]}:
        raise UserError(
            f"the root filesystem of {server.hostname} is on none of its disks",
            code="Source.LayoutUnsupported",
            hint="A system that is started over the network, or from memory, cannot be moved.",
        )
    twice = {mount for mount in mounts if mounts.count(mount) > 1}
    if twice:
        raise UserError(
            f"{', '.join(sorted(twice))}: mounted more than once on {server.hostname}",
            code="Source.LayoutUnsupported",
            hint="Unmount what lies hidden below, and start the agent again.",
        )


def _left_behind(server: Server, arranged: Arranged) -> Iterator[LeftBehind]:
    placed = {piece.key for shelf in arranged.shelves if shelf.mounts for piece in shelf.pieces}
    made = {shelf.disk.index for shelf in arranged.shelves if shelf.mounts}
    for disk in server.disks:
        pieces = pieces_of(server, disk)
        mounts = [piece for piece in pieces if piece.filesystem]
        gone = [piece for piece in mounts if piece.key not in placed]
        if disk.index not in made:
            yield LeftBehind(what=disk.path, why=_why_not_made(server, disk, mounts, gone))
        for piece in gone if disk.index in made or len(gone) < len(mounts) else ():
            yield LeftBehind(what=f"{piece.mount_point} ({piece.title})", why="deselected")
        for piece in mounts:
            if piece.key in placed and piece.filesystem:
                yield from _subvolumes(piece, piece.filesystem)
        if mounts and (disk.index in made or len(gone) < len(mounts)):
            yield from unreadable(server, disk)


def _subvolumes(piece: Piece, filesystem: Filesystem) -> Iterator[LeftBehind]:
    for each in filesystem.subvolumes:
        if why := why_left(each, filesystem):
            yield LeftBehind(what=f"subvolume {each.path} of {piece.mount_point} ({piece.title})", why=why)
    for made in piece.target.subvolumes:
        if not made.copied:
            what = f"files beside the subvolumes in {made.path or 'the top'} of {piece.mount_point}"
            yield LeftBehind(what=what, why="it is mounted nowhere; what it holds are the subvolumes")


def _why_not_made(server: Server, disk: Disk, mounts: Sequence[Piece], gone: Sequence[Piece]) -> str:
    if not mounts:
        return why_unusable(server, disk)
    return "deselected" if len(gone) == len(mounts) else "what is mounted of it comes on other disks"


def _warnings(shelves: Sequence[Shelf], arranged: Arranged) -> Iterator[str]:
    for piece, giving, taking in arranged.moves:
        yield (
            f"{piece.mount_point} does not fit on disk {giving.disk.index} ({giving.gib} GiB)"
            f" any more, and comes on disk {taking.disk.index} ({taking.gib} GiB)"
        )
    for shelf in shelves:
        yield from _group_told(shelf)
        yield from _encryption_told(shelf)
        table = shelf.table(shelf.gib * GIB)
        if table is not shelf.disk.table:
            yield (
                f"{shelf.disk.path} gets a {table.value.upper()} partition table;"
                " its filesystems keep their UUIDs and labels"
            )
        for piece in shelf.mounts:
            if piece.kind:
                lies, gets = KINDS[piece.kind], "logical volume" if shelf.is_volume(piece) else "partition"
                yield f"{piece.mount_point} lies on {lies} at the source, on a {gets} at the target"
            if piece.filesystem and (lost := _lost_features(piece.filesystem)):
                yield f"{piece.mount_point}: the copy does not have the filesystem features {', '.join(lost)}"


def _group_told(shelf: Shelf) -> Iterator[str]:
    volumes = ", ".join(f"{piece.mount_point} on lv{at}" for at, piece in enumerate(shelf.volumes, start=1))
    if volumes:
        name = group_name(shelf.disk.index)
        yield f"disk {shelf.disk.index} ({shelf.disk.path}) has the volume group {name}: {volumes}"


def _encryption_told(shelf: Shelf) -> Iterator[str]:
    for piece in shelf.pieces:
        if piece.encrypted:
            name = piece.mount_point or f"{piece.target.role.value} ({piece.title})"
            yield f"{name} is encrypted at the source and is not at the target"


def _databases_told(server: Server) -> Iterator[str]:
    if server.facts.databases and not server.facts.hooks:
        yield (
            f"{', '.join(server.facts.databases)} runs on {server.hostname}: a copy of what it writes"
            f" meanwhile is of no one moment. Stop it before the last round, or put scripts that do into"
            f" {AGENT_FOLDER}/Hooks there"
        )


def _lost_features(filesystem: Filesystem) -> tuple[str, ...]:
    return FORMATS[filesystem.type].lost_features(filesystem)


def _target_disk(server: Server, shelf: Shelf, wants: Mapping[str, Want]) -> TargetDisk:
    size = shelf.gib * GIB
    table = shelf.table(size)
    table_uuid = _table_uuid(server, shelf.disk, table)
    pieces = [*shelf.plain, *shelf.volumes]
    sizes = _share(shelf, pieces, wants, size - shelf.frame(size))
    count, rows = len(shelf.plain), len(shelf.plain) + bool(shelf.volumes)
    plain = tuple(
        _numbered(piece.target, piece, table, table_uuid, number, size)
        for piece, number, size in zip(shelf.plain, numbers(table, rows), sizes[:count], strict=False)
    )
    if not shelf.volumes:
        group = None
    else:
        room = size - frame_bytes(table, rows) - sum(sizes[:count])
        group = _group(server, shelf.disk, table, table_uuid, numbers(table, rows)[-1], room)
    volumes = tuple(
        _volume(piece, group.name if group else "", number, size)
        for number, (piece, size) in enumerate(zip(shelf.volumes, sizes[count:], strict=True), start=1)
    )
    return TargetDisk(
        index=shelf.disk.index,
        size=size,
        table=table,
        table_uuid=table_uuid,
        partitions=(*plain, *volumes),
        group=group,
    )


def _table_uuid(server: Server, disk: Disk, table: Table) -> str:
    unique = guid(disk.table_uuid, server, f"{disk.index}")
    match table:
        case Table.GPT:
            return unique
        case Table.MBR:  # 0 is what a blank disk has
            return disk.table_uuid if disk.table_uuid.strip("0") else unique[:8]
        case Table.NONE:
            return ""


def _numbered(
    target: TargetPartition, piece: Piece | None, table: Table, table_uuid: str, number: int, size: int
) -> TargetPartition:
    made = msgspec.structs.replace(target, number=number, size=size, inodes=_inodes(piece, size))
    match table:
        case Table.GPT:
            return msgspec.structs.replace(made, bootable=False)
        case Table.MBR:
            unique = f"{table_uuid}-{number:02x}"
            return msgspec.structs.replace(made, part_uuid=unique, part_label="")
        case Table.NONE:
            return msgspec.structs.replace(made, part_uuid="", part_label="", bootable=False)


def _group(server: Server, disk: Disk, table: Table, table_uuid: str, number: int, size: int) -> VolumeGroup:
    name = group_name(disk.index)
    member = TargetPartition(number=number, size=size, role=Role.LVM, part_uuid=guid("", server, name))
    return VolumeGroup(name=name, member=_numbered(member, None, table, table_uuid, number, size))


def _volume(piece: Piece, group: str, number: int, size: int) -> TargetPartition:
    return msgspec.structs.replace(
        piece.target,
        number=number,
        size=size,
        inodes=_inodes(piece, size),
        part_uuid="",
        part_label="",
        bootable=False,
        group=group,
    )


def _inodes(piece: Piece | None, size: int) -> int:
    of = piece.filesystem if piece else None
    return FORMATS[of.type].inode_count(of, size) if of else 0


def _share(shelf: Shelf, pieces: Sequence[Piece], wants: Mapping[str, Want], room: int) -> list[int]:
    """Sizes in whole MiB or extents that together take at most `room`, each at least its floor."""
    wanted = [shelf.whole(piece, wants[piece.key].size) for piece in pieces]
    floors = [shelf.whole(piece, wants[piece.key].floor) for piece in pieces]
    if sum(wanted) <= room:
        sizes = wanted
    else:
        spare, wish = room - sum(floors), sum(wanted) - sum(floors)
        sizes = [
            floor + (want - floor) * spare // wish // shelf.unit(piece) * shelf.unit(piece)
            for piece, want, floor in zip(pieces, wanted, floors, strict=True)
        ]
    for at in reversed(range(len(pieces))):
        filesystem, unit = pieces[at].filesystem, shelf.unit(pieces[at])
        if filesystem and not wants[pieces[at].key].exact:
            limit = max(FORMATS[filesystem.type].largest_size(filesystem) // unit * unit, sizes[at])
            sizes[at] = min(sizes[at] + (room - sum(sizes)) // unit * unit, limit)
            break
    return sizes
