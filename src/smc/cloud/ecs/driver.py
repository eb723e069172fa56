"""The Driver over the vendor's ECS and VPC SDKs; the same for the real cloud and for the local one."""

import base64
import socket
from collections.abc import Sequence
from typing import Any

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_vpc20160428 import models as vpc

from smc.base.errors import Transient, UserError
from smc.cloud.driver import (
    TAG_FORWARD,
    TAG_IMAGE,
    CloudDisk,
    Image,
    ImageSpec,
    Instance,
    InstanceSpec,
    Kind,
    Power,
    Resource,
    Snapshot,
    Tags,
)
from smc.cloud.ecs import rows
from smc.cloud.ecs.alterations import EcsAlterations
from smc.cloud.ecs.calls import Calls, EcsAccess
from smc.cloud.ecs.catalogue import EcsCatalogue
from smc.cloud.ecs.exports import EcsExports
from smc.cloud.ecs.inventory import EVERY_STATUS, Inventory
from smc.cloud.ecs.launch import Launcher
from smc.cloud.ecs.stock import Stock
from smc.model.server import Firmware

PORT = 8703
LOCAL_PORTS = range(18700, 18800)
PLATFORMS = {  # of CreateImage, where it is not what model.server.platform says
    "Alibaba Cloud Linux": "Aliyun",
    "Oracle Linux": "Others Linux",
    "Amazon Linux": "Others Linux",
    "Gentoo": "Others Linux",
}
BOOT_MODES = {Firmware.BIOS: "BIOS", Firmware.UEFI: "UEFI"}


