"""Where a source has its filesystems and swap areas: on partitions, and on volumes made out of partitions.

A volume counts to the disk of the first partition that it lies on, and stands there in that one's place.
"""

import re

import msgspec

from smc.model.disk import Disk, Partition, Role, VolumeKind
from smc.model.server import Server

KINDS = {
    VolumeKind.LVM: "LVM",
    VolumeKind.RAID: "software RAID",
    VolumeKind.LUKS: "LUKS encryption",
    VolumeKind.MAPPED: "device-mapper",
}
MOUNTED = re.compile("/|[A-Z]:")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is its name in plans: `<disk index>_<number>`, or `<disk index>_<kind>.<name>` of a volume.

    `part`: the partition, or what the volume would be as one.
    """

    key: str
    title: str
    part: Partition
    kind: VolumeKind | None = None
    encrypted: bool = False


def places(server: Server, disk: Disk) -> list[Place]:
    """In their order on the disk; without partitions of which volumes are made."""
    within = {name for volume in server.volumes for name in volume.on}
    found = [
        Place(key=f"{disk.index}_{part.number}", title=_title(disk, part), part=part)
        for part in disk.partitions
        if f"{disk.index}_{part.number}" not in within
    ]
    starts = {f"{disk.index}_{part.number}": part.start for part in disk.partitions}
    for volume in server.volumes:
        home = min(volume.on, key=_order)
        if home not in starts and home != f"{disk.index}_0":
            continue
        is_swap = volume.filesystem.type == "swap"
        found.append(
            Place(
                key=f"{disk.index}_{volume.kind.value}.{volume.name}",
                title=f"{volume.path} on {disk.path}",
                kind=volume.kind,
                encrypted=volume.encrypted or volume.kind is VolumeKind.LUKS,
                part=Partition(
                    number=-1,
                    start=starts.get(home, 0),
                    size=volume.size,
                    role=Role.SWAP if is_swap else Role.FILESYSTEM,
                    filesystem=volume.filesystem,
                ),
            )
        )
    return sorted(found, key=lambda place: place.part.start)


def mounted(partition: Partition) -> bool:
    """At a path, or by the letter of a Windows."""
    return partition.filesystem is not None and MOUNTED.match(partition.filesystem.mount_point) is not None


def mounts(server: Server, disk: Disk) -> list[Place]:
    return [place for place in places(server, disk) if mounted(place.part)]


def elsewhere(server: Server, disk: Disk) -> list[str]:
    """Volumes that lie on this disk too, and come along from another one."""
    own = f"{disk.index}_"
    return [
        volume.path
        for volume in server.volumes
        if any(name.startswith(own) for name in volume.on)
        if not min(volume.on, key=_order).startswith(own)
    ]


def _order(name: str) -> tuple[int, int]:
    disk, _, number = name.partition("_")
    return int(disk), int(number)


def _title(disk: Disk, part: Partition) -> str:
    return f"{disk.path} partition {part.number}" if part.number else disk.path
