"""Where the conformance suite works: a network, a group and instances, found again by a job of their own."""

from uuid import uuid4

from tests.conformance.clouds import eventually

from smc.base.errors import Transient
from smc.cloud.driver import (
    TAG_JOB,
    TAG_PURPOSE,
    DiskSpec,
    Driver,
    Image,
    ImageDisk,
    ImageSpec,
    ImageState,
    InstanceSpec,
    Power,
)
from smc.model.server import Architecture, Firmware


class Site:
    """A network, a group and an instance with two data disks, tagged with a job of its own."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.job = f"j-{uuid4().hex[:12]}"
        self.tags = {TAG_JOB: self.job, TAG_PURPOSE: "test"}
        self.zone = driver.zones()[0]
        self.vpc = driver.create_vpc(f"{self.job}-net", "10.99.0.0/16", self.tags, self.token("vpc"))
        eventually(lambda: driver.vpc_ready(self.vpc))
        self.vswitch = driver.create_vswitch(
            self.vpc, self.zone, f"{self.job}-sw", "10.99.1.0/24", self.tags, self.token("vsw")
        )
        eventually(lambda: driver.vswitch_ready(self.vswitch))
        self.group = driver.create_security_group(self.vpc, f"{self.job}-sg", self.tags, self.token("sg"))

    def token(self, purpose: str) -> str:
        return f"{self.job}-{purpose}"

    def spec(self) -> InstanceSpec:
        return InstanceSpec(
            name=f"{self.job}-machine",
            zone=self.zone,
            vswitch=self.vswitch,
            security_group=self.group,
            user_data="#!/bin/sh\ntrue\n",
            data_disks=(
                DiskSpec(name=f"smc-{self.job}-0", size_gib=20),
                DiskSpec(name=f"smc-{self.job}-1", size_gib=1),
            ),
        )

    def launched(self) -> str:
        instance = self.driver.launch(self.spec(), self.tags, self.token("vm"))
        eventually(lambda: self.power(instance) is Power.RUNNING)
        return instance

    def stopped(self) -> str:
        instance = self.launched()
        self.driver.stop(instance)
        eventually(lambda: self.power(instance) is Power.STOPPED)
        return instance

    def power(self, instance: str) -> Power | None:
        found = self.driver.instance(instance)
        return found.power if found else None

    def snapshot(self, disk: str, name: str) -> str:
        snapshot = self.driver.create_snapshot(disk, name, self.tags, self.token(name))

        def ready() -> bool:
            found = self.driver.snapshot(snapshot)
            return found is not None and found.ready

        eventually(ready)
        return snapshot

    def image_spec(self, snapshots: list[str]) -> ImageSpec:
        return ImageSpec(
            name=f"image-{self.job}",
            description="made by a test",
            platform="Debian",
            architecture=Architecture.X86_64,
            firmware=Firmware.BIOS,
            disks=tuple(
                ImageDisk(snapshot=s, size_gib=size) for s, size in zip(snapshots, (20, 1), strict=True)
            ),
        )

    def imaged(self) -> Image:
        instance = self.stopped()
        disks = [disk for disk in self.driver.disks(instance) if not disk.system]
        spec = self.image_spec([self.snapshot(disk.id, disk.name) for disk in disks])
        image = self.driver.create_image(spec, self.tags, self.token("image"))

        def available() -> bool:
            found = self.driver.image(image)
            return found is not None and found.state is ImageState.AVAILABLE

        eventually(available)
        found = self.driver.image(image)
        assert found
        return found

    def clear(self) -> None:
        def gone() -> bool:
            left = self.driver.find(self.tags)
            for resource in left:
                try:
                    self.driver.delete(resource.kind, resource.id)
                except Transient:
                    break
            return not left

        eventually(gone)
