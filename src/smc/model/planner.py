"""Places a source's filesystems on target disks: a returned plan always fits (contracts: plans).

GPT with partitions on whole MiB; every mounted filesystem exactly once, in the order it has on the source.
A disk that is large enough keeps all sizes and its last filesystem grows to the end; on a smaller one each
filesystem gets what it needs and a share of the rest.
"""

from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from smc.base.errors import UserError
from smc.base.units import GIB, MIB, gib_rounded_up, readable_size
from smc.model import ext
from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.plan import IpMode, LeftBehind, Plan, TargetDisk, TargetPartition
from smc.model.server import Firmware, Server

ALIGNMENT = MIB  # before the first partition; also what the table's copy at the end gets
BIOS_BOOT_BYTES = MIB  # GRUB's core image is about 100 KiB
NEEDED = (
    "/",
    "/boot",
    "/usr",
    "/etc",
    "/var",
    "/home",
    "/opt",
    "/root",
)  # a system without them does not boot as it was
EXTENDED = ("0x5", "0x05", "0xf", "0x0f", "0x85")  # MBR: only the frame around logical partitions
CONTAINERS = {"LVM2_member": "LVM", "linux_raid_member": "software RAID", "crypto_LUKS": "LUKS encryption"}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Smallest and largest GiB of a disk that the destination makes."""

    system_gib: tuple[int, int] = (20, 2048)
    data_gib: tuple[int, int] = (1, 32768)


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """`sizes_gib` by disk index; a disk that is not named gets the default size."""

    sizes_gib: dict[int, int] = {}
    leave_out: frozenset[int] = frozenset()  # data disks that shall not come along
    excludes: tuple[str, ...] = ()
    ip_mode: IpMode = IpMode.DHCP


def plan(server: Server, wishes: Wishes, limits: Limits) -> Plan:
    """Raises `UserError`: `Source.*` the server cannot be laid out, `Disk.*` a wish does not work."""
    if server.firmware is not Firmware.BIOS:
        raise UserError(
            f"{server.hostname} starts by UEFI, and only servers that start by BIOS can be laid out",
            code="Source.FirmwareUnsupported",
            hint="Wait for a version of the center that lays out EFI system partitions.",
        )
    _check_wishes(server, wishes)
    left_behind: list[LeftBehind] = []
    warnings: list[str] = []
    disks: list[TargetDisk] = []
    for disk in server.disks:
        kept = _kept(server, disk, wishes, left_behind)
        if not kept:
            continue
        if disk.table is not Table.GPT:
            warnings.append(
                f"{disk.path} gets a GPT partition table; its filesystems keep their UUIDs and labels"
            )
        warnings += [
            f"{part.filesystem.mount_point}: the copy does not have the filesystem features {', '.join(lost)}"
            for part in kept
            if part.filesystem and (lost := ext.lost_features(part.filesystem))
        ]
        disks.append(_place(server, disk, kept, wishes, limits))
    _check_root(server, disks)
    return Plan(
        architecture=server.architecture,
        firmware=server.firmware,
        disks=tuple(disks),
        excludes=wishes.excludes,
        ip_mode=wishes.ip_mode,
        left_behind=tuple(left_behind),
        warnings=tuple(warnings),
    )


def smallest_gib(server: Server, limits: Limits) -> dict[int, int]:
    """By disk index, of the disks that come along: what each needs at least. Raises as `plan` does."""
    found: dict[int, int] = {}
    for disk in server.disks:
        kept = _kept(server, disk, Wishes(), [])
        if kept:
            least = limits.system_gib[0] if disk.index == 0 else limits.data_gib[0]
            partitions = _partitions(server, disk, kept)
            found[disk.index] = max(_needed_gib(_floors(partitions, _filesystems(disk, kept))), least)
    return found


def mounted(partition: Partition) -> bool:
    return partition.filesystem is not None and partition.filesystem.mount_point.startswith("/")


def partition_starts(disk: TargetDisk) -> list[int]:
    """Byte offsets of the partitions, in their order."""
    starts, end = [], ALIGNMENT
    for partition in disk.partitions:
        starts.append(end)
        end += partition.size
    return starts


def _check_wishes(server: Server, wishes: Wishes) -> None:
    known = {disk.index for disk in server.disks}
    if not known:
        raise UserError(f"{server.hostname} has no disk", code="Source.LayoutUnsupported")
    for index in sorted({*wishes.sizes_gib, *wishes.leave_out} - known):
        raise UserError(
            f"{server.hostname} has no disk {index}",
            code="Disk.NotFound",
            hint=f"Its disks are {', '.join(f'{disk.index} ({disk.path})' for disk in server.disks)}.",
        )


def _check_root(server: Server, disks: list[TargetDisk]) -> None:
    mounts = [part.mount_point for disk in disks for part in disk.partitions if part.mount_point]
    if not disks or disks[0].index != 0 or "/" not in {p.mount_point for p in disks[0].partitions}:
        raise UserError(
            f"the root filesystem of {server.hostname} is not on a plain partition of its system disk",
            code="Source.LayoutUnsupported",
            hint="Root on LVM, software RAID or an encrypted volume cannot be laid out yet.",
        )
    twice = {mount for mount in mounts if mounts.count(mount) > 1}
    if twice:
        raise UserError(
            f"{', '.join(sorted(twice))}: mounted more than once on {server.hostname}",
            code="Source.LayoutUnsupported",
            hint="Unmount what lies hidden below, and start the agent again.",
        )


def _kept(server: Server, disk: Disk, wishes: Wishes, left_behind: list[LeftBehind]) -> list[Partition]:
    """The partitions of `disk` to copy, in their order on the disk; the others go to `left_behind`."""
    if disk.index in wishes.leave_out:
        _check_leave_out(disk)
        left_behind.append(LeftBehind(what=disk.path, why="deselected"))
        return []
    usable = any(mounted(part) for part in disk.partitions)
    kept: list[Partition] = []
    for part in sorted(disk.partitions, key=lambda part: part.start):
        if mounted(part):
            _check_filesystem(server, disk, part)
            kept.append(part)
        elif part.role is Role.BIOS_BOOT:
            kept += [part] if disk.index == 0 else []
        elif part.role is Role.SWAP and usable:
            kept.append(part)
        elif usable and part.type_code not in EXTENDED:
            why = f"{_described(part)}: not mounted, so its files cannot be read"
            left_behind.append(LeftBehind(what=_name(disk, part), why=why))
    if not usable and disk.index != 0:
        left_behind.append(LeftBehind(what=disk.path, why=_why_unusable(disk)))
    return kept if usable else []


def _check_leave_out(disk: Disk) -> None:
    needed = sorted(
        part.filesystem.mount_point
        for part in disk.partitions
        if part.filesystem and part.filesystem.mount_point in NEEDED
    )
    if disk.index == 0 or needed:
        raise UserError(
            f"{disk.path} cannot be left out: it holds {', '.join(needed) or 'the system'}",
            code="Disk.Needed",
            hint="Leave out data disks only.",
        )


def _check_filesystem(server: Server, disk: Disk, part: Partition) -> None:
    filesystem = part.filesystem
    assert filesystem is not None
    cure = ""
    if filesystem.type not in ext.TYPES:
        cure = "Only ext2, ext3 and ext4 can be laid out yet; unmount it to leave it behind."
    elif part.role is not Role.FILESYSTEM:
        cure = "Only filesystems directly on a partition can be laid out yet; unmount it to leave it behind."
    elif (filesystem.block_size or 4096) not in ext.BLOCK_SIZES:
        cure = f"Blocks of {filesystem.block_size} bytes cannot be mounted by the intermediate instance."
    if cure:
        raise UserError(
            f"{filesystem.mount_point} on {server.hostname} ({_name(disk, part)}) is {_described(part)}",
            code="Source.LayoutUnsupported",
            hint=cure,
        )


def _why_unusable(disk: Disk) -> str:
    within = sorted(
        {_described(part) for part in disk.partitions if part.role is Role.OTHER and part.filesystem}
    )
    return "no filesystem on it is mounted" + (f" (it holds {', '.join(within)})" if within else "")


def _described(part: Partition) -> str:
    kind = part.filesystem.type if part.filesystem else part.role.value
    return CONTAINERS.get(kind, kind or "unknown")


def _name(disk: Disk, part: Partition) -> str:
    return f"{disk.path} partition {part.number}" if part.number else disk.path


def _place(server: Server, disk: Disk, kept: list[Partition], wishes: Wishes, limits: Limits) -> TargetDisk:
    partitions = _partitions(server, disk, kept)
    filesystems = _filesystems(disk, kept)
    floors = _floors(partitions, filesystems)
    gib = _choose_gib(disk, _needed_gib(floors), wishes.sizes_gib.get(disk.index), limits)
    sizes = _share(partitions, floors, filesystems, gib * GIB - 2 * ALIGNMENT)
    return TargetDisk(
        index=disk.index,
        size=gib * GIB,
        table_uuid=_guid(disk.table_uuid, server, f"{disk.index}"),
        partitions=tuple(
            msgspec.structs.replace(
                part,
                number=number,
                size=size,
                inodes=ext.inode_count(filesystems[part.source], size) if part.mount_point else 0,
            )
            for number, (part, size) in enumerate(zip(partitions, sizes, strict=True), start=1)
        ),
    )


def _partitions(server: Server, disk: Disk, kept: list[Partition]) -> list[TargetPartition]:
    partitions = [_target(server, disk, part) for part in kept]
    if disk.index == 0 and not any(part.role is Role.BIOS_BOOT for part in kept):
        partitions.insert(0, _bios_boot(server))
    return partitions


def _filesystems(disk: Disk, kept: list[Partition]) -> dict[str, Filesystem]:
    """By the name of their source partition."""
    return {f"{disk.index}_{part.number}": part.filesystem for part in kept if part.filesystem}


def _floors(partitions: list[TargetPartition], filesystems: dict[str, Filesystem]) -> list[int]:
    return [
        ext.smallest_size(filesystems[part.source]) if part.mount_point else part.size for part in partitions
    ]


def _needed_gib(floors: list[int]) -> int:
    return gib_rounded_up(sum(floors) + 2 * ALIGNMENT)


def _target(server: Server, disk: Disk, part: Partition) -> TargetPartition:
    name = f"{disk.index}_{part.number}"
    common = TargetPartition(
        number=0,
        size=-(-part.size // MIB) * MIB,
        role=part.role,
        source=name,
        part_uuid=_guid(part.part_uuid, server, name),
        part_label=part.part_label,
    )
    filesystem = part.filesystem
    if filesystem is None or part.role is Role.BIOS_BOOT:
        return msgspec.structs.replace(common, filesystem="swap" if part.role is Role.SWAP else "")
    common = msgspec.structs.replace(
        common, filesystem=filesystem.type, uuid=filesystem.uuid, label=filesystem.label
    )
    if part.role is Role.SWAP:
        return msgspec.structs.replace(common, filesystem="swap")
    return msgspec.structs.replace(
        common,
        mount_point=filesystem.mount_point,
        features=ext.kept_features(filesystem),
        block_size=filesystem.block_size or 4096,
        inode_size=filesystem.inode_size or 256,
    )


def _bios_boot(server: Server) -> TargetPartition:
    return TargetPartition(
        number=0, size=BIOS_BOOT_BYTES, role=Role.BIOS_BOOT, part_uuid=_guid("", server, "0_bios_boot")
    )


def _guid(text: str, server: Server, name: str) -> str:
    """The source's where GPT can hold it; an MBR disk has none: then always the same for the same source."""
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid5(NAMESPACE_OID, f"{server.fingerprint}/{name}"))


