"""Snapshots and the images made of them (API ECS 2014-05-26)."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from smc.base.errors import UserError
from smc.localcloud.api.asking import (
    Name,
    Paged,
    Regional,
    Tagged,
    Token,
    choose,
    ecs_tags,
    get,
    ids_of,
    once,
    page,
    tags_of,
)
from smc.localcloud.api.disks import DEVICES, check_size, ready_snapshot
from smc.localcloud.cloud import Cloud
from smc.localcloud.layers import of_snapshot
from smc.localcloud.things import (
    Disk,
    DiskStatus,
    Export,
    ExportStatus,
    Image,
    ImageDisk,
    ImageStatus,
    Instance,
    InstanceStatus,
    Snapshot,
    SnapshotStatus,
    new_id,
    stamp,
)
from smc.model.server import Architecture, Firmware
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

BOOT_MODES = {"BIOS": Firmware.BIOS, "UEFI": Firmware.UEFI, "UEFI-Preferred": Firmware.UEFI}
NAMES_OF_FIRMWARE = {Firmware.BIOS: "BIOS", Firmware.UEFI: "UEFI"}


class CreateSnapshot(Tagged, frozen=True, kw_only=True):
    disk_id: str
    snapshot_name: Name = ""
    description: str = ""
    client_token: Token = ""


def create_snapshot(cloud: Cloud, request: CreateSnapshot) -> Reply:
    def make() -> Reply:
        disk = get(cloud, Disk, request.disk_id)
        _expect_still(cloud, disk)
        snapshot = Snapshot(
            id=new_id("s"),
            name=request.snapshot_name,
            description=request.description,
            created=stamp(cloud.now()),
            tags=tags_of(request),
            resource_group=request.resource_group_id,
            disk=disk.id,
            size_gib=disk.size_gib,
            system=disk.system,
        )
        cloud.store.put(snapshot)
        return {"SnapshotId": snapshot.id}

    return once(cloud, request, request.client_token, make)


class DescribeSnapshots(Paged, frozen=True, kw_only=True):
    snapshot_ids: str = ""
    snapshot_name: str = ""
    disk_id: str = ""
    instance_id: str = ""
    snapshot_type: Literal["auto", "user", "all"] = "all"
    status: str = ""


def describe_snapshots(cloud: Cloud, request: DescribeSnapshots) -> Reply:
    found = choose(
        cloud.store.all(Snapshot),
        ids_of(request.snapshot_ids, "SnapshotIds"),
        request.tags,
        resource_group=request.resource_group_id,
        name=request.snapshot_name,
        disk=request.disk_id,
    )
    if request.instance_id:
        own = {disk.id for disk in cloud.disks_of(request.instance_id)}
        found = [snapshot for snapshot in found if snapshot.disk in own]
    if request.snapshot_type == "auto":  # there is no policy here that takes any
        found = []
    found = [item for item in found if request.status in ("", "all", item.status.value)]
    counters, snapshots = page(found, request, lambda snapshot: _snapshot(cloud, snapshot))
    return {**counters, "Snapshots": {"Snapshot": snapshots}}


class DeleteSnapshot(Request, frozen=True, kw_only=True):
    snapshot_id: str


def delete_snapshot(cloud: Cloud, request: DeleteSnapshot) -> Reply:
    with cloud.store.transaction():
        snapshot = get(cloud, Snapshot, request.snapshot_id)
        images = _images_of(cloud, snapshot)
        if images:
            raise UserError(
                f"Snapshot {snapshot.id} is behind image {', '.join(images)}.",
                code="SnapshotCreatedImage",
                hint="Delete the image first.",
            )
        if snapshot.status is SnapshotStatus.PROGRESSING:
            raise UserError(f"Snapshot {snapshot.id} is being made.", code="IncorrectSnapshotStatus")
        cloud.store.remove(snapshot)
    cloud.stir()
    return {}


class Mapped(Request, frozen=True, kw_only=True):
    snapshot_id: str
    size: Annotated[int, msgspec.Meta(ge=1, le=32768)] | None = None
    disk_type: Literal["system", "data", ""] = ""
    device: str = ""


class CreateImage(Tagged, frozen=True, kw_only=True):
    """Without Architecture, Platform and BootMode the vendor's defaults apply, true or not."""

    image_name: Name = ""
    description: str = ""
    snapshot_id: str = ""
    disk_device_mapping: tuple[Mapped, ...] = ()
    platform: str = "Others Linux"
    architecture: Literal["i386", "x86_64", "arm64"] = "x86_64"
    boot_mode: Literal["BIOS", "UEFI", "UEFI-Preferred"] = "BIOS"
    image_family: str = ""
    client_token: Token = ""


