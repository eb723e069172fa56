"""VPCs, vSwitches, security groups and tags, as the official SDKs see them."""

import json
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from tests.unit.localcloud.conftest import Launch, World

from smc.localcloud.machine import Forward

Network = tuple[str, str, str]


def refusal(call: Any, request: Any) -> tuple[str, int]:  # Any: a method of the SDK and its request
    with pytest.raises(ClientException) as caught:
        call(request)
    return caught.value.code, caught.value.status_code


def open_port(ecs: EcsClient, group: str, ports: str, **more: Any) -> None:  # Any: fields of the SDK
    ecs.authorize_security_group(
        models.AuthorizeSecurityGroupRequest(
            region_id="local",
            security_group_id=group,
            permissions=[
                models.AuthorizeSecurityGroupRequestPermissions(
                    **{"ip_protocol": "TCP", "port_range": ports, "source_cidr_ip": "192.0.2.7/32"} | more
                )
            ],
        )
    )


def forwards(world: World, name: str) -> set[tuple[int, int]]:
    world.work()
    return {(item.host_port, item.guest_port) for item in world.hypervisor.machine(name).forwards}


def test_networks_are_described_as_they_were_made(vpc: VpcClient, ecs: EcsClient, network: Network) -> None:
    made, switch, group = network
    (found,) = vpc.describe_vpcs(vpc_models.DescribeVpcsRequest(region_id="local")).body.vpcs.vpc
    assert (found.vpc_id, found.vpc_name, found.status) == (made, "v", "Available")
    assert found.v_switch_ids.v_switch_id == [switch]
    one = vpc.describe_vpc_attribute(
        vpc_models.DescribeVpcAttributeRequest(region_id="local", vpc_id=made)
    ).body
    assert (one.cidr_block, one.status) == ("10.0.0.0/8", "Available")
    request = vpc_models.DescribeVSwitchesRequest(region_id="local", vpc_id=made)
    (seen,) = vpc.describe_vswitches(request).body.v_switches.v_switch
    assert (seen.v_switch_id, seen.available_ip_address_count, seen.zone_id) == (switch, 252, "local-a")
    attributes = vpc.describe_vswitch_attributes(
        vpc_models.DescribeVSwitchAttributesRequest(region_id="local", v_switch_id=switch)
    ).body
    assert (attributes.status, attributes.vpc_id) == ("Available", made)
    groups = ecs.describe_security_groups(models.DescribeSecurityGroupsRequest(region_id="local"))
    assert [item.security_group_id for item in groups.body.security_groups.security_group] == [group]


def test_what_is_in_use_is_not_deleted(
    world: World, vpc: VpcClient, ecs: EcsClient, network: Network, launch: Launch
) -> None:
    made, switch, group = network
    name = launch()
    world.work()
    no_vpc = vpc_models.DeleteVpcRequest(region_id="local", vpc_id=made)
    no_switch = vpc_models.DeleteVSwitchRequest(region_id="local", v_switch_id=switch)
    no_group = models.DeleteSecurityGroupRequest(region_id="local", security_group_id=group)
    assert refusal(vpc.delete_vpc, no_vpc) == ("DependencyViolation.VSwitch", 403)
    assert refusal(vpc.delete_vswitch, no_switch) == ("DependencyViolation", 403)
    assert refusal(ecs.delete_security_group, no_group) == ("DependencyViolation", 403)
    ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name, force=True))
    world.work()
    ecs.delete_security_group(no_group)
    vpc.delete_vswitch(no_switch)
    vpc.delete_vpc(no_vpc)
    assert vpc.describe_vpcs(vpc_models.DescribeVpcsRequest(region_id="local")).body.total_count == 0
    assert refusal(ecs.delete_security_group, no_group) == ("InvalidSecurityGroupId.NotFound", 404)
    assert refusal(vpc.delete_vpc, no_vpc) == ("InvalidVpcId.NotFound", 404)


@pytest.mark.parametrize(
    ("cidr", "code"),
    [
        ("10.1.2.128/25", "InvalidCidrBlock.Overlapped"),
        ("192.168.1.0/24", "InvalidCidrBlock.Mismatch"),
        ("10.1.3.0/30", "InvalidCidrBlock.Mismatch"),
        ("10.1.3.1/24", "InvalidCidrBlock.Malformed"),
    ],
)
def test_a_range_must_fit(vpc: VpcClient, network: Network, cidr: str, code: str) -> None:
    request = vpc_models.CreateVSwitchRequest(
        region_id="local", zone_id="local-a", vpc_id=network[0], cidr_block=cidr
    )
    assert refusal(vpc.create_vswitch, request)[0] == code


