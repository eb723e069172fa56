"""What there is to choose from at the destination, asked through the official SDK."""

from typing import Any

import pytest
from alibabacloud_smc20190601.client import Client
from msgspec import structs
from tests.conformance.smc_sdk import call, refused
from tests.unit.center.running import Center
from tests.unit.center.servers import GIB, server
from tests.unit.center.targets import network, target

from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, InstanceSpec
from smc.model.server import Architecture, Nic, Server


def ours(sdk: Client, action: str, **parameters: object) -> dict[str, Any]:
    return call(sdk, action, RegionId="local", **parameters)


def targets(sdk: Client, source: str, **parameters: object) -> dict[str, Any]:
    answer = ours(sdk, "DescribeTargetInstances", SourceId=source, **parameters)
    return {row["InstanceId"]: row for row in answer["TargetInstances"]["TargetInstance"]}


def reasons(sdk: Client, source: str, instance: str, **parameters: object) -> dict[str, str]:
    """Code -> what the reason says to do."""
    row = targets(sdk, source, InstanceId=[instance], **parameters)[instance]
    assert row["Eligible"] == (not row["Reasons"]["Reason"])
    return {reason["Code"]: reason["Cure"] for reason in row["Reasons"]["Reason"]}


def test_networks_are_described(running: Center, sdk: Client) -> None:
    vpc, vswitch = network(running.cloud)
    assert ours(sdk, "DescribeVpcs")["Vpcs"]["Vpc"] == [
        {"VpcId": vpc, "VpcName": "shop", "CidrBlock": "10.7.0.0/16"}
    ]
    (row,) = ours(sdk, "DescribeVSwitches", VpcId=vpc)["VSwitches"]["VSwitch"]
    assert (row["VSwitchId"], row["CidrBlock"], row["ZoneId"]) == (vswitch, "10.7.1.0/24", "memory-a")
    assert row["AvailableIpAddressCount"] == 252
    assert ours(sdk, "DescribeVSwitches", ZoneId="memory-b")["TotalCount"] == 0
    target(running.cloud)
    (group,) = ours(sdk, "DescribeSecurityGroups", VpcId=vpc)["SecurityGroups"]["SecurityGroup"]
    assert (group["SecurityGroupName"], group["VpcId"]) == ("shop", vpc)


def test_instance_types_are_described_with_architecture_and_stock(sdk: Client) -> None:
    rows = ours(sdk, "DescribeInstanceTypes", ZoneId="memory-b")["InstanceTypes"]["InstanceType"]
    stock = {row["InstanceTypeId"]: (row["Architecture"], row["InStock"]) for row in rows}
    assert stock["mem.large"] == ("x86_64", True)
    assert stock["mem.small"] == ("x86_64", False), "it is in stock in the other zone alone"
    assert stock["mem.arm"] == ("arm64", True)
    only = ours(sdk, "DescribeInstanceTypes", Architecture="i386")["InstanceTypes"]["InstanceType"]
    assert {row["Architecture"] for row in only} == {"x86_64"}


@pytest.mark.parametrize(
    "action",
    ["DescribeVpcs", "DescribeVSwitches", "DescribeSecurityGroups", "DescribeInstanceTypes"],
)
def test_another_region_is_refused(sdk: Client, action: str) -> None:
    with refused("InvalidRegionId.NotFound"):
        call(sdk, action, RegionId="cn-nowhere")


def test_an_instance_that_fits_is_eligible_and_tells_which_disk_takes_which(
    running: Center, sdk: Client
) -> None:
    source = running.import_server().source_id
    instance = target(running.cloud, 40, 4, 2)
    row = targets(sdk, source)[instance]
    assert row["Eligible"], row["Reasons"]
    disks = row["Disks"]["Disk"]
    assert [(disk["Size"], disk["Index"]) for disk in disks] == [(20, 0), (40, -1), (4, -1), (2, 1)]
    assert (row["Status"], row["VpcId"]) == ("Running", network(running.cloud)[0])


@pytest.mark.parametrize(
    ("used", "sizes", "code", "cure"),
    [
        (GIB, (), "TargetInstance.DisksMissing", "Attach 1 disk of at least 2 GiB."),
        (3 * GIB, (1,), "TargetInstance.DiskTooSmall", "to at least 4 GiB."),
    ],
)
def test_disks_that_do_not_fit_are_named_with_what_to_do(
    running: Center, sdk: Client, used: int, sizes: tuple[int, ...], code: str, cure: str
) -> None:
    source = running.import_server(with_data(used)).source_id
    found = reasons(sdk, source, target(running.cloud, *sizes))
    assert list(found) == [code]
    assert found[code].endswith(cure), found[code]


def with_data(used: int) -> Server:
    system, data = server().disks
    (part,) = data.partitions
    assert part.filesystem
    part = structs.replace(part, filesystem=structs.replace(part.filesystem, used=used))
    return structs.replace(server(), disks=(system, structs.replace(data, partitions=(part,))))


def test_a_small_system_disk_is_named_with_the_size_that_works(running: Center, sdk: Client) -> None:
    system, data = server(used=30 * GIB).disks
    big = structs.replace(system, size=60 * GIB)
    parts = [structs.replace(part, size=58 * GIB) if part.filesystem else part for part in system.partitions]
    source = running.import_server(
        structs.replace(server(), disks=(structs.replace(big, partitions=tuple(parts)), data))
    ).source_id
    found = reasons(sdk, source, target(running.cloud, 4))
    assert list(found) == ["TargetInstance.SystemDiskTooSmall"]
    assert "to at least 3" in found["TargetInstance.SystemDiskTooSmall"]


def test_an_instance_of_another_architecture_or_the_source_itself_is_not_eligible(
    running: Center, sdk: Client
) -> None:
    arm = target(running.cloud, 4, name="arm", architecture=Architecture.ARM64)
    own = target(running.cloud, 4, name="own")
    seen = running.cloud.instance(own)
    assert seen
    described = structs.replace(server(), nics=(Nic(name="eth0", mac=seen.mac),))
    source = running.import_server(described).source_id
    assert list(reasons(sdk, source, arm)) == ["TargetInstance.OtherArchitecture"]
    assert list(reasons(sdk, source, own)) == ["TargetInstance.IsSource"]


def test_an_instance_without_public_address_is_reached_by_its_private_one(
    running: Center, sdk: Client
) -> None:
    source = running.import_server().source_id
    instance = target(running.cloud, 4, public_address=False)
    assert list(reasons(sdk, source, instance)) == ["TargetInstance.NoPublicAddress"]
    assert reasons(sdk, source, instance, NetMode=2) == {}


def test_an_intermediate_instance_is_no_target(running: Center, sdk: Client) -> None:
    source = running.import_server().source_id
    cloud = running.cloud
    _, vswitch = network(cloud)
    group = cloud.create_security_group(cloud.vpc_of(vswitch), "g", {}, "g")
    spec = InstanceSpec(name="No_Delete", zone="memory-a", vswitch=vswitch, security_group=group)
    instance = cloud.launch(spec, {TAG_JOB: "j-1", TAG_PURPOSE: "temporary"}, "intermediate")
    assert "TargetInstance.InUse" in reasons(sdk, source, instance)


def test_a_source_that_is_not_known_has_no_targets(sdk: Client) -> None:
    with refused("InvalidSourceId.NotFound"):
        targets(sdk, "s-nothing")
