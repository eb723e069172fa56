"""Disks of a source and of a plan, in both generations of the public API's shapes.

The older one names a partition `<disk>_<partition>`, the newer one by its mount point.
"""

from collections.abc import Mapping

from smc.base.units import GIB, gib_rounded_up
from smc.center.store.values import JobRequest
from smc.model.disk import Disk, Partition
from smc.model.pieces import NEEDED
from smc.model.places import Place, mounts
from smc.model.plan import Plan, TargetDisk, TargetPartition
from smc.model.server import Server

CAN_BLOCK = False  # there is no block engine yet (contracts, 5)

Fields = dict[str, object]


def system_disk_gib(server: Server) -> int:
    return gib_rounded_up(server.disks[0].size) if server.disks else 0


def system_disk_parts(server: Server) -> list[Fields]:
    return [_part(place) for place in mounts(server, server.disks[0])] if server.disks else []


def data_disks(server: Server) -> list[Fields]:
    """A data disk without a mounted filesystem cannot be moved, so it is not shown."""
    return [
        {
            "Index": disk.index,
            "Path": _mount(mounts(server, disk)[0].part),
            "Size": gib_rounded_up(disk.size),
            "Parts": {"Part": [_part(place) for place in mounts(server, disk)]},
        }
        for disk in movable_data_disks(server)
    ]


def disks(server: Server) -> Fields:
    """The newer shape; `Disks.Data.N` of a request means the N-th of its data disks."""
    if not server.disks:
        return {"System": {"Size": 0, "Offset": 0, "Parts": {"Part": []}}, "Data": {"Data": []}}
    return {
        "System": _disk(server, server.disks[0]),
        "Data": {"Data": [_disk(server, disk) for disk in movable_data_disks(server)]},
    }


def movable_data_disks(server: Server) -> list[Disk]:
    return [disk for disk in server.disks[1:] if mounts(server, disk)]


def planned_system_disk(plan: Plan) -> Fields:
    """SystemDiskSize and SystemDiskParts of a job."""
    return {
        "SystemDiskSize": plan.disks[0].size // GIB,
        "SystemDiskParts": {"SystemDiskPart": [_planned_part(part) for part in _filled(plan.disks[0])]},
    }


def planned_data_disks(plan: Plan) -> list[Fields]:
    return [
        {
            "Index": disk.index,
            "Size": disk.size // GIB,
            "Parts": {"Part": [_planned_part(part) for part in _filled(disk)]},
        }
        for disk in plan.disks[1:]
    ]


def planned_disks(plan: Plan, asked: JobRequest) -> Fields:
    """With the target instance's disks that take data disks of the source.

    Of a part `AskedBytes` is ours: the size that was wished, 0 where it is the planner's. A later request
    that tells a disk's parts anew repeats it.
    """
    ids = asked.target_disks
    wished = {wish.source: wish.size for parts in asked.parts.values() for wish in parts}
    return {
        "System": _planned_disk(plan.disks[0], "", wished),
        "Data": {"Data": [_planned_disk(disk, ids.get(disk.index, ""), wished) for disk in plan.disks[1:]]},
    }


def beside_the_plan(plan: Plan) -> Fields:
    """Ours: what is not at the target, with the reason, and what is there in another way."""
    return {
        "LeftBehind": [{"What": left.what, "Why": left.why} for left in plan.left_behind],
        "Warnings": list(plan.warnings),
    }


def _mount(part: Partition) -> str:
    return part.filesystem.mount_point if part.filesystem else ""


def _part(place: Place) -> Fields:
    part = place.part
    return {
        "Device": place.key,
        "Path": _mount(part),
        "SizeBytes": part.size,
        "CanBlock": CAN_BLOCK,
        "Need": _mount(part) in NEEDED,
    }


def _disk(server: Server, disk: Disk) -> Fields:
    parts = [place.part for place in mounts(server, disk)]
    return {
        "Size": gib_rounded_up(disk.size),
        "Offset": min((part.start for part in disk.partitions), default=0),
        "Parts": {
            "Part": [
                {
                    "Path": _mount(part),
                    "SizeBytes": part.size,
                    "CanBlock": CAN_BLOCK,
                    "Type": _type(_mount(part)),
                }
                for part in parts
            ]
        },
    }


def _type(mount_point: str) -> str:
    return {"/": "System", "/boot": "Boot", "/boot/efi": "Boot", "C:": "System"}.get(mount_point, "Normal")


def _filled(disk: TargetDisk) -> list[TargetPartition]:
    return [part for part in disk.partitions if part.mount_point]


def _planned_part(part: TargetPartition) -> Fields:
    return {"Device": part.source, "SizeBytes": part.size, "Block": False}


def _planned_disk(disk: TargetDisk, disk_id: str, wished: Mapping[str, int]) -> Fields:
    return {
        "DiskId": disk_id,
        "Size": disk.size // GIB,
        "LVM": disk.group is not None,
        "Parts": {
            "Part": [
                {
                    "Path": part.mount_point,
                    "SizeBytes": part.size,
                    "AskedBytes": wished.get(part.source, 0),
                    "Block": False,
                }
                for part in _filled(disk)
            ]
        },
    }
