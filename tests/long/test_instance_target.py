"""A server moved onto a running instance of the local cloud, by the official SDK alone; first in vain.

The first job is deleted while data flows: the instance boots its own system again. The second one delivers.
"""

from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from darabonba.exceptions import DaraException
from demo import judge_boot, sample
from demo.center import Center, free_port
from demo.ssh import Shell
from demo.stages import Failed
from tests.machines.test_migration import (
    BOOT_SECONDS,
    ENOUGH,
    Sdk,
    finish,
    has_moved,
    import_source,
    wait,
)

from smc.cloud.driver import TAG_FORWARD, TAG_JOB, DiskSpec, Instance, InstanceSpec
from smc.cloud.ecs.driver import EcsDriver

pytestmark = pytest.mark.machines

MARK = "written before any job"
OWNED = {"owner": "shop"}
STAYS = ("id", "mac", "public_address", "private_address", "security_groups", "vswitch", "instance_type")
PROVISION = """#!/bin/sh
set -eu
mkdir -p /root/.ssh
echo '@KEY@' > /root/.ssh/authorized_keys
for disk in /dev/vd?; do
    [ "$(blockdev --getsize64 $disk)" = 3221225472 ] || continue
    mkfs.ext4 -q -L shop "$disk"
    mount "$disk" /mnt
    echo '@MARK@' > /mnt/mark
    umount /mnt
done
"""


class Target:
    """A small server of somebody's, running in the cloud that is the destination."""

    def __init__(self, driver: EcsDriver, key: Path) -> None:
        self.driver = driver
        self.ssh_port, self.web_port = free_port(), free_port()
        self.shell = Shell(port=self.ssh_port, key=key)
        vpc = driver.create_vpc("shop", "10.8.0.0/16", OWNED, "shop-vpc")
        vswitch = driver.create_vswitch(vpc, "local-a", "shop", "10.8.1.0/24", OWNED, "shop-vswitch")
        group = driver.create_security_group(vpc, "shop", OWNED, "shop-group")
        for port in (22, 80):
            driver.admit(group, port, "127.0.0.1/32")
        script = PROVISION.replace("@KEY@", key.with_suffix(".pub").read_text().strip())
        spec = InstanceSpec(
            name="shop",
            zone="local-a",
            vswitch=vswitch,
            security_group=group,
            instance_type="ecs.l1.medium",
            user_data=script.replace("@MARK@", MARK),
            data_disks=(DiskSpec(name="shop-data", size_gib=3), DiskSpec(name="shop-more", size_gib=1)),
        )
        forwards = {f"{TAG_FORWARD}22": str(self.ssh_port), f"{TAG_FORWARD}80": str(self.web_port)}
        self.id = driver.launch(spec, OWNED | forwards, "shop-instance")

    @property
    def seen(self) -> Instance:
        found = self.driver.instance(self.id)
        assert found
        return found

    def place(self) -> dict[str, Any]:
        """What has to be the same afterwards."""
        data = [(disk.id, disk.serial, disk.size_gib) for disk in self.driver.disks(self.id)[1:]]
        return {**{what: getattr(self.seen, what) for what in STAYS}, "data disks": data}

    def is_itself(self) -> bool:
        """Whether its own system runs, with what was on its data disk."""
        try:
            return (
                self.shell.run("mount -L shop /mnt && cat /mnt/mark; umount /mnt", timeout=60).strip() == MARK
            )
        except Failed as e:
            print(e)
            return False


def test_an_instance_comes_back_from_a_deleted_job_and_becomes_the_source_by_the_next(
    center: Center, source: sample.Source
) -> None:
    key = sample.build().key
    target = Target(center.driver(), key)
    shell = Shell(port=source.ssh_port, key=key)
    source.wait_ready(shell, BOOT_SECONDS)
    original, page = judge_boot.facts(shell), judge_boot.page(source.web_port)
    sdk = Sdk(center)
    source_id = import_source(sdk, shell)
    wait(target.is_itself, "the target's own system", BOOT_SECONDS)
    before, system = target.place(), target.driver.disks(target.id)[0].id
    eligible = sdk.ours("DescribeTargetInstances", RegionId="local", SourceId=source_id)
    (row,) = eligible["TargetInstances"]["TargetInstance"]
    assert (row["InstanceId"], row["Eligible"]) == (target.id, True)

    with pytest.raises(DaraException, match="erases") as refused:
        sdk.client.create_replication_job(
            models.CreateReplicationJobRequest(
                region_id="local", source_id=source_id, target_type="TargetInstance", instance_id=target.id
            )
        )
    assert refused.value.code == "ConfirmErase.Missing"
    assert system in refused.value.message

    job = create(sdk, source_id, target.id)
    sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    wait(lambda: has_moved(sdk, job, ENOUGH), "data flows")
    assert sdk.job(job).transition_instance_id == target.id
    sdk.client.stop_replication_job(models.StopReplicationJobRequest(job_id=job))
    wait(lambda: sdk.job(job).status == "Stopped", "the job stops")
    sdk.client.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
    wait(lambda: not jobs(sdk), "the job is gone")
    assert target.place() == before
    assert target.driver.find({TAG_JOB: job}) == []
    wait(target.is_itself, "the target's own system again", BOOT_SECONDS)

    job = create(sdk, source_id, target.id)
    sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    finish(sdk, job)
    assert target.place() == before
    assert target.driver.disks(target.id)[0].id != system
    assert target.driver.find({TAG_JOB: job}) == []
    wait(lambda: judge_boot.banner(target.ssh_port).startswith("SSH-2.0"), "sshd of the copy", BOOT_SECONDS)
    wait(lambda: judge_boot.page(target.web_port) == page, "the web page of the copy", BOOT_SECONDS)
    judge_boot.same_machine(original, judge_boot.facts(target.shell))
    judge_boot.without_agent(target.shell)
    assert len(sdk.sources()) == 1, "the copy sends no heartbeat"


def create(sdk: Sdk, source: str, target: str) -> str:
    made = sdk.ours(
        "CreateReplicationJob",
        RegionId="local",
        SourceId=source,
        TargetType="TargetInstance",
        InstanceId=target,
        ConfirmErase=target,
    )
    return str(made["JobId"])


def jobs(sdk: Sdk) -> list[Any]:
    request = models.DescribeReplicationJobsRequest()
    return list(sdk.client.describe_replication_jobs(request).body.replication_jobs.replication_job)
