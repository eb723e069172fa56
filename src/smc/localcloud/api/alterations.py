"""Changing an instance that is there: its groups, address and user data (API ECS 2014-05-26)."""

from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.localcloud import network
from smc.localcloud.api.asking import Name, Regional, get
from smc.localcloud.api.launch import check_user_data, taken_addresses
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.things import Instance, InstanceStatus, SecurityGroup, VSwitch
from smc.rpc.dispatch import Reply

MOST_GROUPS = 5  # of an instance, the vendor's default


class JoinSecurityGroup(Regional, frozen=True, kw_only=True):
    instance_id: str
    security_group_id: str


def join_security_group(cloud: Cloud, request: JoinSecurityGroup) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        group = get(cloud, SecurityGroup, request.security_group_id)
        _expect_still(instance)
        if group.vpc != instance.vpc:
            raise UserError(
                f"Security group {group.id} and instance {instance.id} are not in one VPC.",
                code="InvalidSecurityGroupId.VPCMismatch",
            )
        if group.id in instance.groups:
            raise UserError(
                f"Instance {instance.id} is in {group.id} already.", code="InvalidInstanceId.AlreadyExists"
            )
        if len(instance.groups) >= MOST_GROUPS:
            raise UserError(
                f"Instance {instance.id} is in {MOST_GROUPS} security groups, which is the most.",
                code="InstanceSecurityGroupLimitExceed",
                hint="Take it out of one.",
            )
        cloud.store.put(with_changes(instance, groups=(*instance.groups, group.id)))
    cloud.stir()
    return {}


class LeaveSecurityGroup(Regional, frozen=True, kw_only=True):
    instance_id: str
    security_group_id: str


def leave_security_group(cloud: Cloud, request: LeaveSecurityGroup) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        _expect_still(instance)
        left = tuple(group for group in instance.groups if group != request.security_group_id)
        if left == instance.groups:
            raise UserError(
                f"Instance {instance.id} is not in {request.security_group_id}.",
                code="InstanceNotInSecurityGroup",
            )
        if not left:
            raise UserError(
                f"Instance {instance.id} is in no other security group.", code="InstanceLastSecurityGroup"
            )
        cloud.store.put(with_changes(instance, groups=left))
    cloud.stir()
    return {}


class ModifyInstanceAttribute(Regional, frozen=True, kw_only=True):
    """What is not given stays. `UserData` is for the next system that boots here for the first time."""

    instance_id: str
    instance_name: Name = ""
    description: Annotated[str, msgspec.Meta(max_length=256)] = ""
    user_data: str = ""


def modify_instance_attribute(cloud: Cloud, request: ModifyInstanceAttribute) -> Reply:
    check_user_data(request.user_data)
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        if request.user_data:
            expect_stopped(instance)
        cloud.store.put(
            with_changes(
                instance,
                name=request.instance_name or instance.name,
                description=request.description or instance.description,
                user_data=request.user_data or instance.user_data,
            )
        )
    return {}


class DescribeUserData(Regional, frozen=True, kw_only=True):
    instance_id: str


def describe_user_data(cloud: Cloud, request: DescribeUserData) -> Reply:
    instance = get(cloud, Instance, request.instance_id)
    return {"RegionId": cloud.region, "InstanceId": instance.id, "UserData": instance.user_data}


class ModifyInstanceVpcAttribute(Regional, frozen=True, kw_only=True):
    """Without an address the instance gets a free one."""

    instance_id: str
    v_switch_id: str
    private_ip_address: str = ""


def modify_instance_vpc_attribute(cloud: Cloud, request: ModifyInstanceVpcAttribute) -> Reply:
    with cloud.store.transaction():
        instance = get(cloud, Instance, request.instance_id)
        vswitch = get(cloud, VSwitch, request.v_switch_id)
        expect_stopped(instance)
        if vswitch.zone != instance.zone:
            raise UserError(
                f"vSwitch {vswitch.id} is in {vswitch.zone}, instance {instance.id} in {instance.zone}.",
                code="InvalidVSwitchId.Mismatch",
                hint="Choose a vSwitch of the instance's zone.",
            )
        if vswitch.vpc != instance.vpc:
            raise UserError(
                f"vSwitch {vswitch.id} is not in the VPC {instance.vpc}.", code="InvalidVSwitchId.NotFound"
            )
        if instance.address_changed:
            raise UserError(
                f"The address of {instance.id} was changed since it was started last.",
                code="InvalidPrivateIp.Changing",
                hint="Start and stop the instance first.",
            )
        taken = taken_addresses(cloud, vswitch.id, but=instance.id)
        address = network.choose_address(vswitch, taken, request.private_ip_address)
        cloud.store.put(
            with_changes(instance, vswitch=vswitch.id, private_address=address, address_changed=True)
        )
    return {}


def expect_stopped(instance: Instance) -> None:
    """Raises `UserError` (`IncorrectInstanceStatus`)."""
    if instance.status is not InstanceStatus.STOPPED or instance.released:
        raise UserError(
            f"Instance {instance.id} is {'being released' if instance.released else instance.status.value}.",
            code="IncorrectInstanceStatus",
            hint="It must be Stopped.",
        )


def _expect_still(instance: Instance) -> None:
    if instance.status not in (InstanceStatus.RUNNING, InstanceStatus.STOPPED):
        raise UserError(
            f"Instance {instance.id} is {instance.status.value}.",
            code="IncorrectInstanceStatus",
            hint="It must be Running or Stopped.",
        )
