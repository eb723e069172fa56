"""Instances: what they are and what can be asked of them (API ECS 2014-05-26); `launch.py` makes them."""

import base64
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from smc.base.errors import UserError
from smc.localcloud import types
from smc.localcloud.api.asking import Paged, Regional, choose, ecs_tags, get, ids_of, page
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.things import Instance, InstanceStatus, stamp
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

CONSOLE_KEPT = 64 << 10  # bytes; the vendor keeps the last 64 KB too
STOPPABLE = (InstanceStatus.RUNNING, InstanceStatus.STARTING)


class DescribeInstances(Paged, frozen=True, kw_only=True):
    instance_ids: str = ""
    instance_name: str = ""
    image_id: str = ""
    vpc_id: str = ""
    v_switch_id: str = ""
    zone_id: str = ""
    security_group_id: str = ""
    status: str = ""


def describe_instances(cloud: Cloud, request: DescribeInstances) -> Reply:
    found = choose(
        cloud.store.all(Instance),
        ids_of(request.instance_ids, "InstanceIds"),
        request.tags,
        resource_group=request.resource_group_id,
        name=request.instance_name,
        image=request.image_id,
        vpc=request.vpc_id,
        vswitch=request.v_switch_id,
        zone=request.zone_id,
    )
    found = [
        item
        for item in found
        if request.status in ("", item.status.value)
        and (not request.security_group_id or request.security_group_id in item.groups)
    ]
    counters, instances = page(found, request, lambda instance: _instance(cloud, instance))
    return {**counters, "Instances": {"Instance": instances}}


class DescribeInstanceStatus(Regional, frozen=True, kw_only=True):
    instance_id: tuple[str, ...] = ()
    page_number: Annotated[int, msgspec.Meta(ge=1)] = 1
    page_size: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10


def describe_instance_status(cloud: Cloud, request: DescribeInstanceStatus) -> Reply:
    found = choose(cloud.store.all(Instance), request.instance_id or None, ())
    counters, statuses = page(
        found,
        Paged(page_number=request.page_number, page_size=request.page_size),
        lambda instance: {"InstanceId": instance.id, "Status": instance.status.value},
    )
    return {**counters, "InstanceStatuses": {"InstanceStatus": statuses}}


class StartInstance(Request, frozen=True, kw_only=True):
    instance_id: str


def start_instance(cloud: Cloud, request: StartInstance) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        _expect(instance, InstanceStatus.STOPPED)
        if instance.released:
            raise _wrong_status(instance, "is being released")
        cloud.store.put(with_changes(instance, status=InstanceStatus.STARTING, failure=""))
    cloud.stir()
    return {}


class StopInstance(Request, frozen=True, kw_only=True):
    """`ForceStop` of an instance that is Stopping pulls the plug at once."""

    instance_id: str
    force_stop: bool = False
    stopped_mode: Literal["KeepCharging", "StopCharging", ""] = ""


def stop_instance(cloud: Cloud, request: StopInstance) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        _expect(instance, *STOPPABLE, *((InstanceStatus.STOPPING,) if request.force_stop else ()))
        cloud.store.put(
            with_changes(
                instance,
                status=InstanceStatus.STOPPING,
                force=request.force_stop,
                start_again=False,
                stopped_mode=request.stopped_mode or "StopCharging",
            )
        )
    cloud.stir()
    return {}


class RebootInstance(Request, frozen=True, kw_only=True):
    instance_id: str
    force_stop: bool = False


def reboot_instance(cloud: Cloud, request: RebootInstance) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        _expect(instance, InstanceStatus.RUNNING)
        cloud.store.put(
            with_changes(instance, status=InstanceStatus.STOPPING, force=request.force_stop, start_again=True)
        )
    cloud.stir()
    return {}


class DeleteInstance(Request, frozen=True, kw_only=True):
    instance_id: str
    force: bool = False