class EcsDriver:
    """`Driver`. `ports` are those a receiver may listen on: one in ECS, free ones of this host locally."""

    def __init__(
        self, access: EcsAccess, *, ports: range = range(PORT, PORT + 1), resource_group: str = ""
    ) -> None:
        self._access, self._ports, self._group = access, ports, resource_group or None
        self._calls = Calls(access)
        self._inventory = Inventory(self._calls)
        self._stock = Stock(self._calls)
        self._launcher = Launcher(self._calls, self._inventory, self._stock, resource_group)
        self._region = access.region
        self.catalogue = EcsCatalogue(self._inventory, self._stock)
        self.alterations = EcsAlterations(self._calls, self._inventory, resource_group)
        self.exports = EcsExports(self._calls)

    def grouped(self, resource_group: str) -> "EcsDriver":
        if resource_group == (self._group or ""):
            return self
        return EcsDriver(self._access, ports=self._ports, resource_group=resource_group)

    def zones(self) -> Sequence[str]:
        return self._stock.zones()

    def create_vpc(self, name: str, cidr: str, tags: Tags, token: str) -> str:
        request = vpc.CreateVpcRequest(
            resource_group_id=self._group,
            region_id=self._region,
            vpc_name=name,
            cidr_block=cidr,
            tag=rows.tags(vpc.CreateVpcRequestTag, tags),
            client_token=token,
        )
        return str(self._calls.ask(self._calls.vpc.create_vpc_with_options, request).vpc_id)

    def vpc_ready(self, vpc: str) -> bool:
        return bool(self._known(Kind.VPC, vpc, "InvalidVpcId.NotFound").status == "Available")

    def create_vswitch(self, vpc_id: str, zone: str, name: str, cidr: str, tags: Tags, token: str) -> str:
        request = vpc.CreateVSwitchRequest(
            region_id=self._region,
            vpc_id=vpc_id,
            zone_id=zone,
            v_switch_name=name,
            cidr_block=cidr,
            tag=rows.tags(vpc.CreateVSwitchRequestTag, tags),
            client_token=token,
        )
        return str(self._calls.ask(self._calls.vpc.create_vswitch_with_options, request).v_switch_id)

    def vswitch_ready(self, vswitch: str) -> bool:
        return bool(self._known(Kind.VSWITCH, vswitch, "InvalidVSwitchId.NotFound").status == "Available")

    def vpc_of(self, vswitch: str) -> str:
        return str(self._known(Kind.VSWITCH, vswitch, "InvalidVSwitchId.NotFound").vpc_id)

    def create_security_group(self, vpc_id: str, name: str, tags: Tags, token: str) -> str:
        request = ecs.CreateSecurityGroupRequest(
            resource_group_id=self._group,
            region_id=self._region,
            vpc_id=vpc_id,
            security_group_name=name,
            tag=rows.tags(ecs.CreateSecurityGroupRequestTag, tags),
            client_token=token,
        )
        body = self._calls.ask(self._calls.ecs.create_security_group_with_options, request)
        return str(body.security_group_id)

    def admit(self, group: str, port: int, cidr: str) -> None:
        """The cloud leaves out a rule that is there already."""
        source = {"ipv_6source_cidr_ip": cidr} if ":" in cidr else {"source_cidr_ip": cidr}
        rule = ecs.AuthorizeSecurityGroupRequestPermissions(
            ip_protocol="TCP", port_range=f"{port}/{port}", policy="accept", priority="1", **source
        )
        request = ecs.AuthorizeSecurityGroupRequest(
            region_id=self._region, security_group_id=group, permissions=[rule]
        )
        self._calls.ask(self._calls.ecs.authorize_security_group_with_options, request)

    def launch(self, spec: InstanceSpec, tags: Tags, token: str) -> str:
        return self._launcher.launch(spec, tags, token)

    def instance(self, instance: str) -> Instance | None:
        row = self._inventory.row(Kind.INSTANCE, instance)
        return None if row is None else rows.instance(row)

    def instances(self) -> Sequence[Instance]:
        return [rows.instance(row) for row in self._inventory.rows(Kind.INSTANCE)]

    def disks(self, instance: str) -> Sequence[CloudDisk]:
        found = [rows.disk(row) for row in self._inventory.rows(Kind.DISK, instance_id=instance)]
        return sorted(found, key=lambda disk: (not disk.system, disk.name))

    def start(self, instance: str) -> None:
        seen = self.instance(instance)
        if seen is not None and seen.power in (Power.PENDING, Power.STARTING, Power.RUNNING):
            return
        request = ecs.StartInstanceRequest(instance_id=instance)
        self._calls.ask(self._calls.ecs.start_instance_with_options, request)

    def stop(self, instance: str, *, force: bool = False) -> None:
        """It keeps its address while it is stopped."""
        seen = self.instance(instance)
        if seen is None or seen.power is Power.STOPPED or (seen.power is Power.STOPPING and not force):
            return
        request = ecs.StopInstanceRequest(instance_id=instance, force_stop=force, stopped_mode="KeepCharging")
        self._calls.ask_of_gone(self._calls.ecs.stop_instance_with_options, request)

    def create_snapshot(self, disk: str, name: str, tags: Tags, token: str) -> str:
        request = ecs.CreateSnapshotRequest(
            resource_group_id=self._group,
            disk_id=disk,
            snapshot_name=name,
            tag=rows.tags(ecs.CreateSnapshotRequestTag, tags),
            client_token=token,
        )
        return str(self._calls.ask(self._calls.ecs.create_snapshot_with_options, request).snapshot_id)

    def snapshot(self, snapshot: str) -> Snapshot | None:
        row = self._inventory.row(Kind.SNAPSHOT, snapshot)
        return None if row is None else rows.snapshot(row)

    def automatic_snapshots(self, disk: str) -> Sequence[Snapshot]:
        found = self._inventory.rows(Kind.SNAPSHOT, disk_id=disk, snapshot_type="auto")
        return [rows.snapshot(row) for row in found]

    def create_image(self, spec: ImageSpec, tags: Tags, token: str) -> str:
        request = ecs.CreateImageRequest(
            resource_group_id=self._group,
            region_id=self._region,
            image_name=spec.name,
            description=spec.description,
            platform=PLATFORMS.get(spec.platform, spec.platform),
            architecture=spec.architecture.value,
            boot_mode=BOOT_MODES[spec.firmware],
            disk_device_mapping=[
                ecs.CreateImageRequestDiskDeviceMapping(
                    snapshot_id=disk.snapshot, size=disk.size_gib, disk_type="data" if index else "system"
                )
                for index, disk in enumerate(spec.disks)
            ],
            tag=rows.tags(ecs.CreateImageRequestTag, tags),
            client_token=token,
        )
        image = str(self._calls.ask(self._calls.ecs.create_image_with_options, request).image_id)
        self._tag_snapshots([disk.snapshot for disk in spec.disks], image)
        return image

    def image(self, image: str) -> Image | None:
        row = self._inventory.row(Kind.IMAGE, image)
        return None if row is None else rows.image(row)

    def image_named(self, name: str) -> Image | None:
        found = self._inventory.rows(Kind.IMAGE, image_name=name, status=EVERY_STATUS)
        return next((rows.image(row) for row in found if row.image_name == name), None)

    def delete(self, kind: Kind, resource: str) -> None:
        if kind is Kind.IMAGE:
            self._delete_image(resource)
        else:
            self._inventory.delete(kind, resource)

    def exists(self, kind: Kind, resource: str) -> bool:
        return self._inventory.row(kind, resource) is not None

    def find(self, tags: Tags) -> Sequence[Resource]:
        return self._inventory.find(tags)

    def endpoint(self, instance: str, port: int, *, private: bool = False) -> tuple[str, int]:
        seen = self.instance(instance)
        public = seen.public_address if seen and not private else ""
        host = public or (seen.private_address if seen else "")
        if seen is None or not host:
            raise Transient(f"The instance {instance} has no address yet.", code="Instance.NoAddress")
        return host, int(seen.tags.get(f"{TAG_FORWARD}{port}", port))

    def receiver_port(self, taken: Sequence[int]) -> int:
        if len(self._ports) == 1:
            return self._ports[0]
        for port in self._ports:
            if port not in taken and _is_free(port):
                return port
        raise Transient(
            f"All ports from {self._ports[0]} to {self._ports[-1]} are in use.",
            code="Receiver.NoPort",
            hint="Finish or delete jobs that wait.",
        )

    def console_output(self, instance: str) -> str:
        request = ecs.GetInstanceConsoleOutputRequest(region_id=self._region, instance_id=instance)
        body = self._calls.ask(self._calls.ecs.get_instance_console_output_with_options, request)
        return base64.b64decode(body.console_output or "").decode(errors="replace")

    def screenshot(self, instance: str) -> bytes:
        request = ecs.GetInstanceScreenshotRequest(region_id=self._region, instance_id=instance)
        body = self._calls.ask(self._calls.ecs.get_instance_screenshot_with_options, request)
        return base64.b64decode(body.screenshot or "")

    def _known(self, kind: Kind, resource: str, code: str) -> Any:  # Any: a row of the SDK
        row = self._inventory.row(kind, resource)
        if row is None:
            raise UserError(
                f"There is no {kind.value} {resource} in {self._region}.",
                code=code,
                hint="Choose one that exists in the region of the job.",
            )
        return row

    def _tag_snapshots(self, snapshots: Sequence[str], image: str) -> None:
        request = ecs.TagResourcesRequest(
            region_id=self._region,
            resource_type="snapshot",
            resource_id=list(snapshots),
            tag=[ecs.TagResourcesRequestTag(key=TAG_IMAGE, value=image)],
        )
        self._calls.ask(self._calls.ecs.tag_resources_with_options, request)

    def _delete_image(self, image: str) -> None:
        """The snapshots go after it; their tag finds them when the image itself is gone already."""
        row = self._inventory.row(Kind.IMAGE, image)
        snapshots = set(rows.image(row).snapshots) if row is not None else set()
        if snapshots:
            self._tag_snapshots(sorted(snapshots), image)
        self._inventory.delete(Kind.IMAGE, image)
        snapshots |= {
            found.snapshot_id for found in self._inventory.tagged(Kind.SNAPSHOT, {TAG_IMAGE: image})
        }
        for snapshot in sorted(snapshots):
            self._inventory.delete(Kind.SNAPSHOT, snapshot)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
