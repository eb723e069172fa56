"""A server becomes an image with LVM, which boots from its logical volume: from partitions, from LVM."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from demo import judge_boot
from demo.center import Center, free_port
from demo.ssh import Shell
from tests.machines.test_migration import BOOT_SECONDS, Sdk, finish, import_source, wait
from tests.matrix import source
from tests.matrix.builder import build
from tests.matrix.migrate import WHO, wait_for_login
from tests.matrix.rows import rows

from smc.model.report import Level

pytestmark = pytest.mark.machines

PLAIN = {
    "suite": "bookworm",
    "start": "bios-grub",
    "root": "ext4",
    "boot": "separate",
    "fstab": "uuid",
    "network": "networkd",
    "bus": "virtio",
    "with": "lvm2",
}
OLDER = "bullseye-uefi-grub-lvm-separate-path-netplan-nvme"  # its initramfs switches on only what it is told
ROWS = {"bookworm-bios-ext4-lvm2": PLAIN, OLDER: rows()[OLDER]}


@pytest.mark.parametrize("name", list(ROWS))
def test_a_root_comes_on_a_logical_volume_of_the_new_disk_and_boots_from_it(
    name: str, center: Center, tmp_path: Path
) -> None:
    row = ROWS[name]
    built = build(row, name)
    sdk = Sdk(center)
    with ExitStack() as undo:
        folder = tmp_path / "machine"
        shell = undo.enter_context(source.running(row, built, folder))
        wait_for_login(shell, folder / "serial.log", "the source")
        who = shell.run(WHO, timeout=60)
        assert shell.run("findmnt -n -o SOURCE /", timeout=60).strip() != "/dev/mapper/vg0-lv1"
        source_id = import_source(sdk, shell)
        made = sdk.ours(
            "CreateReplicationJob",
            RegionId="local",
            SourceId=source_id,
            ImageName="lvm-test",
            ReplicationParameters='{"compress_level":0}',  # the line is this machine's own
            Disks={"System": {"Size": 20, "LVM": True}},
        )
        assert any("has the volume group vg0: / on lv1" in warning for warning in made["Warnings"])
        job = made["JobId"]
        sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
        finish(sdk, job)
        assert sdk.job(job).disks.system.lvm is True
        judge_report(sdk.ours("DescribeReports", JobId=job)["Reports"]["Report"][0])

    port = free_port()
    image = sdk.job(job).image_id
    copy = sdk.ours("CreateInstanceFromImage", ImageId=image, OpenPort=[f"22={port}"])["InstanceId"]
    wait(lambda: judge_boot.banner(port).startswith("SSH-2.0"), "sshd of the copy", BOOT_SECONDS)
    inside = Shell(port=port, key=built.key)
    wait(inside.answers, "a login on the copy", BOOT_SECONDS)
    assert inside.run(WHO, timeout=60) == who
    assert inside.run("findmnt -n -o SOURCE /", timeout=60).strip() == "/dev/mapper/vg0-lv1"
    assert inside.run("findmnt -n -o SOURCE /boot", timeout=60).strip().startswith("/dev/vda")
    listed = inside.run("lvs --noheadings -o vg_name,lv_name,segtype", timeout=60).split()
    assert listed == ["vg0", "lv1", "linear"]
    assert "root=/dev/mapper/vg0-lv1" in inside.run("cat /proc/cmdline", timeout=60)
    inside.run("update-grub", timeout=600)
    told = inside.run("grep -c root=/dev/mapper/vg0-lv1 /boot/grub/grub.cfg", timeout=60)
    assert int(told) > 0, "its next kernel starts from there as well"
    sdk.ours("DeleteInstanceFromImage", InstanceId=copy)


def judge_report(report: Any) -> None:  # Any: JSON of the report
    critical = [check for check in report["checks"] if check["level"] == Level.CRITICAL.value]
    assert not critical
    assert any("vg0" in sentence for sentence in report["differs"])
