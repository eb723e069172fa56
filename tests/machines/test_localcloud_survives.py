"""The local cloud's program is killed with -9 and started again: its machines ran on and are its own again.

The machines have empty disks, so only their firmware runs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient

from smc.localcloud.main import runtime_folder

pytestmark = pytest.mark.machines

PROGRAM = """
import sys
from pathlib import Path
from smc.localcloud.catalogue import SystemImage
from smc.localcloud.machine import Accelerator
from smc.localcloud.main import serve
folder, disk, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
image = SystemImage(name="empty", files=(disk,), platform="Debian")
serve(folder, "127.0.0.1", port, {"AK": "secret"}, lambda: Accelerator.TCG, images=[image])
"""


class Program:
    """The cloud as a process of its own."""

    def __init__(self, folder: Path, disk: Path) -> None:
        self.folder = folder
        self._disk = disk
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.start()
        config = Config(
            access_key_id="AK",
            access_key_secret="secret",
            endpoint=f"127.0.0.1:{self.port}",
            protocol="HTTP",
        )
        self.ecs, self.vpc = EcsClient(config), VpcClient(config)

    def start(self) -> None:
        words = [sys.executable, "-c", PROGRAM, self.folder, self._disk, self.port]
        self.process = subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL)
        eventually(self._serves, 30)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _serves(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def launch(self) -> str:
        network = self.vpc.create_vpc(vpc_models.CreateVpcRequest(region_id="local")).body.vpc_id
        vswitch = self.vpc.create_vswitch(
            vpc_models.CreateVSwitchRequest(
                region_id="local", zone_id="local-a", vpc_id=network, cidr_block="172.16.7.0/24"
            )
        ).body.v_switch_id
        group = self.ecs.create_security_group(
            models.CreateSecurityGroupRequest(region_id="local", vpc_id=network)
        ).body.security_group_id
        image = self.ecs.describe_images(models.DescribeImagesRequest(region_id="local")).body.images.image[0]
        answer = self.ecs.run_instances(
            models.RunInstancesRequest(
                region_id="local",
                image_id=image.image_id,
                instance_type="ecs.l1.small",
                v_switch_id=vswitch,
                security_group_id=group,
            )
        )
        return str(answer.body.instance_id_sets.instance_id_set[0])

    def status(self, name: str) -> str:
        request = models.DescribeInstancesRequest(region_id="local", instance_ids=json.dumps([name]))
        found = self.ecs.describe_instances(request).body.instances.instance
        return found[0].status if found else "gone"

    def machines(self, name: str) -> list[int]:
        """The processes that run this instance."""
        wanted = f"unix:{runtime_folder(self.folder) / name}.qmp,".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and wanted in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Program]:
    disk = tmp_path / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1G"], check=True)
    program = Program(tmp_path / "cloud", disk)
    yield program
    program.kill()
    for monitor in runtime_folder(program.folder).glob("*.qmp"):
        for pid in program.machines(monitor.stem):
            os.kill(pid, signal.SIGKILL)
        monitor.unlink()
    runtime_folder(program.folder).rmdir()


def eventually(condition: Callable[[], bool], limit: float) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.05)


def test_a_running_machine_is_found_again_and_can_be_ended(cloud: Program) -> None:
    name = cloud.launch()
    eventually(lambda: cloud.status(name) == "Running", 30)
    before = cloud.machines(name)
    cloud.kill()
    assert cloud.machines(name) == before
    cloud.start()
    assert cloud.status(name) == "Running"
    assert cloud.machines(name) == before
    cloud.ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name, force=True))
    eventually(lambda: cloud.status(name) == "gone", 30)
    assert cloud.machines(name) == []


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1, 0.3])
def test_a_kill_while_it_starts_makes_no_second_machine(cloud: Program, after: float) -> None:
    name = cloud.launch()
    time.sleep(after)  # the moments are the subject
    cloud.kill()
    cloud.start()
    eventually(lambda: cloud.status(name) == "Running", 30)
    assert len(cloud.machines(name)) == 1


def test_a_machine_that_ended_while_the_cloud_was_dead_is_stopped(cloud: Program) -> None:
    name = cloud.launch()
    eventually(lambda: cloud.status(name) == "Running", 30)
    cloud.kill()
    (pid,) = cloud.machines(name)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: cloud.machines(name) == [], 10)
    cloud.start()
    eventually(lambda: cloud.status(name) == "Stopped", 10)