def create_image(cloud: Cloud, request: CreateImage) -> Reply:
    def make() -> Reply:
        if request.image_name and any(item.name == request.image_name for item in cloud.store.all(Image)):
            raise UserError(
                f"There is an image named {request.image_name!r} already.",
                code="InvalidImageName.Duplicated",
                hint="Choose another name.",
            )
        image = Image(
            id=new_id("m"),
            name=request.image_name,
            description=request.description,
            created=stamp(cloud.now()),
            tags=tags_of(request),
            resource_group=request.resource_group_id,
            status=ImageStatus.CREATING,
            platform=request.platform,
            architecture=Architecture(request.architecture),
            firmware=BOOT_MODES[request.boot_mode],
            disks=_image_disks(cloud, request),
            family=request.image_family,
        )
        cloud.store.put(image)
        return {"ImageId": image.id}

    return once(cloud, request, request.client_token, make)


class DescribeImages(Paged, frozen=True, kw_only=True):
    """Finished images, unless `Status` names others (`Creating,Available`)."""

    image_id: str = ""
    image_name: str = ""
    image_family: str = ""
    snapshot_id: str = ""
    architecture: str = ""
    image_owner_alias: str = ""
    os_type: str = msgspec.field(name="OSType", default="")
    status: str = "Available"


def describe_images(cloud: Cloud, request: DescribeImages) -> Reply:
    found = choose(
        cloud.store.all(Image),
        request.image_id.split(",") if request.image_id else None,
        request.tags,
        resource_group=request.resource_group_id,
        name=request.image_name,
        family=request.image_family,
    )
    statuses = request.status.split(",")
    found = [
        image
        for image in found
        if image.status.value in statuses
        and request.architecture in ("", image.architecture.value)
        and request.image_owner_alias in ("", _owner(image))
        and request.os_type in ("", _os_type(image))
        and (not request.snapshot_id or request.snapshot_id in (disk.snapshot for disk in image.disks))
    ]
    counters, images = page(found, request, lambda image: _image(cloud, image))
    return {**counters, "RegionId": cloud.region, "Images": {"Image": images}}


class DeleteImage(Regional, frozen=True, kw_only=True):
    image_id: str
    force: bool = False


def delete_image(cloud: Cloud, request: DeleteImage) -> Reply:
    with cloud.store.transaction():
        image = get(cloud, Image, request.image_id)
        if image.public:
            raise UserError(f"Image {image.id} is a system image.", code="OperationDenied.SystemImage")
        users = [item.id for item in cloud.store.all(Instance) if item.image == image.id]
        if users and not request.force:
            raise UserError(
                f"Image {image.id} is used by {', '.join(users)}.",
                code="ImageUsingByInstance",
                hint="Release the instances, or pass Force=true: they keep their disks.",
            )
        if any(
            item.image == image.id and item.status is ExportStatus.PROCESSING
            for item in cloud.store.all(Export)
        ):
            raise UserError(
                f"Image {image.id} is being exported.",
                code="IncorrectImageStatus",
                hint="Wait until it is done.",
            )
        cloud.store.remove(image)
    cloud.stir()
    return {}


def _expect_still(cloud: Cloud, disk: Disk) -> None:
    """Nobody may write to a disk while its file changes place."""
    instance = cloud.store.get(Instance, disk.instance) if disk.instance else None
    if instance and instance.status is not InstanceStatus.STOPPED:
        raise UserError(
            f"Instance {instance.id} is {instance.status.value}.",
            code="IncorrectInstanceStatus",
            hint="The local cloud takes snapshots of disks of stopped instances: stop it first.",
        )
    if disk.status in (DiskStatus.CREATING, DiskStatus.RESETTING):
        raise UserError(f"Disk {disk.id} is {disk.status.value}.", code="IncorrectDiskStatus")
    if cloud.is_being_copied([disk]):
        raise UserError(
            f"Another snapshot of disk {disk.id} is being made.", code="IncorrectDiskStatus.CreatingSnapshot"
        )
    if not disk.attached:
        raise UserError(
            f"Disk {disk.id} was never attached to an instance.", code="IncorrectDiskStatus.NeverAttached"
        )


