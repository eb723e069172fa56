"""Disks (API ECS 2014-05-26)."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.localcloud.api.asking import (
    Name,
    Paged,
    Tagged,
    Token,
    check_zone,
    choose,
    ecs_tags,
    get,
    ids_of,
    once,
    page,
    tags_of,
)
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.layers import of_snapshot
from smc.localcloud.power import detached
from smc.localcloud.things import (
    Disk,
    DiskStatus,
    Instance,
    InstanceStatus,
    Snapshot,
    SnapshotStatus,
    new_id,
    stamp,
)
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

DEVICES = tuple(f"/dev/xvd{letter}" for letter in "abcdefghijklmnopq")


class DescribeDisks(Paged, frozen=True, kw_only=True):
    disk_ids: str = ""
    disk_name: str = ""
    instance_id: str = ""
    disk_type: str = "all"
    snapshot_id: str = ""
    zone_id: str = ""
    status: str = ""


def describe_disks(cloud: Cloud, request: DescribeDisks) -> Reply:
    found = choose(
        cloud.store.all(Disk),
        ids_of(request.disk_ids, "DiskIds"),
        request.tags,
        resource_group=request.resource_group_id,
        name=request.disk_name,
        instance=request.instance_id,
        source_snapshot=request.snapshot_id,
        zone=request.zone_id,
    )
    found = [
        disk
        for disk in found
        if request.disk_type in ("all", _type(disk)) and request.status in ("", "All", disk.status.value)
    ]
    counters, disks = page(found, request, lambda disk: _disk(cloud, disk))
    return {**counters, "Disks": {"Disk": disks}}


class CreateDisk(Tagged, frozen=True, kw_only=True):
    zone_id: str = ""
    size: Annotated[int, msgspec.Meta(ge=1, le=32768)] | None = None
    snapshot_id: str = ""
    disk_name: Name = ""
    description: str = ""
    disk_category: str = "cloud_essd"
    performance_level: str = ""
    client_token: Token = ""


def create_disk(cloud: Cloud, request: CreateDisk) -> Reply:
    zone = request.zone_id or cloud.zone
    check_zone(cloud, zone)

    def make() -> Reply:
        snapshot = ready_snapshot(cloud, request.snapshot_id) if request.snapshot_id else None
        disk = new_disk(
            cloud,
            zone,
            name=request.disk_name,
            description=request.description,
            category=request.disk_category,
            performance_level=request.performance_level,
            size_gib=check_size("Size", request.size, snapshot.size_gib if snapshot else 0),
            base=of_snapshot(snapshot.id) if snapshot else "",
            source_snapshot=request.snapshot_id,
            tags=tags_of(request),
            resource_group=request.resource_group_id,
            delete_with_instance=False,
        )
        cloud.store.put(disk)
        return {"DiskId": disk.id}

    return once(cloud, request, request.client_token, make)


class AttachDisk(Request, frozen=True, kw_only=True):
    instance_id: str
    disk_id: str
    delete_with_instance: bool = False


def attach_disk(cloud: Cloud, request: AttachDisk) -> Reply:
    with cloud.store.transaction():
        disk = get(cloud, Disk, request.disk_id)
        instance = get(cloud, Instance, request.instance_id)
        if disk.instance or disk.status is not DiskStatus.AVAILABLE:
            raise _wrong_status(disk)
        if disk.zone != instance.zone:
            raise UserError(
                f"Disk {disk.id} is in {disk.zone}, instance {instance.id} in {instance.zone}.",
                code="ResourcesNotInSameZone",
                hint="Choose a disk of the instance's zone; a snapshot makes one in any zone.",
            )
        _expect_stopped(instance)
        taken = {other.device for other in cloud.disks_of(instance.id)}
        free = [device for device in DEVICES[1:] if device not in taken]
        if not free:
            raise UserError(f"Instance {instance.id} has no place left.", code="InstanceDiskLimitExceeded")
        cloud.store.put(
            with_changes(
                disk,
                instance=instance.id,
                device=free[0],
                attached=stamp(cloud.now()),
                status=DiskStatus.IN_USE,
                delete_with_instance=request.delete_with_instance,
            )
        )
    return {}


class DetachDisk(Request, frozen=True, kw_only=True):
    instance_id: str
    disk_id: str


def detach_disk(cloud: Cloud, request: DetachDisk) -> Reply:
    with cloud.store.transaction():
        disk = get(cloud, Disk, request.disk_id)
        instance = get(cloud, Instance, request.instance_id)
        if disk.instance != instance.id:
            raise UserError(f"Disk {disk.id} is not attached to {instance.id}.", code="DependencyViolation")
        if disk.status is not DiskStatus.IN_USE:
            raise _wrong_status(disk)
        _expect_stopped(instance)
        cloud.store.put(detached(disk))
    return {}


class DeleteDisk(Request, frozen=True, kw_only=True):
    disk_id: str


def delete_disk(cloud: Cloud, request: DeleteDisk) -> Reply:
    with cloud.store.transaction():
        disk = get(cloud, Disk, request.disk_id)
        if disk.status is not DiskStatus.AVAILABLE or cloud.is_being_copied([disk]):
            raise _wrong_status(disk)
        cloud.store.remove(disk)
    cloud.stir()
    return {}


def new_disk(
    cloud: Cloud,
    zone: str,
    *,
    size_gib: int,
    name: str = "",
    description: str = "",
    category: str = "cloud_essd",
    performance_level: str = "",
    system: bool = False,
    base: str = "",
    source_snapshot: str = "",
    image: str = "",
    tags: Mapping[str, str] | None = None,
    resource_group: str = "",
    delete_with_instance: bool = True,
) -> Disk:
    return Disk(
        id=new_id("d"),
        name=name,
        description=description,
        created=stamp(cloud.now()),
        tags=dict(tags or {}),
        resource_group=resource_group,
        size_gib=size_gib,
        status=DiskStatus.CREATING,
        zone=zone,
        category=category,
        performance_level=performance_level,
        system=system,
        delete_with_instance=delete_with_instance,
        base=base,
        source_snapshot=source_snapshot,
        image=image,
    )


def check_size(parameter: str, asked: int | None, source: int, *, least: int = 1) -> int:
    """GiB of a disk made from `source` GiB (0: blank). Raises `UserError` `InvalidDiskSize.*`."""
    if asked is None and not source:
        raise UserError(f"The parameter {parameter} is missing.", code=f"MissingParameter.{parameter}")
    size = max(source, least) if asked is None else asked
    if size < source:
        raise UserError(
            f"{parameter} is {size} GiB, less than the {source} GiB of what the disk is made from.",
            code="InvalidDiskSize.TooSmall",
            hint=f"Use at least {source}.",
        )
    return size


def ready_snapshot(cloud: Cloud, name: str) -> Snapshot:
    snapshot = get(cloud, Snapshot, name)
    if snapshot.status is not SnapshotStatus.ACCOMPLISHED:
        raise UserError(
            f"Snapshot {name} is {snapshot.status.value}.",
            code="InvalidSnapshotId.NotReady",
            hint="Wait until DescribeSnapshots shows it as accomplished.",
        )
    return snapshot


def _expect_stopped(instance: Instance) -> None:
    if instance.status is not InstanceStatus.STOPPED:
        raise UserError(
            f"Instance {instance.id} is {instance.status.value}.",
            code="IncorrectInstanceStatus",
            hint="The local cloud attaches and detaches disks of stopped instances: stop it first.",
        )


def _wrong_status(disk: Disk) -> UserError:
    where = f", attached to {disk.instance}" if disk.instance else ""
    return UserError(
        f"Disk {disk.id} is {disk.status.value}{where}.",
        code="IncorrectDiskStatus",
        hint="It must be Available, and no snapshot of it on the way.",
    )


def _type(disk: Disk) -> str:
    return "system" if disk.system else "data"


def _disk(cloud: Cloud, disk: Disk) -> Mapping[str, object]:
    attachment = {"InstanceId": disk.instance, "Device": disk.device, "AttachedTime": disk.attached}
    return {
        "DiskId": disk.id,
        "DiskName": disk.name,
        "Description": disk.description,
        "RegionId": cloud.region,
        "ZoneId": disk.zone,
        "Size": disk.size_gib,
        "Type": _type(disk),
        "Category": disk.category,
        "PerformanceLevel": disk.performance_level,
        "Status": disk.status.value,
        "SerialNumber": disk.serial,
        "InstanceId": disk.instance,
        "Device": disk.device,
        "AttachedTime": disk.attached if disk.instance else "",
        "Attachments": {"Attachment": [attachment] if disk.instance else []},
        "DeleteWithInstance": disk.delete_with_instance,
        "DeleteAutoSnapshot": True,
        "Portable": not disk.system,
        "Encrypted": False,
        "DiskChargeType": "PostPaid",
        "ImageId": disk.image,
        "SourceSnapshotId": disk.source_snapshot,
        "CreationTime": disk.created,
        "ResourceGroupId": disk.resource_group,
        "Tags": ecs_tags(disk),
    }
