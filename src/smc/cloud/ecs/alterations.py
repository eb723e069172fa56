"""What is done to an existing instance, over the vendor's APIs; each looks first what is so already."""

import base64

from alibabacloud_ecs20140526 import models as ecs

from smc.base.errors import SmcError, UserError
from smc.cloud.driver import Kind, Tags
from smc.cloud.ecs import rows
from smc.cloud.ecs.calls import Calls
from smc.cloud.ecs.errors import is_gone
from smc.cloud.ecs.inventory import Inventory
from smc.cloud.ecs.launch import CATEGORY, SMALLEST_PL1

NOTHING = "#cloud-config\n{}\n"  # the API takes no empty user data; cloud-init does nothing for this


class EcsAlterations:
    def __init__(self, calls: Calls, inventory: Inventory, resource_group: str = "") -> None:
        self._group = resource_group or None
        self._calls = calls
        self._inventory = inventory

    def replace_system_disk(self, instance: str, image: str, size_gib: int, token: str) -> str:
        request = ecs.ReplaceSystemDiskRequest(
            instance_id=instance,
            image_id=image,
            system_disk=ecs.ReplaceSystemDiskRequestSystemDisk(size=size_gib),
            client_token=token,
        )
        return str(self._calls.ask(self._calls.ecs.replace_system_disk_with_options, request).disk_id)

    def reset_disk(self, disk: str, snapshot: str) -> None:
        request = ecs.ResetDiskRequest(disk_id=disk, snapshot_id=snapshot)
        self._calls.ask(self._calls.ecs.reset_disk_with_options, request)

    def create_disk(self, zone: str, name: str, size_gib: int, tags: Tags, token: str) -> str:
        request = ecs.CreateDiskRequest(
            resource_group_id=self._group,
            region_id=self._calls.region,
            zone_id=zone,
            disk_name=name,
            size=size_gib,
            disk_category=CATEGORY,
            performance_level="PL0" if size_gib < SMALLEST_PL1 else None,
            tag=rows.tags(ecs.CreateDiskRequestTag, tags),
            client_token=token,
        )
        return str(self._calls.ask(self._calls.ecs.create_disk_with_options, request).disk_id)

    def attach_disk(self, disk: str, instance: str) -> None:
        row = self._inventory.row(Kind.DISK, disk)
        if row is not None and row.instance_id == instance:
            return
        request = ecs.AttachDiskRequest(disk_id=disk, instance_id=instance, delete_with_instance=False)
        self._calls.ask(self._calls.ecs.attach_disk_with_options, request)

    def detach_disk(self, disk: str) -> None:
        row = self._inventory.row(Kind.DISK, disk)
        if row is None or not row.instance_id:
            return
        request = ecs.DetachDiskRequest(disk_id=disk, instance_id=row.instance_id)
        self._calls.ask_of_gone(self._calls.ecs.detach_disk_with_options, request)

    def join_group(self, instance: str, group: str) -> None:
        if group in self._groups(instance):
            return
        request = ecs.JoinSecurityGroupRequest(instance_id=instance, security_group_id=group)
        self._calls.ask(self._calls.ecs.join_security_group_with_options, request)

    def leave_group(self, instance: str, group: str) -> None:
        if group not in self._groups(instance):
            return
        request = ecs.LeaveSecurityGroupRequest(instance_id=instance, security_group_id=group)
        self._calls.ask_of_gone(self._calls.ecs.leave_security_group_with_options, request)

    def isolate_group(self, group: str) -> None:
        """The cloud leaves out rules that are there already; what drops outranks a group's own accept."""
        everywhere = ({"dest_cidr_ip": "0.0.0.0/0"}, {"ipv_6dest_cidr_ip": "::/0"})
        rules = [
            ecs.AuthorizeSecurityGroupEgressRequestPermissions(
                ip_protocol="ALL", port_range="-1/-1", policy="drop", priority="1", **to
            )
            for to in everywhere
        ]
        request = ecs.AuthorizeSecurityGroupEgressRequest(
            region_id=self._calls.region, security_group_id=group, permissions=rules
        )
        self._calls.ask(self._calls.ecs.authorize_security_group_egress_with_options, request)

    def user_data(self, instance: str) -> str:
        request = ecs.DescribeUserDataRequest(region_id=self._calls.region, instance_id=instance)
        body = self._calls.ask(self._calls.ecs.describe_user_data_with_options, request)
        text = base64.b64decode(body.user_data or "").decode(errors="replace")
        return "" if text == NOTHING else text

    def set_user_data(self, instance: str, text: str) -> None:
        request = ecs.ModifyInstanceAttributeRequest(
            instance_id=instance, user_data=base64.b64encode((text or NOTHING).encode()).decode()
        )
        self._calls.ask(self._calls.ecs.modify_instance_attribute_with_options, request)

    def move_address(self, instance: str, vswitch: str, address: str) -> None:
        row = self._inventory.row(Kind.INSTANCE, instance)
        if row is not None and _place(row) == (vswitch, address):
            return
        request = ecs.ModifyInstanceVpcAttributeRequest(
            instance_id=instance, v_switch_id=vswitch, private_ip_address=address
        )
        try:
            self._calls.ask(self._calls.ecs.modify_instance_vpc_attribute_with_options, request)
        except SmcError as e:
            if is_gone(e.code):
                raise UserError(e.message, code=e.code, hint=e.hint) from e
            raise

    def _groups(self, instance: str) -> tuple[str, ...]:
        row = self._inventory.row(Kind.INSTANCE, instance)
        return () if row is None else rows.instance(row).security_groups


def _place(row: object) -> tuple[str, str]:
    seen = rows.instance(row)
    return seen.vswitch, seen.private_address