def _image_disks(cloud: Cloud, request: CreateImage) -> tuple[ImageDisk, ...]:
    """The system disk first; without a word about types the first is it."""
    asked = list(request.disk_device_mapping)
    if not asked and request.snapshot_id:
        asked = [Mapped(snapshot_id=request.snapshot_id, disk_type="system")]
    if not asked:
        raise UserError(
            "The parameter DiskDeviceMapping is missing.",
            code="MissingParameter.DiskDeviceMapping",
            hint="The local cloud makes images of snapshots: name those of the disks.",
        )
    system = [item for item in asked if item.disk_type == "system"] or asked[:1]
    if len(system) > 1:
        raise UserError("An image has one system disk.", code="InvalidParameter.DiskDeviceMapping")
    ordered = [*system, *(item for item in asked if item is not system[0])]
    return tuple(_image_disk(cloud, item, device) for item, device in zip(ordered, DEVICES, strict=False))


def _image_disk(cloud: Cloud, asked: Mapped, device: str) -> ImageDisk:
    snapshot = ready_snapshot(cloud, asked.snapshot_id)
    size = check_size("DiskDeviceMapping.Size", asked.size, snapshot.size_gib)
    return ImageDisk(device=device, size_gib=size, layer=of_snapshot(snapshot.id), snapshot=snapshot.id)


def _images_of(cloud: Cloud, snapshot: Snapshot) -> list[str]:
    return [
        image.id
        for image in cloud.store.all(Image)
        if any(disk.snapshot == snapshot.id for disk in image.disks)
    ]


def _owner(image: Image) -> str:
    return "system" if image.public else "self"


def _os_type(image: Image) -> str:
    return "windows" if image.platform.startswith("Windows") else "linux"


def _progress(*, done: bool) -> str:
    return "100%" if done else "0%"


def _snapshot(cloud: Cloud, snapshot: Snapshot) -> Mapping[str, object]:
    done = snapshot.status is SnapshotStatus.ACCOMPLISHED
    return {
        "SnapshotId": snapshot.id,
        "SnapshotName": snapshot.name,
        "Description": snapshot.description,
        "RegionId": cloud.region,
        "SourceDiskId": snapshot.disk,
        "SourceDiskSize": str(snapshot.size_gib),
        "SourceDiskType": "system" if snapshot.system else "data",
        "SnapshotType": "user",
        "Status": snapshot.status.value,
        "Progress": _progress(done=done),
        "Available": done,
        "Usage": "image" if _images_of(cloud, snapshot) else "none",
        "Encrypted": False,
        "CreationTime": snapshot.created,
        "ResourceGroupId": snapshot.resource_group,
        "Tags": ecs_tags(snapshot),
    }


def _image(cloud: Cloud, image: Image) -> Mapping[str, object]:
    done = image.status is ImageStatus.AVAILABLE
    used = any(item.image == image.id for item in cloud.store.all(Instance))
    return {
        "ImageId": image.id,
        "ImageName": image.name,
        "Description": image.description,
        "ImageFamily": image.family,
        "ImageOwnerAlias": _owner(image),
        "IsPublic": image.public,
        "Status": image.status.value,
        "Progress": _progress(done=done),
        "Size": image.disks[0].size_gib,
        "Platform": image.platform,
        "OSType": _os_type(image),
        "OSName": image.platform,
        "Architecture": image.architecture.value,
        "BootMode": NAMES_OF_FIRMWARE[image.firmware],
        "IsSupportIoOptimized": True,
        "IsSupportCloudinit": image.public,
        "Usage": "instance" if used else "none",
        "CreationTime": image.created,
        "DiskDeviceMappings": {
            "DiskDeviceMapping": [
                {
                    "Device": disk.device,
                    "Type": "data" if index else "system",
                    "Size": str(disk.size_gib),
                    "SnapshotId": disk.snapshot,
                    "Format": "",
                    "Progress": _progress(done=done),
                }
                for index, disk in enumerate(image.disks)
            ]
        },
        "ResourceGroupId": image.resource_group,
        "Tags": ecs_tags(image),
    }
