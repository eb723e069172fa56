"""A real machine goes into the other zone of the local cloud: it boots there with what was on its disks."""

from pathlib import Path

import pytest
from alibabacloud_smc20190601 import models
from demo import sample
from demo.center import Center, free_port
from demo.ssh import Shell
from demo.stages import Failed
from tests.machines.test_migration import BOOT_SECONDS, Sdk, wait

from smc.cloud.driver import TAG_FORWARD, TAG_JOB, DiskSpec, Instance, InstanceSpec, Kind, Power
from smc.cloud.ecs.driver import EcsDriver

pytestmark = pytest.mark.machines

MARK = "written in the first zone"
OWNED = {"owner": "shop"}
PROVISION = """#!/bin/sh
set -eu
mkdir -p /root/.ssh
echo '@KEY@' > /root/.ssh/authorized_keys
echo '@MARK@' > /root/mark
for disk in /dev/vd?; do
    [ "$(blockdev --getsize64 $disk)" = 1073741824 ] || continue
    mkfs.ext4 -q -L shop "$disk"
    mount "$disk" /mnt
    echo '@MARK@' > /mnt/mark
    umount /mnt
done
sync
touch /root/ready
"""
MARKS = "test -e /root/ready && cat /root/mark && mount -L shop /mnt && cat /mnt/mark; umount /mnt"


class Shop:
    """A small server of somebody's in the first zone, and a vSwitch of its VPC in the second."""

    def __init__(self, driver: EcsDriver, key: Path) -> None:
        self.driver = driver
        self.shell = Shell(port=free_port(), key=key)
        vpc = driver.create_vpc("shop", "10.8.0.0/16", OWNED, "vpc")
        near, self.far = (
            driver.create_vswitch(vpc, zone, "shop", f"10.8.{number}.0/24", OWNED, zone)
            for number, zone in enumerate(driver.zones())
        )
        self.group = driver.create_security_group(vpc, "shop", OWNED, "group")
        driver.admit(self.group, 22, "127.0.0.1/32")
        script = PROVISION.replace("@KEY@", key.with_suffix(".pub").read_text().strip())
        spec = InstanceSpec(
            name="shop",
            zone="local-a",
            vswitch=near,
            security_group=self.group,
            instance_type="ecs.l1.medium",
            host_name="shop",
            user_data=script.replace("@MARK@", MARK),
            data_disks=(DiskSpec(name="shop-data", size_gib=1),),
        )
        self.id = driver.launch(spec, OWNED | {f"{TAG_FORWARD}22": str(self.shell.port)}, "instance")

    def seen(self, instance: str) -> Instance:
        found = self.driver.instance(instance)
        assert found
        return found

    def has_its_marks(self) -> bool:
        """By the port that both instances forward, one after the other."""
        try:
            return self.shell.run(MARKS, timeout=60).split("\n")[:2] == [MARK, MARK]
        except Failed as e:
            print(e)
            return False

    def things(self) -> set[str]:
        return {found.id for found in self.driver.find(OWNED)}


def test_an_instance_boots_in_the_other_zone_with_what_was_on_its_disks(center: Center) -> None:
    shop = Shop(center.driver(), sample.build().key)
    wait(shop.has_its_marks, "the instance in its own zone", BOOT_SECONDS)
    before, system = shop.things(), shop.driver.disks(shop.id)[0].id
    sdk = Sdk(center)
    asked = models.CreateCrossZoneMigrationJobRequest(
        region_id="local", instance_id=shop.id, target_zone_id="local-b", target_vswitch_id=shop.far
    )
    job = sdk.client.create_cross_zone_migration_job(asked).body.job_id
    sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    wait(lambda: sdk.job(job).progress > 4, "the disks are saved")
    center.kill()
    center.start()
    wait(lambda: sdk.job(job).status == "Finished", "the job", BOOT_SECONDS)

    told = sdk.ours("DescribeReplicationJobs", JobId=[job])["ReplicationJobs"]["ReplicationJob"][0]
    new = shop.seen(told["DeliveredInstanceId"])
    assert (new.zone, new.vswitch, new.name, new.host_name) == ("local-b", shop.far, "shop", "shop")
    wait(shop.has_its_marks, "the instance in the other zone", BOOT_SECONDS)
    assert shop.shell.run("hostname", timeout=60).strip() != "", "it is a system that works"
    old = shop.seen(shop.id)
    assert (old.zone, old.power) == ("local-a", Power.STOPPED)
    assert shop.driver.disks(old.id)[0].id == system
    there = {new.id, *(disk.id for disk in shop.driver.disks(new.id))}
    assert shop.things() == before | there
    assert {found.id for found in shop.driver.find({TAG_JOB: job})} == there, "nothing temporary is left"
    kinds = {found.kind for found in shop.driver.find({})}
    assert not kinds & {Kind.SNAPSHOT}