def _choose_gib(disk: Disk, smallest: int, wish: int | None, limits: Limits) -> int:
    low, high = limits.system_gib if disk.index == 0 else limits.data_gib
    smallest = max(smallest, low)
    if smallest > high:
        raise UserError(
            f"what {disk.path} holds needs {smallest} GiB; the destination makes disks of at most {high} GiB",
            code="Disk.TooLarge",
            hint="Move files to another disk of the source.",
        )
    if wish is None:
        return min(max(gib_rounded_up(disk.size), smallest), high)
    if wish < smallest:
        raise UserError(
            f"{wish} GiB is too small for disk {disk.index} ({disk.path}, {readable_size(disk.size)}):"
            f" the smallest size that works is {smallest} GiB",
            code="Disk.TooSmall",
            hint=f"Ask for at least {smallest} GiB.",
        )
    if wish > high:
        raise UserError(
            f"{wish} GiB is too large for disk {disk.index} ({disk.path}):"
            f" the destination makes at most {high} GiB",
            code="Disk.TooLarge",
            hint=f"Ask for {smallest} to {high} GiB.",
        )
    return wish


def _share(
    partitions: list[TargetPartition], floors: list[int], filesystems: dict[str, Filesystem], room: int
) -> list[int]:
    """Sizes in whole MiB that together take at most `room`, each at least its floor."""
    wanted = [max(part.size, floor) for part, floor in zip(partitions, floors, strict=True)]
    last = max(index for index, part in enumerate(partitions) if part.mount_point)
    if sum(wanted) <= room:
        sizes = wanted
    else:
        spare, wish = room - sum(floors), sum(wanted) - sum(floors)
        sizes = [
            floor + (want - floor) * spare // wish // MIB * MIB
            for want, floor in zip(wanted, floors, strict=True)
        ]
    limit = max(ext.largest_size(filesystems[partitions[last].source]), sizes[last])
    sizes[last] = min(sizes[last] + room - sum(sizes), limit)
    return sizes
