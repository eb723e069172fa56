"""RunInstances: from a request to an instance with its disks, written down and on its way."""

import base64
import binascii
import re
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.localcloud import network, types
from smc.localcloud.api.asking import Name, Tagged, Token, get, once, tags_of
from smc.localcloud.api.disks import check_size, new_disk, ready_snapshot
from smc.localcloud.cloud import Cloud
from smc.localcloud.layers import of_snapshot
from smc.localcloud.things import (
    Disk,
    DiskStatus,
    Image,
    ImageStatus,
    Instance,
    InstanceStatus,
    LaunchTemplate,
    SecurityGroup,
    VSwitch,
    new_id,
    stamp,
)
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

LARGEST_USER_DATA = 16 << 10  # bytes before base64
MOST_DATA_DISKS = 16
TEMPLATE_VERSION = 1  # the one with which each launch template is made


class SystemDisk(Request, frozen=True, kw_only=True):
    size: Annotated[int, msgspec.Meta(ge=20, le=2048)] | None = None
    disk_name: Name = ""
    description: str = ""
    category: str = "cloud_essd"
    performance_level: str = ""


class DataDisk(Request, frozen=True, kw_only=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=32768)] | None = None
    snapshot_id: str = ""
    disk_name: Name = ""
    description: str = ""
    category: str = "cloud_essd"
    performance_level: str = ""
    device: str = ""
    delete_with_instance: bool = True


class RunInstances(Tagged, frozen=True, kw_only=True):
    launch_template_id: str = ""
    launch_template_version: Annotated[int, msgspec.Meta(ge=1)] | None = None
    image_id: str = ""
    instance_type: str = ""
    v_switch_id: str = ""
    security_group_id: str = ""
    security_group_ids: tuple[str, ...] = ()
    instance_name: Name = ""
    description: str = ""
    host_name: str = ""
    zone_id: str = ""
    amount: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    private_ip_address: str = ""
    internet_max_bandwidth_out: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    system_disk: SystemDisk = SystemDisk()
    data_disks: tuple[DataDisk, ...] = msgspec.field(name="DataDisk", default=())
    user_data: str = ""
    client_token: Token = ""


def run_instances(cloud: Cloud, request: RunInstances) -> Reply:
    def make() -> Reply:
        complete = filled(cloud, request)
        _check(complete)
        made = [_make(cloud, complete) for _ in range(complete.amount)]
        return {"InstanceIdSets": {"InstanceIdSet": made}}

    return once(cloud, request, request.client_token, make)


def filled(cloud: Cloud, request: RunInstances) -> RunInstances:
    """With what its launch template says and it does not. Raises `UserError` (`InvalidLaunchTemplate*`)."""
    if not request.launch_template_id:
        return request
    template = get(cloud, LaunchTemplate, request.launch_template_id)
    if request.launch_template_version not in (None, TEMPLATE_VERSION):
        raise UserError(
            f"Launch template {template.id} has no version {request.launch_template_version}.",
            code="InvalidLaunchTemplateVersion.NotFound",
            hint=f"Those of the local cloud have version {TEMPLATE_VERSION} alone.",
        )
    group = "" if request.security_group_ids else request.security_group_id or template.security_group
    return msgspec.structs.replace(
        request,
        image_id=request.image_id or template.image,
        instance_type=request.instance_type or template.instance_type,
        v_switch_id=request.v_switch_id or template.vswitch,
        security_group_id=group,
        host_name=request.host_name or template.host_name,
        user_data=request.user_data or template.user_data,
    )


