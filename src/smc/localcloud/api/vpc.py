"""VPCs and vSwitches (API VPC 2016-04-28)."""

import ipaddress
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.localcloud import network
from smc.localcloud.api.asking import Name, Paged, Tagged, Token, check_zone, choose, get, once, page, tags_of
from smc.localcloud.cloud import Cloud
from smc.localcloud.things import Instance, SecurityGroup, Thing, Vpc, VSwitch, new_id, stamp
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
DEFAULT_CIDR = "172.16.0.0/12"
Size = Annotated[int, msgspec.Meta(ge=1, le=50)]


class CreateVpc(Tagged, frozen=True, kw_only=True):
    vpc_name: Name = ""
    description: str = ""
    cidr_block: str = DEFAULT_CIDR
    client_token: Token = ""


def create_vpc(cloud: Cloud, request: CreateVpc) -> Reply:
    cidr = _parse(request.cidr_block)
    if not any(cidr.subnet_of(block) for block in PRIVATE):
        raise UserError(f"{cidr} is not a private range.", code="InvalidCidrBlock.Malformed")

    def make() -> Reply:
        vpc = Vpc(
            id=new_id("vpc"),
            name=request.vpc_name,
            description=request.description,
            created=stamp(cloud.now()),
            tags=tags_of(request),
            resource_group=request.resource_group_id,
            cidr=str(cidr),
        )
        cloud.store.put(vpc)
        return {
            "VpcId": vpc.id,
            "VRouterId": _router(vpc),
            "RouteTableId": _table(vpc),
            "ResourceGroupId": vpc.resource_group,
        }

    return once(cloud, request, request.client_token, make)


class DescribeVpcs(Paged, frozen=True, kw_only=True):
    vpc_id: str = ""
    vpc_name: str = ""


def describe_vpcs(cloud: Cloud, request: DescribeVpcs) -> Reply:
    found = choose(
        cloud.store.all(Vpc),
        _ids(request.vpc_id),
        request.tags,
        name=request.vpc_name,
        resource_group=request.resource_group_id,
    )
    counters, vpcs = page(found, request, lambda vpc: _vpc(cloud, vpc))
    return {**counters, "Vpcs": {"Vpc": vpcs}}


class DescribeVpcAttribute(Request, frozen=True, kw_only=True):
    vpc_id: str


def describe_vpc_attribute(cloud: Cloud, request: DescribeVpcAttribute) -> Reply:
    return _vpc(cloud, get(cloud, Vpc, request.vpc_id))


class DeleteVpc(Request, frozen=True, kw_only=True):
    vpc_id: str


def delete_vpc(cloud: Cloud, request: DeleteVpc) -> Reply:
    with cloud.store.transaction():
        vpc = get(cloud, Vpc, request.vpc_id)
        users = [item.id for item in cloud.store.all(VSwitch) if item.vpc == vpc.id]
        users += [item.id for item in cloud.store.all(SecurityGroup) if item.vpc == vpc.id]
        if users:
            raise UserError(
                f"VPC {vpc.id} still holds {', '.join(users)}.",
                code="DependencyViolation.VSwitch" if users[0].startswith("vsw-") else "DependencyViolation",
                hint="Delete them first.",
            )
        cloud.store.remove(vpc)
    return {}


class CreateVSwitch(Tagged, frozen=True, kw_only=True):
    zone_id: str
    vpc_id: str
    cidr_block: str
    v_switch_name: Name = ""
    description: str = ""
    client_token: Token = ""


def create_v_switch(cloud: Cloud, request: CreateVSwitch) -> Reply:
    check_zone(cloud, request.zone_id)
    cidr = _parse(request.cidr_block)

    def make() -> Reply:
        vpc = get(cloud, Vpc, request.vpc_id)
        _check_range(cloud, vpc, cidr)
        vswitch = VSwitch(
            id=new_id("vsw"),
            name=request.v_switch_name,
            description=request.description,
            created=stamp(cloud.now()),
            tags=tags_of(request),
            resource_group=request.resource_group_id,
            vpc=vpc.id,
            zone=request.zone_id,
            cidr=str(cidr),
        )
        cloud.store.put(vswitch)
        return {"VSwitchId": vswitch.id}

    return once(cloud, request, request.client_token, make)


class DescribeVSwitches(Paged, frozen=True, kw_only=True):
    v_switch_id: str = ""
    v_switch_name: str = ""
    vpc_id: str = ""
    zone_id: str = ""


