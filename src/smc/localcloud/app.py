"""The cloud's endpoint: every action of both APIs by its name."""

import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec

from smc.base.errors import UserError
from smc.localcloud.api import (
    alterations,
    disks,
    exports,
    groups,
    images,
    instances,
    launch,
    launch_templates,
    regions,
    replacing,
    tags,
    vpc,
)
from smc.localcloud.cloud import Cloud
from smc.localcloud.codes import STATUSES
from smc.rpc.dispatch import Action, Actions, Caller, Reply, Service, action

ECS = "2014-05-26"
VPC = "2016-04-28"
QUESTIONS = ("Describe", "List", "Get")  # asked all the time and change nothing: not logged
R = TypeVar("R", bound=msgspec.Struct)

log = logging.getLogger(__name__)


def service(cloud: Cloud, secret_of: Callable[[str], str | None]) -> Service:
    return Service({ECS: _ecs(cloud), VPC: _vpc(cloud)}, secret_of, STATUSES, now=cloud.now)


def _ecs(cloud: Cloud) -> Actions:
    def on(request: type[R], handler: Callable[[Cloud, R], Reply]) -> Action:
        return _bind(cloud, request, handler)

    return {
        "DescribeRegions": on(regions.DescribeRegions, regions.describe_regions),
        "DescribeZones": on(regions.DescribeZones, regions.describe_zones),
        "DescribeInstanceTypes": on(regions.DescribeInstanceTypes, regions.describe_instance_types),
        "DescribeAvailableResource": on(
            regions.DescribeAvailableResource, regions.describe_available_resource
        ),
        "CreateSecurityGroup": on(groups.CreateSecurityGroup, groups.create_security_group),
        "AuthorizeSecurityGroup": on(groups.AuthorizeSecurityGroup, groups.authorize),
        "AuthorizeSecurityGroupEgress": on(groups.AuthorizeSecurityGroupEgress, groups.authorize_egress),
        "RevokeSecurityGroup": on(groups.RevokeSecurityGroup, groups.revoke),
        "DescribeSecurityGroups": on(groups.DescribeSecurityGroups, groups.describe_security_groups),
        "DescribeSecurityGroupAttribute": on(
            groups.DescribeSecurityGroupAttribute, groups.describe_security_group_attribute
        ),
        "DeleteSecurityGroup": on(groups.DeleteSecurityGroup, groups.delete_security_group),
        "JoinSecurityGroup": on(alterations.JoinSecurityGroup, alterations.join_security_group),
        "LeaveSecurityGroup": on(alterations.LeaveSecurityGroup, alterations.leave_security_group),
        "ModifyInstanceAttribute": on(
            alterations.ModifyInstanceAttribute, alterations.modify_instance_attribute
        ),
        "ModifyInstanceVpcAttribute": on(
            alterations.ModifyInstanceVpcAttribute, alterations.modify_instance_vpc_attribute
        ),
        "DescribeUserData": on(alterations.DescribeUserData, alterations.describe_user_data),
        "ReplaceSystemDisk": on(replacing.ReplaceSystemDisk, replacing.replace_system_disk),
        "ResetDisk": on(replacing.ResetDisk, replacing.reset_disk),
        "RunInstances": on(launch.RunInstances, launch.run_instances),
        "CreateLaunchTemplate": on(
            launch_templates.CreateLaunchTemplate, launch_templates.create_launch_template
        ),
        "DescribeLaunchTemplates": on(
            launch_templates.DescribeLaunchTemplates, launch_templates.describe_launch_templates
        ),
        "DeleteLaunchTemplate": on(
            launch_templates.DeleteLaunchTemplate, launch_templates.delete_launch_template
        ),
        "DescribeInstances": on(instances.DescribeInstances, instances.describe_instances),
        "DescribeInstanceStatus": on(instances.DescribeInstanceStatus, instances.describe_instance_status),
        "StartInstance": on(instances.StartInstance, instances.start_instance),
        "StopInstance": on(instances.StopInstance, instances.stop_instance),
        "RebootInstance": on(instances.RebootInstance, instances.reboot_instance),
        "DeleteInstance": on(instances.DeleteInstance, instances.delete_instance),
        "GetInstanceConsoleOutput": on(
            instances.GetInstanceConsoleOutput, instances.get_instance_console_output
        ),
        "GetInstanceScreenshot": on(instances.GetInstanceScreenshot, instances.get_instance_screenshot),
        "DescribeDisks": on(disks.DescribeDisks, disks.describe_disks),
        "CreateDisk": on(disks.CreateDisk, disks.create_disk),
        "AttachDisk": on(disks.AttachDisk, disks.attach_disk),
        "DetachDisk": on(disks.DetachDisk, disks.detach_disk),
        "DeleteDisk": on(disks.DeleteDisk, disks.delete_disk),
        "CreateSnapshot": on(images.CreateSnapshot, images.create_snapshot),
        "DescribeSnapshots": on(images.DescribeSnapshots, images.describe_snapshots),
        "DeleteSnapshot": on(images.DeleteSnapshot, images.delete_snapshot),
        "CreateImage": on(images.CreateImage, images.create_image),
        "DescribeImages": on(images.DescribeImages, images.describe_images),
        "DeleteImage": on(images.DeleteImage, images.delete_image),
        "ExportImage": on(exports.ExportImage, exports.export_image),
        "DescribeTaskAttribute": on(exports.DescribeTaskAttribute, exports.describe_task_attribute),
        "TagResources": on(tags.TagResources, tags.tag_resources),
        "UntagResources": on(tags.UntagResources, tags.untag_resources),
        "ListTagResources": on(tags.ListTagResources, tags.list_tag_resources),
    }


def _vpc(cloud: Cloud) -> Actions:
    def on(request: type[R], handler: Callable[[Cloud, R], Reply]) -> Action:
        return _bind(cloud, request, handler)

    return {
        "DescribeRegions": on(regions.DescribeRegions, regions.describe_regions),
        "CreateVpc": on(vpc.CreateVpc, vpc.create_vpc),
        "DescribeVpcs": on(vpc.DescribeVpcs, vpc.describe_vpcs),
        "DescribeVpcAttribute": on(vpc.DescribeVpcAttribute, vpc.describe_vpc_attribute),
        "DeleteVpc": on(vpc.DeleteVpc, vpc.delete_vpc),
        "CreateVSwitch": on(vpc.CreateVSwitch, vpc.create_v_switch),
        "DescribeVSwitches": on(vpc.DescribeVSwitches, vpc.describe_v_switches),
        "DescribeVSwitchAttributes": on(vpc.DescribeVSwitchAttributes, vpc.describe_v_switch_attributes),
        "DeleteVSwitch": on(vpc.DeleteVSwitch, vpc.delete_v_switch),
        "TagResources": on(tags.TagResources, tags.tag_resources),
        "UnTagResources": on(tags.UntagResources, tags.untag_resources),
        "ListTagResources": on(tags.ListTagResources, tags.list_tag_resources),
    }


def _bind(cloud: Cloud, request: type[R], handler: Callable[[Cloud, R], Reply]) -> Action:
    def answer(asked: R, caller: Caller) -> Reply:
        region = getattr(asked, "region_id", "")
        if region not in ("", cloud.region):
            raise UserError(
                f"There is no region {region!r}.",
                code="InvalidRegionId.NotFound",
                hint=f"The region of the local cloud is {cloud.region}.",
            )
        reply = handler(cloud, asked)
        if not request.__name__.startswith(QUESTIONS):
            log.info("%s by %s: %s", request.__name__, caller.access_key_id, dict(reply))
        return reply

    return action(request, answer)