def check_user_data(text: str) -> None:
    """Raises `UserError` (`InvalidUserData.*`)."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as e:
        raise UserError("UserData is not base64.", code="InvalidUserData.Base64FormatInvalid") from e
    if size > LARGEST_USER_DATA:
        raise UserError(
            f"UserData has {size} bytes; the limit is {LARGEST_USER_DATA}.",
            code="InvalidUserData.SizeExceeded",
        )


def _check(request: RunInstances) -> None:
    for parameter, given in (
        ("ImageId", request.image_id),
        ("InstanceType", request.instance_type),
        ("VSwitchId", request.v_switch_id),
    ):
        if not given:
            raise UserError(f"The parameter {parameter} is missing.", code=f"MissingParameter.{parameter}")
    check_user_data(request.user_data)
    if len(request.data_disks) > MOST_DATA_DISKS:
        raise UserError(
            f"An instance has at most {MOST_DATA_DISKS} data disks.", code="InvalidDataDisk.LimitExceeded"
        )
    if request.host_name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", request.host_name):
        raise UserError(f"{request.host_name!r} is not a host name.", code="InvalidHostName.Malformed")
    if request.private_ip_address and request.amount > 1:
        raise UserError(
            "One private address cannot be given to several instances.", code="InvalidPrivateIpAddress"
        )


def _make(cloud: Cloud, request: RunInstances) -> str:
    kind = types.find(request.instance_type)
    image = usable_image(cloud, request.image_id, kind)
    vswitch = get(cloud, VSwitch, request.v_switch_id)
    if request.zone_id not in ("", vswitch.zone):
        raise UserError(
            f"vSwitch {vswitch.id} is in {vswitch.zone}, not in {request.zone_id}.",
            code="InvalidParameter.Mismatch",
            hint="Choose a vSwitch of the zone, or leave the zone out.",
        )
    identity = new_id("i")
    instance = Instance(
        id=identity,
        name=request.instance_name or identity,
        description=request.description,
        created=stamp(cloud.now()),
        tags=tags_of(request),
        resource_group=request.resource_group_id,
        status=InstanceStatus.PENDING,
        image=image.id,
        instance_type=kind.id,
        architecture=image.architecture,
        firmware=image.firmware,
        platform=image.platform,
        host_name=request.host_name or identity.replace("i-", "i", 1) + "Z",
        zone=vswitch.zone,
        vswitch=vswitch.id,
        vpc=vswitch.vpc,
        groups=_groups(cloud, request, vswitch),
        private_address=_address(cloud, request, vswitch),
        mac=network.mac_address(identity),
        bandwidth_out=request.internet_max_bandwidth_out,
        user_data=request.user_data,
    )
    cloud.store.put(instance, *_disks(cloud, request, image, instance))
    return identity


def usable_image(cloud: Cloud, name: str, kind: types.InstanceType) -> Image:
    """Raises `UserError`: not there, not ready, of another architecture; or the type is too large."""
    image = get(cloud, Image, name)
    if image.status is not ImageStatus.AVAILABLE:
        raise UserError(
            f"Image {image.id} is {image.status.value}, not Available.",
            code="InvalidImageId.NotReady",
            hint="Wait until DescribeImages shows it as Available.",
        )
    if types.ARCHITECTURES[image.architecture] != types.ARCHITECTURES[kind.architecture]:
        raise UserError(
            f"Image {image.id} is for {image.architecture.value}, {kind.id} is {kind.architecture.value}.",
            code="InvalidParameter.NotMatch",
            hint="Choose an instance type of the image's architecture.",
        )
    if not types.in_stock(kind):
        raise UserError(f"This host has too little memory for {kind.id}.", code="OperationDenied.NoStock")
    return image


def _groups(cloud: Cloud, request: RunInstances, vswitch: VSwitch) -> tuple[str, ...]:
    names = request.security_group_ids or (request.security_group_id,)
    if not any(names):
        raise UserError("The parameter SecurityGroupId is missing.", code="MissingParameter.SecurityGroupId")
    for name in names:
        if get(cloud, SecurityGroup, name).vpc != vswitch.vpc:
            raise UserError(
                f"Security group {name} and vSwitch {vswitch.id} are not in one VPC.",
                code="InvalidSecurityGroupId.VPCMismatch",
            )
    return tuple(names)


def _address(cloud: Cloud, request: RunInstances, vswitch: VSwitch) -> str:
    return network.choose_address(vswitch, taken_addresses(cloud, vswitch.id), request.private_ip_address)


def taken_addresses(cloud: Cloud, vswitch: str, *, but: str = "") -> set[str]:
    """Of all instances of the vSwitch except `but`."""
    instances = [item for item in cloud.store.all(Instance) if item.vswitch == vswitch]
    return {item.private_address for item in instances if item.id != but}


def _disks(cloud: Cloud, request: RunInstances, image: Image, instance: Instance) -> list[Disk]:
    """The system disk, the image's data disks, then those asked for; all carry the instance's tags."""
    first, *rest = image.disks
    made = [
        new_disk(
            cloud,
            instance.zone,
            name=request.system_disk.disk_name,
            description=request.system_disk.description,
            category=request.system_disk.category,
            performance_level=request.system_disk.performance_level,
            size_gib=check_size("SystemDisk.Size", request.system_disk.size, first.size_gib, least=20),
            system=True,
            base=first.layer,
            image=image.id,
            source_snapshot=first.snapshot,
        )
    ]
    made += [
        new_disk(cloud, instance.zone, size_gib=disk.size_gib, base=disk.layer, source_snapshot=disk.snapshot)
        for disk in rest
    ]
    for index, asked in enumerate(request.data_disks, 1):
        snapshot = ready_snapshot(cloud, asked.snapshot_id) if asked.snapshot_id else None
        least = snapshot.size_gib if snapshot else 0
        made.append(
            new_disk(
                cloud,
                instance.zone,
                name=asked.disk_name,
                description=asked.description,
                category=asked.category,
                performance_level=asked.performance_level,
                size_gib=check_size(f"DataDisk.{index}.Size", asked.size, least),
                base=of_snapshot(snapshot.id) if snapshot else "",
                source_snapshot=asked.snapshot_id,
                delete_with_instance=asked.delete_with_instance,
            )
        )
    return [
        msgspec.structs.replace(
            disk,
            tags=instance.tags,
            resource_group=instance.resource_group,
            instance=instance.id,
            device=f"/dev/xvd{chr(ord('a') + index)}",
            attached=instance.created,
            status=DiskStatus.CREATING,
        )
        for index, disk in enumerate(made)
    ]
