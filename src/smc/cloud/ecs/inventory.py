"""What exists in the region, kind by kind: found by id or by tags, and deleted."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_vpc20160428 import models as vpc

from smc.cloud.driver import Kind, Resource, Tags
from smc.cloud.ecs.calls import Calls

Row = Any  # Any: a row of an SDK's answer
EVERY_STATUS = "Creating,Waiting,Available,UnAvailable,CreateFailed"
ORDER = (  # in which things can be deleted
    Kind.INSTANCE,
    Kind.DISK,
    Kind.IMAGE,
    Kind.SNAPSHOT,
    Kind.SECURITY_GROUP,
    Kind.VSWITCH,
    Kind.VPC,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """How one kind is asked about and deleted; `ids` and `tags` are fields of the request."""

    describe: Callable[..., Row]
    request: Callable[..., Row]
    tag: Callable[..., Row]
    ids: Callable[[str], Mapping[str, object]]
    rows: Callable[[Row], list[Row] | None]
    id: str  # the attribute of a row
    name: str
    delete: Callable[..., Row]
    delete_request: Callable[[str], Row]


class Inventory:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._entries = _entries(calls)

    def rows(self, kind: Kind, **fields: object) -> Iterator[Row]:
        """Of all pages."""
        entry = self._entries[kind]
        request = entry.request(region_id=self._calls.region, **fields)
        return self._calls.pages(entry.describe, request, entry.rows)

    def row(self, kind: Kind, resource: str) -> Row | None:
        entry = self._entries[kind]
        found = [row for row in self.rows(kind, **entry.ids(resource)) if getattr(row, entry.id) == resource]
        return found[0] if found else None

    def tagged(self, kind: Kind, tags: Tags) -> Iterator[Row]:
        tag = self._entries[kind].tag
        return self.rows(kind, **_every_status(kind), tag=[tag(key=k, value=v) for k, v in tags.items()])

    def find(self, tags: Tags) -> list[Resource]:
        return [
            Resource(
                kind=kind,
                id=getattr(row, self._entries[kind].id),
                name=getattr(row, self._entries[kind].name) or "",
                created=row.creation_time or "",
                resource_group=row.resource_group_id or "",
            )
            for kind in ORDER
            for row in self.tagged(kind, tags)
        ]

    def delete(self, kind: Kind, resource: str) -> None:
        """What is gone is success."""
        entry = self._entries[kind]
        self._calls.ask_of_gone(entry.delete, entry.delete_request(resource))


def _every_status(kind: Kind) -> Mapping[str, object]:
    """DescribeImages shows finished images alone unless it is told otherwise."""
    return {"status": EVERY_STATUS} if kind is Kind.IMAGE else {}


def _entries(calls: Calls) -> Mapping[Kind, Entry]:
    ecs_client, vpc_client, region = calls.ecs, calls.vpc, calls.region
    return {
        Kind.INSTANCE: Entry(
            describe=ecs_client.describe_instances_with_options,
            request=ecs.DescribeInstancesRequest,
            tag=ecs.DescribeInstancesRequestTag,
            ids=lambda resource: {"instance_ids": json.dumps([resource])},
            rows=lambda body: body.instances.instance if body.instances else [],
            id="instance_id",
            name="instance_name",
            delete=ecs_client.delete_instance_with_options,
            delete_request=lambda resource: ecs.DeleteInstanceRequest(instance_id=resource, force=True),
        ),
        Kind.DISK: Entry(
            describe=ecs_client.describe_disks_with_options,
            request=ecs.DescribeDisksRequest,
            tag=ecs.DescribeDisksRequestTag,
            ids=lambda resource: {"disk_ids": json.dumps([resource])},
            rows=lambda body: body.disks.disk if body.disks else [],
            id="disk_id",
            name="disk_name",
            delete=ecs_client.delete_disk_with_options,
            delete_request=lambda resource: ecs.DeleteDiskRequest(disk_id=resource),
        ),
        Kind.IMAGE: Entry(
            describe=ecs_client.describe_images_with_options,
            request=ecs.DescribeImagesRequest,
            tag=ecs.DescribeImagesRequestTag,
            ids=lambda resource: {"image_id": resource, "status": EVERY_STATUS},
            rows=lambda body: body.images.image if body.images else [],
            id="image_id",
            name="image_name",
            delete=ecs_client.delete_image_with_options,
            delete_request=lambda resource: ecs.DeleteImageRequest(
                region_id=region, image_id=resource, force=True
            ),
        ),
        Kind.SNAPSHOT: Entry(
            describe=ecs_client.describe_snapshots_with_options,
            request=ecs.DescribeSnapshotsRequest,
            tag=ecs.DescribeSnapshotsRequestTag,
            ids=lambda resource: {"snapshot_ids": json.dumps([resource])},
            rows=lambda body: body.snapshots.snapshot if body.snapshots else [],
            id="snapshot_id",
            name="snapshot_name",
            delete=ecs_client.delete_snapshot_with_options,
            delete_request=lambda resource: ecs.DeleteSnapshotRequest(snapshot_id=resource),
        ),
        Kind.SECURITY_GROUP: Entry(
            describe=ecs_client.describe_security_groups_with_options,
            request=ecs.DescribeSecurityGroupsRequest,
            tag=ecs.DescribeSecurityGroupsRequestTag,
            ids=lambda resource: {"security_group_ids": json.dumps([resource])},
            rows=lambda body: body.security_groups.security_group if body.security_groups else [],
            id="security_group_id",
            name="security_group_name",
            delete=ecs_client.delete_security_group_with_options,
            delete_request=lambda resource: ecs.DeleteSecurityGroupRequest(
                region_id=region, security_group_id=resource
            ),
        ),
        Kind.VSWITCH: Entry(
            describe=vpc_client.describe_vswitches_with_options,
            request=vpc.DescribeVSwitchesRequest,
            tag=vpc.DescribeVSwitchesRequestTag,
            ids=lambda resource: {"v_switch_id": resource},
            rows=lambda body: body.v_switches.v_switch if body.v_switches else [],
            id="v_switch_id",
            name="v_switch_name",
            delete=vpc_client.delete_vswitch_with_options,
            delete_request=lambda resource: vpc.DeleteVSwitchRequest(region_id=region, v_switch_id=resource),
        ),
        Kind.VPC: Entry(
            describe=vpc_client.describe_vpcs_with_options,
            request=vpc.DescribeVpcsRequest,
            tag=vpc.DescribeVpcsRequestTag,
            ids=lambda resource: {"vpc_id": resource},
            rows=lambda body: body.vpcs.vpc if body.vpcs else [],
            id="vpc_id",
            name="vpc_name",
            delete=vpc_client.delete_vpc_with_options,
            delete_request=lambda resource: vpc.DeleteVpcRequest(region_id=region, vpc_id=resource),
        ),
    }