def test_a_rule_forwards_its_port_at_once_and_no_longer_when_it_is_revoked(
    world: World, ecs: EcsClient, network: Network, launch: Launch
) -> None:
    group = network[2]
    name = launch()
    assert forwards(world, name) == set()
    open_port(ecs, group, "8703/8703")
    open_port(ecs, group, "8703/8703")
    assert forwards(world, name) == {(8703, 8703)}
    assert world.hypervisor.machine(name).forwards == {Forward(host_port=8703, guest_port=8703)}
    attribute = models.DescribeSecurityGroupAttributeRequest(region_id="local", security_group_id=group)
    (rule,) = ecs.describe_security_group_attribute(attribute).body.permissions.permission
    assert (rule.port_range, rule.source_cidr_ip, rule.direction) == (
        "8703/8703",
        "192.0.2.7/32",
        "ingress",
    )
    ecs.revoke_security_group(
        models.RevokeSecurityGroupRequest(
            region_id="local",
            security_group_id=group,
            security_group_rule_id=[rule.security_group_rule_id],
        )
    )
    assert forwards(world, name) == set()


def test_a_rule_may_name_a_range_of_the_newer_addresses(ecs: EcsClient, network: Network) -> None:
    open_port(ecs, network[2], "22/22", source_cidr_ip="", ipv_6source_cidr_ip="2001:db8::7/128")
    attribute = models.DescribeSecurityGroupAttributeRequest(region_id="local", security_group_id=network[2])
    (rule,) = ecs.describe_security_group_attribute(attribute).body.permissions.permission
    assert (rule.source_cidr_ip, rule.ipv_6source_cidr_ip) == (None, "2001:db8::7/128")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ip_protocol": "sctp"}, "InvalidIpProtocol.Malformed"),
        ({"port_range": "22"}, "InvalidPortRange.Malformed"),
        ({"port_range": "80/22"}, "InvalidPortRange.Malformed"),
        ({"ip_protocol": "all"}, "InvalidPortRange.Malformed"),
        ({"source_cidr_ip": "nowhere"}, "InvalidParam.SourceIp"),
        ({"source_cidr_ip": ""}, "MissingParameter.SourceCidrIp"),
        ({"policy": "maybe"}, "InvalidPolicy.Malformed"),
        ({"priority": "101"}, "InvalidParameter.Permissions.1.Priority"),
    ],
)
def test_a_bad_rule_is_refused(
    ecs: EcsClient,
    network: Network,
    more: dict[str, str],
    code: str,
) -> None:
    with pytest.raises(ClientException) as caught:
        open_port(ecs, network[2], "22/22", **more)
    assert caught.value.code == code


def test_a_tag_names_another_port_of_the_host(
    world: World, ecs: EcsClient, network: Network, launch: Launch
) -> None:
    name = launch(tag=[models.RunInstancesRequestTag(key="smc:forward:22", value="40022")])
    assert forwards(world, name) == set()
    open_port(ecs, network[2], "22/22")
    assert forwards(world, name) == {(40022, 22)}


def test_a_rule_that_drops_closes_a_port_and_a_wide_one_forwards_only_what_is_tagged(
    world: World, ecs: EcsClient, network: Network, launch: Launch
) -> None:
    name = launch(tag=[models.RunInstancesRequestTag(key="smc:forward:80", value="40080")])
    open_port(ecs, network[2], "1/65535", priority="2")
    assert forwards(world, name) == {(40080, 80)}
    open_port(ecs, network[2], "80/80", policy="drop", priority="1")
    assert forwards(world, name) == set()


def test_a_port_in_use_is_tried_again_later(
    world: World, ecs: EcsClient, network: Network, launch: Launch
) -> None:
    world.hypervisor.taken = {8703}
    open_port(ecs, network[2], "8703/8704")
    name = launch()
    assert forwards(world, name) == {(8704, 8704)}
    world.hypervisor.taken = set()
    assert forwards(world, name) == {(8704, 8704)}
    world.clock += 60
    assert forwards(world, name) == {(8703, 8703), (8704, 8704)}


def test_dropping_all_egress_cuts_the_guest_off_at_its_next_start(
    world: World, ecs: EcsClient, network: Network, launch: Launch
) -> None:
    ecs.authorize_security_group_egress(
        models.AuthorizeSecurityGroupEgressRequest(
            region_id="local",
            security_group_id=network[2],
            permissions=[
                models.AuthorizeSecurityGroupEgressRequestPermissions(
                    ip_protocol="ALL", port_range="-1/-1", dest_cidr_ip="0.0.0.0/0", policy="drop"
                )
            ],
        )
    )
    name = launch()
    world.work()
    assert world.hypervisor.machine(name).spec.network.restricted


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.1.3.4", "InvalidPrivateIpAddress.Mismatch"),
        ("10.1.2.253", "InvalidPrivateIpAddress.Reserved"),
        ("10.1.2.77", "InvalidPrivateIpAddress.Duplicated"),
        ("nowhere", "InvalidPrivateIpAddress.Malformed"),
    ],
)
def test_a_private_address_must_be_free_and_inside(launch: Launch, address: str, code: str) -> None:
    launch(private_ip_address="10.1.2.77")
    with pytest.raises(ClientException) as caught:
        launch(private_ip_address=address)
    assert caught.value.code == code


