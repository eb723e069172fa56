"""Instances of the memory cloud to be moved onto, in a network of their own."""

from typing import Any

from msgspec import structs

from smc.cloud.driver import DiskSpec, InstanceSpec, Power
from smc.cloud.memory import MemoryCloud
from smc.cloud.memory_catalogue import ZONES


def target(cloud: MemoryCloud, *data_gib: int, name: str = "shop", **changes: Any) -> str:
    """Running, with data disks of these sizes; `changes` are fields of its InstanceSpec."""
    vpc, vswitch = network(cloud)
    group = cloud.create_security_group(vpc, "shop", {}, "shop-group")
    spec = InstanceSpec(
        name=name,
        zone=ZONES[0],
        vswitch=vswitch,
        security_group=group,
        data_disks=tuple(DiskSpec(name=f"data-{at}", size_gib=gib) for at, gib in enumerate(data_gib, 1)),
        user_data="#!/bin/sh\necho shop\n",
    )
    instance = cloud.launch(structs.replace(spec, **changes), {"owner": "shop"}, f"target-{name}")
    settle(cloud, instance, Power.RUNNING)
    for disk in cloud.disks(instance):
        cloud.write(disk.id, f"old content of {disk.name}")
    return instance


def network(cloud: MemoryCloud) -> tuple[str, str]:
    """The VPC and vSwitch of all targets of a cloud."""
    vpc = cloud.create_vpc("shop", "10.7.0.0/16", {}, "shop-vpc")
    while not cloud.vpc_ready(vpc):
        pass
    vswitch = cloud.create_vswitch(vpc, ZONES[0], "shop", "10.7.1.0/24", {}, "shop-vswitch")
    while not cloud.vswitch_ready(vswitch):
        pass
    return vpc, vswitch


def settle(cloud: MemoryCloud, instance: str, power: Power) -> None:
    while (seen := cloud.instance(instance)) is not None and seen.power is not power:
        pass