def delete_instance(cloud: Cloud, request: DeleteInstance) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        if instance.status is InstanceStatus.STOPPED:
            cloud.store.put(with_changes(instance, released=True))
        elif request.force:
            cloud.store.put(with_changes(instance, status=InstanceStatus.STOPPING, force=True, released=True))
        else:
            raise _wrong_status(instance, f"is {instance.status.value}", "Stop it first, or pass Force=true.")
    cloud.stir()
    return {}


class GetInstanceConsoleOutput(Regional, frozen=True, kw_only=True):
    instance_id: str


def get_instance_console_output(cloud: Cloud, request: GetInstanceConsoleOutput) -> Reply:
    instance = get(cloud, Instance, request.instance_id)
    path = cloud.machine_folder(instance.id) / "serial.log"
    text, written = b"", cloud.now()
    if path.exists():
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - CONSOLE_KEPT))
            text = file.read()
        written = path.stat().st_mtime
    if instance.failure:
        text += f"\n[local cloud] {instance.failure}\n".encode()
    return {
        "InstanceId": instance.id,
        "ConsoleOutput": base64.b64encode(text).decode(),
        "LastUpdateTime": stamp(written),
    }


class GetInstanceScreenshot(Regional, frozen=True, kw_only=True):
    instance_id: str


def get_instance_screenshot(cloud: Cloud, request: GetInstanceScreenshot) -> Reply:
    instance = get(cloud, Instance, request.instance_id)
    _expect(instance, InstanceStatus.RUNNING)
    assert instance.process is not None, "a running instance has a process"
    picture = cloud.hypervisor.screenshot(instance.process)
    return {"InstanceId": instance.id, "Screenshot": base64.b64encode(picture).decode()}


def _expect(instance: Instance, *allowed: InstanceStatus) -> None:
    if instance.status not in allowed:
        names = " or ".join(status.value for status in allowed)
        raise _wrong_status(instance, f"is {instance.status.value}", f"It must be {names}.")


def _wrong_status(instance: Instance, why: str, hint: str = "") -> UserError:
    return UserError(f"Instance {instance.id} {why}.", code="IncorrectInstanceStatus", hint=hint)


def _instance(cloud: Cloud, instance: Instance) -> Mapping[str, object]:
    kind = types.find(instance.instance_type)
    return {
        "InstanceId": instance.id,
        "InstanceName": instance.name,
        "Description": instance.description,
        "HostName": instance.host_name,
        "Status": instance.status.value,
        "StoppedMode": instance.stopped_mode or "Not-applicable",
        "RegionId": cloud.region,
        "ZoneId": instance.zone,
        "ImageId": instance.image,
        "InstanceType": kind.id,
        "InstanceTypeFamily": kind.family,
        "Cpu": kind.cpus,
        "Memory": kind.memory >> 20,  # MiB
        "OSType": "linux",
        "OSName": instance.platform,
        "CreationTime": instance.created,
        "StartTime": instance.started,
        "InstanceChargeType": "PostPaid",
        "InternetChargeType": "PayByTraffic",
        "InternetMaxBandwidthOut": instance.bandwidth_out,
        "IoOptimized": True,
        "InstanceNetworkType": "vpc",
        "PublicIpAddress": {"IpAddress": [cloud.host_address] if instance.bandwidth_out else []},
        "InnerIpAddress": {"IpAddress": []},
        "EipAddress": {"AllocationId": "", "IpAddress": "", "InternetChargeType": ""},
        "VpcAttributes": {
            "VpcId": instance.vpc,
            "VSwitchId": instance.vswitch,
            "NatIpAddress": "",
            "PrivateIpAddress": {"IpAddress": [instance.private_address]},
        },
        "NetworkInterfaces": {
            "NetworkInterface": [
                {
                    "NetworkInterfaceId": instance.id.replace("i-", "eni-", 1),
                    "MacAddress": instance.mac,
                    "PrimaryIpAddress": instance.private_address,
                    "Type": "Primary",
                }
            ]
        },
        "SecurityGroupIds": {"SecurityGroupId": list(instance.groups)},
        "OperationLocks": {"LockReason": []},
        "ResourceGroupId": instance.resource_group,
        "Tags": ecs_tags(instance),
    }
