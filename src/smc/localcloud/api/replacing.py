"""ReplaceSystemDisk and ResetDisk (API ECS 2014-05-26): disks of an instance get another content."""

from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.localcloud import types
from smc.localcloud.api.alterations import expect_stopped
from smc.localcloud.api.asking import Regional, Token, get, once
from smc.localcloud.api.disks import DEVICES, new_disk, ready_snapshot
from smc.localcloud.api.launch import usable_image
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.layers import of_snapshot
from smc.localcloud.things import Disk, DiskStatus, Image, Instance, stamp
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request


class NewSystemDisk(Request, frozen=True, kw_only=True):
    size: Annotated[int, msgspec.Meta(ge=20, le=2048)] | None = None


class ReplaceSystemDisk(Regional, frozen=True, kw_only=True):
    """The old disk is released; user snapshots of it stay."""

    instance_id: str
    image_id: str
    system_disk: NewSystemDisk = NewSystemDisk()
    client_token: Token = ""


def replace_system_disk(cloud: Cloud, request: ReplaceSystemDisk) -> Reply:
    def make() -> Reply:
        instance = get(cloud, Instance, request.instance_id)
        expect_stopped(instance)
        image = usable_image(cloud, request.image_id, types.find(instance.instance_type))
        old = cloud.disks_of(instance.id)[0]
        _expect_usable(cloud, old)
        new = with_changes(
            new_disk(
                cloud,
                old.zone,
                name=old.name,
                description=old.description,
                category=old.category,
                performance_level=old.performance_level,
                system=True,
                size_gib=_size(request, image, old),
                base=image.disks[0].layer,
                source_snapshot=image.disks[0].snapshot,
                image=image.id,
                tags=old.tags,
                delete_with_instance=old.delete_with_instance,
            ),
            resource_group=old.resource_group,
            instance=instance.id,
            device=DEVICES[0],
            attached=stamp(cloud.now()),
        )
        cloud.store.remove(old)
        cloud.store.put(
            new,
            with_changes(
                instance,
                image=image.id,
                architecture=image.architecture,
                firmware=image.firmware,
                platform=image.platform,
                failure="",
            ),
        )
        (cloud.machine_folder(instance.id) / "nvram").unlink(missing_ok=True)  # of the system that is gone
        return {"DiskId": new.id}

    return once(cloud, request, request.client_token, make)


class ResetDisk(Request, frozen=True, kw_only=True):
    disk_id: str
    snapshot_id: str


def reset_disk(cloud: Cloud, request: ResetDisk) -> Reply:
    with cloud.store.transaction():
        disk = get(cloud, Disk, request.disk_id)
        snapshot = ready_snapshot(cloud, request.snapshot_id)
        if disk.instance:
            expect_stopped(get(cloud, Instance, disk.instance))
        if snapshot.disk != disk.id:
            raise UserError(
                f"Snapshot {snapshot.id} was not taken of disk {disk.id}.", code="InvalidParameter.Conflict"
            )
        _expect_usable(cloud, disk)
        cloud.store.put(with_changes(disk, status=DiskStatus.RESETTING, base=of_snapshot(snapshot.id)))
    cloud.stir()
    return {}


def _expect_usable(cloud: Cloud, disk: Disk) -> None:
    if disk.status not in (DiskStatus.IN_USE, DiskStatus.AVAILABLE):
        raise UserError(f"Disk {disk.id} is {disk.status.value}.", code="IncorrectDiskStatus")
    if cloud.is_being_copied([disk]):
        raise UserError(f"A snapshot of disk {disk.id} is being made.", code="DiskCreatingSnapshot")


def _size(request: ReplaceSystemDisk, image: Image, old: Disk) -> int:
    least = max(image.disks[0].size_gib, old.size_gib)
    size = request.system_disk.size or least
    if size < image.disks[0].size_gib:
        raise UserError(
            f"SystemDisk.Size is {size} GiB, the image has {image.disks[0].size_gib} GiB.",
            code="InvalidSystemDiskSize.LessThanImageSize",
        )
    if size < old.size_gib:
        raise UserError(
            f"SystemDisk.Size is {size} GiB, less than the {old.size_gib} GiB of the disk that is replaced.",
            code="InvalidSystemDiskSize.ValueNotSupported",
            hint="A system disk cannot become smaller.",
        )
    return size
