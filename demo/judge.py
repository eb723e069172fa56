"""The comparison before the first boot: an appliance instance with copies of the image's disks, and rsync."""

import time
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from demo.center import free_port
from demo.judge_copy import Difference, Judgement, Remote, compare, judge_differences
from demo.ssh import Shell
from demo.stages import Failed, wait_until
from smc.base.errors import Transient
from smc.cloud.driver import TAG_FORWARD, TAG_PURPOSE, DiskSpec, Driver, InstanceSpec, Kind, Snapshot

SECONDS_TO_BOOT = 180.0
SECONDS_TO_DELETE = 120.0
RANGE, SUBNET = "192.168.0.0/16", "192.168.0.0/24"
KEY_ON_JUDGE = "/root/judge_key"

USER_DATA = """#!/bin/sh
mkdir -p -m 700 /root/.ssh
echo '@PUBLIC@' >> /root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
"""


class Filesystem(msgspec.Struct, frozen=True, kw_only=True):
    mount_point: str
    uuid: str


def compare_before_boot(
    driver: Driver, image: str, source: Shell, named: set[str], moving: set[str], undo: ExitStack
) -> Judgement:
    """Every mounted disk filesystem of the source against the image's copy of it.

    The source must be quiet. Nothing boots from the image: its snapshots are data disks of an appliance.
    """
    judge = _appliance(driver, image, source.key, undo)
    judge.run(f"umask 077; cat > {KEY_ON_JUDGE}", timeout=60, stdin=source.key.read_text())
    gateway = judge.run("ip route show default | awk '{print $3; exit}'", timeout=60).strip()
    remote = Remote(host=gateway, port=source.port, key=KEY_ON_JUDGE)
    found: list[Difference] = []
    for number, filesystem in enumerate(_filesystems(source)):
        original, mounted = f"/run/judge/{number}", f"/mnt/judge/{number}"
        source.run(
            f"mkdir -p {original} && mount --bind {filesystem.mount_point} {original}", timeout=60
        )  # without what is mounted in it
        try:
            judge.run(f"mkdir -p {mounted} && mount -o ro UUID={filesystem.uuid} {mounted}", timeout=60)
            found += compare(
                judge, remote, mounted=mounted, original=original, mount_point=filesystem.mount_point
            )
        finally:
            source.run(f"umount {original}", timeout=60)
    return judge_differences(found, named, moving)


def _filesystems(source: Shell) -> list[Filesystem]:
    lines = source.run("findmnt -rn -t ext2,ext3,ext4 -o TARGET,UUID", timeout=60).splitlines()
    return [Filesystem(mount_point=target, uuid=uuid) for target, uuid in map(str.split, lines)]


def _appliance(driver: Driver, image: str, key: Path, undo: ExitStack) -> Shell:
    """An instance of the intermediate's own system image, with the image's disks as data disks."""
    found = driver.image(image)
    if found is None:
        raise Failed(f"there is no image {image}")
    snapshots = [_snapshot(driver, snapshot) for snapshot in found.snapshots]
    port = free_port()
    tags = {TAG_PURPOSE: "demo-judge"}
    vpc = driver.create_vpc("demo-judge", RANGE, tags, f"demo-judge-vpc-{port}")
    undo.callback(_delete, driver, Kind.VPC, vpc)
    wait_until("the judge's network", 60, lambda: driver.vpc_ready(vpc))
    zone = driver.zones()[0]
    vswitch = driver.create_vswitch(vpc, zone, "demo-judge", SUBNET, tags, f"demo-judge-vsw-{port}")
    undo.callback(_delete, driver, Kind.VSWITCH, vswitch)
    wait_until("the judge's vSwitch", 60, lambda: driver.vswitch_ready(vswitch))
    group = driver.create_security_group(vpc, "demo-judge", tags, f"demo-judge-sg-{port}")
    undo.callback(_delete, driver, Kind.SECURITY_GROUP, group)
    driver.admit(group, 22, "127.0.0.1/32")
    instance = driver.launch(
        InstanceSpec(
            name="demo-judge",
            zone=zone,
            vswitch=vswitch,
            security_group=group,
            user_data=USER_DATA.replace("@PUBLIC@", key.with_suffix(".pub").read_text().strip()),
            data_disks=tuple(
                DiskSpec(name=f"demo-judge-{index}", size_gib=0, snapshot=snapshot.id)
                for index, snapshot in enumerate(snapshots)
            ),
        ),
        {**tags, f"{TAG_FORWARD}22": str(port)},
        f"demo-judge-{port}",
    )
    undo.callback(_delete, driver, Kind.INSTANCE, instance)
    shell = Shell(port=port, key=key)
    wait_until("the judge's appliance", SECONDS_TO_BOOT, shell.answers)
    return shell


def _snapshot(driver: Driver, snapshot: str) -> Snapshot:
    found = driver.snapshot(snapshot)
    if found is None:
        raise Failed(f"the image's snapshot {snapshot} is gone")
    return found


def _delete(driver: Driver, kind: Kind, resource: str) -> None:
    """Ask until nothing depends on it any more."""
    deadline = time.monotonic() + SECONDS_TO_DELETE
    while driver.exists(kind, resource) and time.monotonic() < deadline:
        with suppress(Transient):
            driver.delete(kind, resource)
        time.sleep(0.5)
