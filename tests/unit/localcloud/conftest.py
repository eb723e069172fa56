"""A cloud on loopback with a fake hypervisor, driven by the official SDKs."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from tests.unit.localcloud.fake_qemu_img import FakeQemuImg

from smc.base.run import Run
from smc.localcloud import app
from smc.localcloud.catalogue import SystemImage, register
from smc.localcloud.cloud import Cloud
from smc.localcloud.layers import Layers
from smc.localcloud.memory import FakeHypervisor
from smc.localcloud.power import Power
from smc.localcloud.storage import Storage
from smc.localcloud.store import Store
from smc.rpc.dispatch import application
from smc.rpc.serving import serving

KEYS = {"AK": "secret"}


class World:
    """The cloud, what it stands on, and the SDK's clients. Work is done when a test says `work()`."""

    def __init__(self, folder: Path, run: Run | None = None) -> None:
        self.folder = folder
        self.hypervisor = FakeHypervisor()
        self.qemu_img = FakeQemuImg()
        self.run: Run = run or self.qemu_img
        self.seeds: dict[str, bytes] = {}
        self.clock = 1795341600.0
        self.cloud = self._open()
        self.storage, self.power = Storage(self.cloud), Power(self.cloud)

    def _open(self) -> Cloud:
        layers = Layers(self.folder, run=self.run)
        layers.forget_unfinished()
        return Cloud(
            folder=self.folder,
            runtime=self.folder / "run",
            store=Store(self.folder / "cloud.db"),
            layers=layers,
            hypervisor=self.hypervisor,
            make_seed=self._make_seed,
            now=lambda: self.clock,
        )

    def _make_seed(self, path: Path, instance_id: str, hostname: str, user_data: bytes) -> None:
        path.write_bytes(user_data)
        self.seeds[instance_id] = user_data

    def restart(self) -> None:
        """The cloud's process was killed; a new one opens the same folder."""
        self.cloud.store.close()
        self.cloud = self._open()
        self.storage, self.power = Storage(self.cloud), Power(self.cloud)

    def work(self, steps: int = 4) -> None:
        for _ in range(steps):
            self.storage.step()
            self.power.step()

    def register(self, name: str = "debian", count: int = 1) -> str:
        files = []
        for index in range(count):
            path = self.folder.parent / f"{name}-{index}.qcow2"
            if not path.exists():
                path.write_text(f"{name} {index}")
            files.append(path)
        image = SystemImage(name=name, files=tuple(files), platform="Debian")
        return register(self.cloud.store, self.cloud.layers, image, self.clock, run=self.run)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "cloud")
    yield world
    world.cloud.store.close()


@pytest.fixture
def port(world: World) -> Iterator[int]:
    # the SDK dates its requests by the real clock, the cloud under test by its own
    service = app.service(world.cloud, KEYS.get)
    with serving(application(type(service)(service.versions, KEYS.get, service.statuses))) as port:
        yield port


def config(port: int) -> Config:
    return Config(
        access_key_id="AK", access_key_secret="secret", endpoint=f"127.0.0.1:{port}", protocol="HTTP"
    )


@pytest.fixture
def ecs(port: int) -> EcsClient:
    return EcsClient(config(port))


@pytest.fixture
def vpc(port: int) -> VpcClient:
    return VpcClient(config(port))


Launch = Callable[..., str]


@pytest.fixture
def network(vpc: VpcClient, ecs: EcsClient) -> tuple[str, str, str]:
    """A VPC, a vSwitch, a security group."""
    made = vpc.create_vpc(
        vpc_models.CreateVpcRequest(region_id="local", vpc_name="v", cidr_block="10.0.0.0/8")
    ).body.vpc_id
    switch = vpc.create_vswitch(
        vpc_models.CreateVSwitchRequest(
            region_id="local", zone_id="local-a", vpc_id=made, cidr_block="10.1.2.0/24"
        )
    ).body.v_switch_id
    group = ecs.create_security_group(
        ecs_models.CreateSecurityGroupRequest(region_id="local", vpc_id=made, security_group_name="g")
    ).body.security_group_id
    return made, switch, group


@pytest.fixture
def launch(world: World, ecs: EcsClient, network: tuple[str, str, str]) -> Launch:
    """Run an instance with the given parameters of the SDK; it is Pending until `world.work()`."""

    def run(**more: Any) -> str:  # Any: fields of the SDK's request
        _, switch, group = network
        values = {
            "region_id": "local",
            "image_id": more.pop("image_id", "") or world.register(),
            "instance_type": "ecs.l1.medium",
            "v_switch_id": switch,
            "security_group_id": group,
            "internet_max_bandwidth_out": 10,
        }
        answer = ecs.run_instances(ecs_models.RunInstancesRequest(**values | more))
        return str(answer.body.instance_id_sets.instance_id_set[0])

    return run


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
