"""Where instances can be made, and of which types (API ECS 2014-05-26)."""

from typing import Annotated

import msgspec

from smc.localcloud import types
from smc.localcloud.api.asking import Regional
from smc.localcloud.cloud import Cloud
from smc.model.server import Architecture
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

CATEGORY = "cloud_essd"


class DescribeRegions(Request, frozen=True, kw_only=True):
    pass


def describe_regions(cloud: Cloud, _: DescribeRegions) -> Reply:
    region = {
        "RegionId": cloud.region,
        "LocalName": "Local cloud",
        "RegionEndpoint": "",
        "Status": "available",
    }
    return {"Regions": {"Region": [region]}}


class DescribeZones(Regional, frozen=True, kw_only=True):
    pass


def describe_zones(cloud: Cloud, _: DescribeZones) -> Reply:
    offered = {
        "LocalName": "Local cloud",
        "ZoneType": "AvailabilityZone",
        "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "Disk", "Instance"]},
        "AvailableDiskCategories": {"DiskCategories": [CATEGORY]},
        "AvailableInstanceTypes": {"InstanceTypes": [kind.id for kind in types.TYPES]},
    }
    return {"Zones": {"Zone": [{"ZoneId": zone, **offered} for zone in cloud.zones]}}


class DescribeInstanceTypes(Request, frozen=True, kw_only=True):
    instance_types: tuple[str, ...] = ()
    instance_type_family: str = ""
    cpu_architecture: str = ""
    cpu_architectures: tuple[str, ...] = ()
    minimum_cpu_core_count: int = 0
    maximum_cpu_core_count: int | None = None
    minimum_memory_size: float = 0.0
    maximum_memory_size: float | None = None
    max_results: Annotated[int, msgspec.Meta(ge=1, le=1600)] = 1600


def describe_instance_types(_: Cloud, request: DescribeInstanceTypes) -> Reply:
    wanted = {name.upper() for name in (*request.cpu_architectures, request.cpu_architecture) if name}
    found = [
        kind
        for kind in types.TYPES
        if (not request.instance_types or kind.id in request.instance_types)
        and request.instance_type_family in ("", kind.family)
        and (not wanted or types.ARCHITECTURES[kind.architecture] in wanted)
        and _between(kind.cpus, request.minimum_cpu_core_count, request.maximum_cpu_core_count)
        and _between(kind.memory / (1 << 30), request.minimum_memory_size, request.maximum_memory_size)
    ]
    return {"NextToken": "", "InstanceTypes": {"InstanceType": [_type(kind) for kind in found]}}


class DescribeAvailableResource(Regional, frozen=True, kw_only=True):
    destination_resource: str = "InstanceType"
    zone_id: str = ""
    instance_type: str = ""
    cores: int | None = None
    memory: float | None = None


def describe_available_resource(cloud: Cloud, request: DescribeAvailableResource) -> Reply:
    """What is in stock by zone: instance types (those this host has the memory for), disk categories."""
    wanted = [zone for zone in cloud.zones if request.zone_id in ("", zone)]
    return {"AvailableZones": {"AvailableZone": [_available(cloud, request, zone) for zone in wanted]}}


def _available(cloud: Cloud, request: DescribeAvailableResource, zone: str) -> dict[str, object]:
    if request.destination_resource == "InstanceType":
        values = [
            kind.id
            for kind in types.TYPES
            if types.in_stock(kind)
            and request.instance_type in ("", kind.id)
            and request.cores in (None, kind.cpus)
            and request.memory in (None, kind.memory / (1 << 30))
        ]
    elif request.destination_resource in ("SystemDisk", "DataDisk"):
        values = [CATEGORY]
    else:
        values = [zone]
    stock = {"Status": "Available", "StatusCategory": "WithStock"}
    resource = {
        "Type": request.destination_resource,
        "SupportedResources": {"SupportedResource": [{**stock, "Value": value} for value in values]},
    }
    return {
        **(stock if values else {"Status": "SoldOut", "StatusCategory": "WithoutStock"}),
        "RegionId": cloud.region,
        "ZoneId": zone,
        "AvailableResources": {"AvailableResource": [resource]},
    }


def _between(value: float, low: float, high: float | None) -> bool:
    return low <= value and (high is None or value <= high)


def _type(kind: types.InstanceType) -> dict[str, object]:
    modes = ["UEFI"] if kind.architecture is Architecture.ARM64 else ["BIOS", "UEFI"]
    return {
        "InstanceTypeId": kind.id,
        "InstanceTypeFamily": kind.family,
        "CpuCoreCount": kind.cpus,
        "MemorySize": kind.memory / (1 << 30),
        "CpuArchitecture": types.ARCHITECTURES[kind.architecture],
        "SupportedBootModes": {"SupportedBootMode": modes},
        "DiskQuantity": 17,
    }
