"""Security groups and their rules (API ECS 2014-05-26)."""

import ipaddress
import re
from collections.abc import Sequence
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
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.things import Direction, Instance, Policy, Rule, SecurityGroup, Vpc, new_id, stamp
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request

ALL_PORTS = "-1/-1"
WITHOUT_PORTS = ("all", "icmp", "gre")
MOST_RULES = 200


class CreateSecurityGroup(Tagged, frozen=True, kw_only=True):
    vpc_id: str
    security_group_name: Name = ""
    description: str = ""
    client_token: Token = ""


def create_security_group(cloud: Cloud, request: CreateSecurityGroup) -> Reply:
    def make() -> Reply:
        group = SecurityGroup(
            id=new_id("sg"),
            name=request.security_group_name,
            description=request.description,
            created=stamp(cloud.now()),
            tags=tags_of(request),
            resource_group=request.resource_group_id,
            vpc=get(cloud, Vpc, request.vpc_id).id,
        )
        cloud.store.put(group)
        return {"SecurityGroupId": group.id}

    return once(cloud, request, request.client_token, make)


class Permission(Request, frozen=True, kw_only=True):
    ip_protocol: str
    port_range: str = ALL_PORTS
    source_cidr_ip: str = ""
    dest_cidr_ip: str = ""
    ipv6_source_cidr_ip: str = ""
    ipv6_dest_cidr_ip: str = ""
    policy: str = "accept"
    priority: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    description: Annotated[str, msgspec.Meta(max_length=512)] = ""


class Rules(Regional, frozen=True, kw_only=True):
    """One rule in the parameters themselves (the older way), or several in `Permissions.N`."""

    security_group_id: str
    permissions: tuple[Permission, ...] = ()
    ip_protocol: str = ""
    port_range: str = ALL_PORTS
    source_cidr_ip: str = ""
    dest_cidr_ip: str = ""
    ipv6_source_cidr_ip: str = ""
    ipv6_dest_cidr_ip: str = ""
    policy: str = "accept"
    priority: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    description: str = ""
    client_token: Token = ""


class AuthorizeSecurityGroup(Rules, frozen=True, kw_only=True):
    pass


class AuthorizeSecurityGroupEgress(Rules, frozen=True, kw_only=True):
    pass


class RevokeSecurityGroup(Rules, frozen=True, kw_only=True):
    security_group_rule_id: tuple[str, ...] = ()


def authorize(cloud: Cloud, request: AuthorizeSecurityGroup) -> Reply:
    return once(cloud, request, request.client_token, lambda: _add(cloud, request, Direction.INGRESS))


def authorize_egress(cloud: Cloud, request: AuthorizeSecurityGroupEgress) -> Reply:
    return once(cloud, request, request.client_token, lambda: _add(cloud, request, Direction.EGRESS))


def revoke(cloud: Cloud, request: RevokeSecurityGroup) -> Reply:
    """By rule ids, or by the rules themselves; revoking what is not there is success."""
    with cloud.store.transaction():
        group = get(cloud, SecurityGroup, request.security_group_id)
        if request.security_group_rule_id:
            left = [rule for rule in group.rules if rule.id not in request.security_group_rule_id]
        else:
            keys = {rule.key for rule in _rules(cloud, request, Direction.INGRESS)}
            left = [rule for rule in group.rules if rule.key not in keys]
        cloud.store.put(with_changes(group, rules=tuple(left)))
    cloud.stir()
    return {}


class DescribeSecurityGroups(Paged, frozen=True, kw_only=True):
    security_group_id: str = ""
    security_group_ids: str = ""
    security_group_name: str = ""
    vpc_id: str = ""


def describe_security_groups(cloud: Cloud, request: DescribeSecurityGroups) -> Reply:
    found = choose(
        cloud.store.all(SecurityGroup),
        ids_of(request.security_group_ids, "SecurityGroupIds"),
        request.tags,
        resource_group=request.resource_group_id,
        id=request.security_group_id,
        name=request.security_group_name,
        vpc=request.vpc_id,
    )
    counters, groups = page(found, request, lambda group: _group(cloud, group))
    return {**counters, "RegionId": cloud.region, "SecurityGroups": {"SecurityGroup": groups}}


class DescribeSecurityGroupAttribute(Regional, frozen=True, kw_only=True):
    security_group_id: str
    direction: Literal["all", "ingress", "egress"] = "all"


def describe_security_group_attribute(cloud: Cloud, request: DescribeSecurityGroupAttribute) -> Reply:
    group = get(cloud, SecurityGroup, request.security_group_id)
    rules = [rule for rule in group.rules if request.direction in ("all", rule.direction.value)]
    return {
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc,
        "RegionId": cloud.region,
        "InnerAccessPolicy": "Accept",
        "Permissions": {"Permission": [_rule(rule) for rule in rules]},
    }