def describe_v_switches(cloud: Cloud, request: DescribeVSwitches) -> Reply:
    found = choose(
        cloud.store.all(VSwitch),
        _ids(request.v_switch_id),
        request.tags,
        resource_group=request.resource_group_id,
        name=request.v_switch_name,
        vpc=request.vpc_id,
        zone=request.zone_id,
    )
    counters, vswitches = page(found, request, lambda vswitch: _vswitch(cloud, vswitch))
    return {**counters, "VSwitches": {"VSwitch": vswitches}}


class DescribeVSwitchAttributes(Request, frozen=True, kw_only=True):
    v_switch_id: str


def describe_v_switch_attributes(cloud: Cloud, request: DescribeVSwitchAttributes) -> Reply:
    return _vswitch(cloud, get(cloud, VSwitch, request.v_switch_id))


class DeleteVSwitch(Request, frozen=True, kw_only=True):
    v_switch_id: str


def delete_v_switch(cloud: Cloud, request: DeleteVSwitch) -> Reply:
    with cloud.store.transaction():
        vswitch = get(cloud, VSwitch, request.v_switch_id)
        users = [instance.id for instance in cloud.store.all(Instance) if instance.vswitch == vswitch.id]
        if users:
            raise UserError(
                f"vSwitch {vswitch.id} is used by {', '.join(users)}.",
                code="DependencyViolation",
                hint="Release the instances first.",
            )
        cloud.store.remove(vswitch)
    return {}


def _parse(text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as e:
        raise UserError(f"{text!r} is not a range: {e}.", code="InvalidCidrBlock.Malformed") from e


def _check_range(cloud: Cloud, vpc: Vpc, cidr: ipaddress.IPv4Network) -> None:
    if not cidr.subnet_of(ipaddress.IPv4Network(vpc.cidr)) or not 16 <= cidr.prefixlen <= 29:
        raise UserError(
            f"{cidr} does not fit into the VPC's range {vpc.cidr}.",
            code="InvalidCidrBlock.Mismatch",
            hint="Choose a part of the VPC's range with a prefix of 16 to 29 bits.",
        )
    for other in cloud.store.all(VSwitch):
        if other.vpc == vpc.id and cidr.overlaps(ipaddress.IPv4Network(other.cidr)):
            raise UserError(
                f"{cidr} overlaps the range {other.cidr} of vSwitch {other.id}.",
                code="InvalidCidrBlock.Overlapped",
            )


def _vpc(cloud: Cloud, vpc: Vpc) -> Reply:
    return {
        "VpcId": vpc.id,
        "VpcName": vpc.name,
        "Description": vpc.description,
        "Status": "Available",
        "CidrBlock": vpc.cidr,
        "RegionId": cloud.region,
        "CreationTime": vpc.created,
        "IsDefault": False,
        "VRouterId": _router(vpc),
        "RouterTableIds": {"RouterTableIds": [_table(vpc)]},
        "VSwitchIds": {"VSwitchId": [item.id for item in cloud.store.all(VSwitch) if item.vpc == vpc.id]},
        "ResourceGroupId": vpc.resource_group,
        "Tags": _tags(vpc),
    }


def _vswitch(cloud: Cloud, vswitch: VSwitch) -> Reply:
    taken = [item for item in cloud.store.all(Instance) if item.vswitch == vswitch.id]
    return {
        "VSwitchId": vswitch.id,
        "VSwitchName": vswitch.name,
        "Description": vswitch.description,
        "Status": "Available",
        "VpcId": vswitch.vpc,
        "ZoneId": vswitch.zone,
        "CidrBlock": vswitch.cidr,
        "AvailableIpAddressCount": network.free_addresses(vswitch, [item.id for item in taken]),
        "CreationTime": vswitch.created,
        "IsDefault": False,
        "ResourceGroupId": vswitch.resource_group,
        "Tags": _tags(vswitch),
    }


def _tags(thing: Thing) -> Reply:
    return {"Tag": [{"Key": key, "Value": value} for key, value in thing.tags.items()]}


def _ids(text: str) -> list[str] | None:
    """This API takes ids with commas between them, where ECS takes a JSON list."""
    return text.split(",") if text else None


def _router(vpc: Vpc) -> str:
    return vpc.id.replace("vpc-", "vrt-", 1)


def _table(vpc: Vpc) -> str:
    return vpc.id.replace("vpc-", "vtb-", 1)