def test_tags_find_what_carries_them(
    world: World, ecs: EcsClient, vpc: VpcClient, network: Network, launch: Launch
) -> None:
    made, _, group = network
    name = launch()
    ecs.tag_resources(
        models.TagResourcesRequest(
            region_id="local",
            resource_type="securitygroup",
            resource_id=[group],
            tag=[models.TagResourcesRequestTag(key="smc:job", value="j-1")],
        )
    )
    vpc.tag_resources(
        vpc_models.TagResourcesRequest(
            region_id="local",
            resource_type="VPC",
            resource_id=[made],
            tag=[vpc_models.TagResourcesRequestTag(key="smc:job", value="j-1")],
        )
    )
    listed = ecs.list_tag_resources(
        models.ListTagResourcesRequest(
            region_id="local",
            resource_type="securitygroup",
            tag=[models.ListTagResourcesRequestTag(key="smc:job", value="j-1")],
        )
    ).body.tag_resources.tag_resource
    assert [(row.resource_id, row.tag_key, row.tag_value) for row in listed] == [(group, "smc:job", "j-1")]
    of_vpc = vpc.list_tag_resources(
        vpc_models.ListTagResourcesRequest(
            region_id="local",
            resource_type="VPC",
            tag=[vpc_models.ListTagResourcesRequestTag(key="smc:job", value="j-1")],
        )
    ).body.tag_resources.tag_resource
    assert [row.resource_id for row in of_vpc] == [made]
    by_tag = vpc_models.DescribeVpcsRequest(
        region_id="local", tag=[vpc_models.DescribeVpcsRequestTag(key="smc:job", value="j-2")]
    )
    assert vpc.describe_vpcs(by_tag).body.total_count == 0
    instances = models.DescribeInstancesRequest(
        region_id="local",
        instance_ids=json.dumps([name]),
        tag=[models.DescribeInstancesRequestTag(key="smc:job")],
    )
    assert ecs.describe_instances(instances).body.total_count == 0
    ecs.untag_resources(
        models.UntagResourcesRequest(
            region_id="local", resource_type="securitygroup", resource_id=[group], all=True
        )
    )
    groups = models.DescribeSecurityGroupsRequest(
        region_id="local", tag=[models.DescribeSecurityGroupsRequestTag(key="smc:job")]
    )
    assert ecs.describe_security_groups(groups).body.total_count == 0


def test_regions_zones_types_and_stock_can_be_asked(ecs: EcsClient, port: int) -> None:
    regions = ecs.describe_regions(models.DescribeRegionsRequest()).body.regions.region
    assert [region.region_id for region in regions] == ["local"]
    zones = ecs.describe_zones(models.DescribeZonesRequest(region_id="local")).body.zones.zone
    assert [zone.zone_id for zone in zones] == ["local-a", "local-b"]
    types = ecs.describe_instance_types(
        models.DescribeInstanceTypesRequest(cpu_architecture="X86", minimum_memory_size=2.0)
    ).body.instance_types.instance_type
    assert (types[0].instance_type_id, types[0].cpu_core_count, types[0].memory_size) == (
        "ecs.l1.medium",
        1,
        2.0,
    )
    request = models.DescribeAvailableResourceRequest(
        region_id="local", destination_resource="InstanceType", cores=1, memory=1.0
    )
    stock = ecs.describe_available_resource(request).body.available_zones.available_zone
    assert [zone.zone_id for zone in stock] == ["local-a", "local-b"]
    for zone in stock:
        (resource,) = zone.available_resources.available_resource
        sold = [item.value for item in resource.supported_resources.supported_resource]
        assert sold == ["ecs.l1.small", "ecs.l1a.small"]
    request.zone_id = "local-b"
    stock = ecs.describe_available_resource(request).body.available_zones.available_zone
    assert [zone.zone_id for zone in stock] == ["local-b"]


def test_another_region_is_refused(ecs: EcsClient) -> None:
    request = models.DescribeZonesRequest(region_id="cn-hangzhou")
    assert refusal(ecs.describe_zones, request) == ("InvalidRegionId.NotFound", 404)
