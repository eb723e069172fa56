"""A machine through the official ECS SDK: it boots, answers, stops, becomes an image, and the image boots."""

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient

from smc.localcloud import app, appliance
from smc.localcloud.catalogue import SystemImage
from smc.localcloud.hypervisor import Qemu
from smc.localcloud.machine import Accelerator
from smc.localcloud.main import running
from smc.localcloud.things import Instance
from smc.rpc.dispatch import application
from smc.rpc.serving import serving

pytestmark = pytest.mark.machines

BOOT_SECONDS = 240.0  # 25 s on an idle machine under emulation
STOP_SECONDS = 200.0
GUEST_PORT = 22
MARK = "user data was here"
USER_DATA = f"#!/bin/sh\necho '{MARK}' > /etc/mark\necho '{MARK}' > /dev/console\nsync\n"


def eventually(condition: Callable[[], bool], limit: float) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.5)


class Region:
    """One zone of the local cloud, as its SDKs reach it."""

    def __init__(self, port: int) -> None:
        config = Config(
            access_key_id="AK", access_key_secret="secret", endpoint=f"127.0.0.1:{port}", protocol="HTTP"
        )
        self.ecs, self.vpc = EcsClient(config), VpcClient(config)
        network = self.vpc.create_vpc(vpc_models.CreateVpcRequest(region_id="local")).body.vpc_id
        self.vswitch = self.vpc.create_vswitch(
            vpc_models.CreateVSwitchRequest(
                region_id="local", zone_id="local-a", vpc_id=network, cidr_block="172.16.7.0/24"
            )
        ).body.v_switch_id
        self.group = self.ecs.create_security_group(
            models.CreateSecurityGroupRequest(region_id="local", vpc_id=network)
        ).body.security_group_id

    def run(self, image: str, port: int, user_data: str = "") -> str:
        answer = self.ecs.run_instances(
            models.RunInstancesRequest(
                region_id="local",
                image_id=image,
                instance_type="ecs.l1.small",
                v_switch_id=self.vswitch,
                security_group_id=self.group,
                internet_max_bandwidth_out=10,
                user_data=base64.b64encode(user_data.encode()).decode(),
                tag=[models.RunInstancesRequestTag(key=f"smc:forward:{GUEST_PORT}", value=str(port))],
            )
        )
        return str(answer.body.instance_id_sets.instance_id_set[0])

    def status(self, name: str) -> str:
        request = models.DescribeInstancesRequest(region_id="local", instance_ids=json.dumps([name]))
        found = self.ecs.describe_instances(request).body.instances.instance
        return found[0].status if found else "gone"

    def console(self, name: str) -> str:
        request = models.GetInstanceConsoleOutputRequest(region_id="local", instance_id=name)
        text = self.ecs.get_instance_console_output(request).body.console_output
        return base64.b64decode(text).decode(errors="replace")

    def remove(self, name: str) -> None:
        self.ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name, force=True))
        eventually(lambda: self.status(name) == "gone", 30)


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    image = SystemImage(name="intermediate", files=(appliance.build().disk("system"),), platform="Debian")
    folder, runtime = tmp_path / "cloud", Path("/tmp") / f"smc-test-{time.monotonic_ns():x}"
    hypervisor = Qemu(lambda: Accelerator.TCG)
    with (
        running(folder, hypervisor, images=[image], runtime=runtime) as cloud,
        serving(application(app.service(cloud, {"AK": "secret"}.get))) as port,
    ):
        try:
            yield Region(port)
        finally:
            for instance in cloud.store.all(Instance):
                if instance.process:
                    hypervisor.kill(instance.process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def banner(port: int) -> bytes:
    """What the guest's sshd says first; b"" while it says nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(64)
    except OSError:
        return b""


def only(items: Any) -> Any:  # Any: models of the SDK
    (item,) = items
    return item


def test_an_instance_boots_becomes_an_image_and_that_boots_too(region: Region) -> None:
    ecs = region.ecs
    public = ecs.describe_images(models.DescribeImagesRequest(region_id="local", image_owner_alias="system"))
    first_port = free_port()
    first = region.run(only(public.body.images.image).image_id, first_port, USER_DATA)
    eventually(lambda: region.status(first) == "Running", 30)
    assert banner(first_port) == b"", "no rule opens the port yet"
    ecs.authorize_security_group(
        models.AuthorizeSecurityGroupRequest(
            region_id="local",
            security_group_id=region.group,
            permissions=[
                models.AuthorizeSecurityGroupRequestPermissions(
                    ip_protocol="tcp", port_range="22/22", source_cidr_ip="127.0.0.1/32"
                )
            ],
        )
    )
    eventually(lambda: banner(first_port).startswith(b"SSH-2.0-"), BOOT_SECONDS)
    eventually(lambda: "login:" in region.console(first), BOOT_SECONDS)
    eventually(lambda: MARK in region.console(first), BOOT_SECONDS)
    screen = ecs.get_instance_screenshot(
        models.GetInstanceScreenshotRequest(region_id="local", instance_id=first)
    )
    assert base64.b64decode(screen.body.screenshot).startswith(b"\xff\xd8\xff")

    ecs.stop_instance(models.StopInstanceRequest(instance_id=first))
    eventually(lambda: region.status(first) == "Stopped", STOP_SECONDS)
    disks = ecs.describe_disks(models.DescribeDisksRequest(region_id="local", instance_id=first)).body.disks
    snapshot = ecs.create_snapshot(
        models.CreateSnapshotRequest(disk_id=only(disks.disk).disk_id)
    ).body.snapshot_id

    def ready() -> bool:
        request = models.DescribeSnapshotsRequest(region_id="local", snapshot_ids=json.dumps([snapshot]))
        return bool(only(ecs.describe_snapshots(request).body.snapshots.snapshot).status == "accomplished")

    eventually(ready, 60)
    image = ecs.create_image(
        models.CreateImageRequest(
            region_id="local",
            image_name="copy",
            platform="Debian",
            architecture="x86_64",
            boot_mode="BIOS",
            disk_device_mapping=[
                models.CreateImageRequestDiskDeviceMapping(snapshot_id=snapshot, disk_type="system")
            ],
        )
    ).body.image_id

    def available() -> bool:
        request = models.DescribeImagesRequest(region_id="local", image_id=image)
        return bool(ecs.describe_images(request).body.images.image)

    eventually(available, 60)
    region.remove(first)
    second_port = free_port()
    second = region.run(image, second_port)
    eventually(lambda: banner(second_port).startswith(b"SSH-2.0-"), BOOT_SECONDS)
    assert MARK not in region.console(second), "without user data nothing is run again"
    region.remove(second)