class DeleteSecurityGroup(Regional, frozen=True, kw_only=True):
    security_group_id: str


def delete_security_group(cloud: Cloud, request: DeleteSecurityGroup) -> Reply:
    with cloud.store.transaction():
        group = get(cloud, SecurityGroup, request.security_group_id)
        users = [item.id for item in cloud.store.all(Instance) if group.id in item.groups]
        if users:
            raise UserError(
                f"Security group {group.id} is used by {', '.join(users)}.",
                code="DependencyViolation",
                hint="Release the instances first.",
            )
        cloud.store.remove(group)
    return {}


def _add(cloud: Cloud, request: Rules, direction: Direction) -> Reply:
    """A rule that is there already is not added again."""
    group = get(cloud, SecurityGroup, request.security_group_id)
    rules = {rule.key: rule for rule in group.rules}
    for rule in _rules(cloud, request, direction):
        rules.setdefault(rule.key, rule)
    if len(rules) > MOST_RULES:
        raise UserError(
            f"Security group {group.id} would have more than {MOST_RULES} rules.",
            code="AuthorizationLimitExceed",
        )
    cloud.store.put(with_changes(group, rules=tuple(rules.values())))
    return {}


def _rules(cloud: Cloud, request: Rules, direction: Direction) -> Sequence[Rule]:
    asked: Sequence[Permission | Rules] = request.permissions or [request]
    return [_parse(item, direction, stamp(cloud.now())) for item in asked]


def _parse(asked: Permission | Rules, direction: Direction, created: str) -> Rule:
    protocol, policy = asked.ip_protocol.lower(), asked.policy.lower()
    if protocol not in ("tcp", "udp", *WITHOUT_PORTS):
        raise UserError(
            f"The protocol {asked.ip_protocol!r} is not tcp, udp, icmp, gre or all.",
            code="InvalidIpProtocol.Malformed",
        )
    if policy not in ("accept", "drop"):
        raise UserError(f"The policy {asked.policy!r} is not accept or drop.", code="InvalidPolicy.Malformed")
    _check_ports(protocol, asked.port_range)
    return Rule(
        id=new_id("sgr"),
        direction=direction,
        protocol=protocol,
        ports=asked.port_range,
        cidr=_cidr(asked, direction),
        policy=Policy(policy),
        priority=asked.priority,
        description=asked.description,
        created=created,
    )


def _check_ports(protocol: str, ports: str) -> None:
    if ports == ALL_PORTS and protocol in WITHOUT_PORTS:
        return
    found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", ports)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 65535 or protocol in WITHOUT_PORTS:
        raise UserError(
            f"The port range {ports!r} does not fit the protocol {protocol}.",
            code="InvalidPortRange.Malformed",
            hint="first/last from 1 to 65535 for tcp and udp, like 22/22; -1/-1 for the others.",
        )


def _cidr(asked: Permission | Rules, direction: Direction) -> str:
    """The other side's range, of either family."""
    if direction is Direction.INGRESS:
        name, text = "SourceCidrIp", asked.source_cidr_ip or asked.ipv6_source_cidr_ip
    else:
        name, text = "DestCidrIp", asked.dest_cidr_ip or asked.ipv6_dest_cidr_ip
    if not text:
        raise UserError(
            f"The parameter {name} is missing.",
            code=f"MissingParameter.{name}",
            hint="The local cloud knows rules by address range only, like 192.0.2.7/32.",
        )
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as e:
        raise UserError(f"{text!r} is not a range of addresses.", code="InvalidParam.SourceIp") from e


def _group(cloud: Cloud, group: SecurityGroup) -> Reply:
    users = [item.id for item in cloud.store.all(Instance) if group.id in item.groups]
    return {
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "SecurityGroupType": "normal",
        "VpcId": group.vpc,
        "CreationTime": group.created,
        "EcsCount": len(users),
        "RuleCount": len(group.rules),
        "ResourceGroupId": group.resource_group,
        "Tags": ecs_tags(group),
    }


def _rule(rule: Rule) -> Reply:
    side = "SourceCidrIp" if rule.direction is Direction.INGRESS else "DestCidrIp"
    if ":" in rule.cidr:
        side = f"Ipv6{side}"
    return {
        "SecurityGroupRuleId": rule.id,
        "Direction": rule.direction.value,
        "IpProtocol": rule.protocol.upper(),
        "PortRange": rule.ports,
        "Policy": rule.policy.value.capitalize(),
        "Priority": str(rule.priority),
        "Description": rule.description,
        "NicType": "intranet",
        "CreateTime": rule.created,
        side: rule.cidr,
    }
