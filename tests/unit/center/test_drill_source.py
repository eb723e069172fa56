"""What a drill says of a source: each item passes on a plain server, and says what is wrong with another."""

from dataclasses import dataclass, field

import msgspec
import pytest
from tests.unit.center.servers import plan, server

from smc.center.drill.source import ITEMS, Beat, Subject, judge_source
from smc.model.facts import Facts, FstabEntry, Kernel
from smc.model.plan import LeftBehind
from smc.model.report import Level
from smc.model.server import Firmware

GOOD = Kernel(
    version="6.1",
    image="vmlinuz-6.1",
    initramfs="initrd.img-6.1",
    virtio=("virtio_blk", "virtio_net"),
    running=True,
)
FACTS = Facts(load=0.1, boot_free=1 << 30, kernels=(GOOD,), network_style=("ifupdown",))
CALM = Beat(cpu_usage=3.0, memory_usage=40.0)
BARE = msgspec.structs.replace(GOOD, version="5.0", image="", initramfs="", virtio=(), running=False)


def subject(facts: Facts = FACTS, beat: Beat = CALM, **changes: object) -> Subject:
    described = msgspec.structs.replace(server(), facts=facts, **changes)
    return Subject(server=described, beat=beat, plan=plan())


def with_facts(**changes: object) -> Subject:
    return subject(msgspec.structs.replace(FACTS, **changes))


def full(used: int, inodes_used: int) -> Subject:
    disks = server().disks
    part = disks[0].partitions[1]
    assert part.filesystem
    filesystem = msgspec.structs.replace(part.filesystem, used=used, inodes_used=inodes_used)
    parts = (disks[0].partitions[0], msgspec.structs.replace(part, filesystem=filesystem))
    return subject(disks=(msgspec.structs.replace(disks[0], partitions=parts), disks[1]))


def test_a_plain_server_passes_everything() -> None:
    items = list(judge_source(subject()))
    assert [item.name for item in items] == list(ITEMS)
    assert {item.level for item in items} == {Level.PASSED}
    assert all(item.finding for item in items)


def test_systemd_boot_is_set_up_where_it_can_start() -> None:
    items = judge_source(subject(boot_loader="systemd-boot", firmware=Firmware.UEFI))
    assert {item.level for item in items if item.name == "BootLoader"} == {Level.PASSED}


@dataclass(frozen=True)
class Wrong:
    item: str
    level: Level
    subject: Subject
    words: tuple[str, ...] = field(default=())


CASES = (
    Wrong("CPU", Level.WARNING, subject(beat=Beat(cpu_usage=95, memory_usage=1)), ("95 %",)),
    Wrong("Memory", Level.WARNING, subject(beat=Beat(cpu_usage=1, memory_usage=96)), ("96 %",)),
    Wrong("Load", Level.WARNING, with_facts(load=4.0)),
    Wrong("Clock", Level.WARNING, subject(beat=Beat(cpu_usage=1, memory_usage=1, clock=-7200)), ("behind",)),
    Wrong("FileSystemSpace", Level.CRITICAL, full(9 << 30, 1), ("/",)),
    Wrong("FileSystemInodes", Level.WARNING, full(1, 599_999)),
    Wrong("Firewall", Level.WARNING, with_facts(firewalls=("ufw",)), ("ufw",)),
    Wrong("NetworkProxy", Level.WARNING, with_facts(proxies=("http_proxy in /etc/environment",))),
    Wrong("Kernel", Level.WARNING, with_facts(kernels=(GOOD, BARE)), ("5.0",)),
    Wrong("Kernel", Level.WARNING, with_facts(kernels=())),
    Wrong("Initramfs", Level.WARNING, with_facts(kernels=(GOOD, BARE)), ("5.0",)),
    Wrong("InitramfsTool", Level.WARNING, subject(tools=("lvm2",)), ("no program",)),
    Wrong("Virtio", Level.CRITICAL, with_facts(kernels=(BARE,))),
    Wrong("Virtio", Level.WARNING, with_facts(kernels=())),
    Wrong(
        "Virtio",
        Level.WARNING,
        with_facts(
            kernels=(
                msgspec.structs.replace(GOOD, running=False),
                msgspec.structs.replace(BARE, running=True),
            )
        ),
        ("another one",),
    ),
    Wrong("BootLoader", Level.CRITICAL, subject(boot_loader="lilo"), ("lilo",)),
    Wrong("BootLoader", Level.CRITICAL, subject(boot_loader=""), ("no boot loader",)),
    Wrong("BootLoader", Level.CRITICAL, subject(boot_loader="systemd-boot"), ("systemd-boot",)),
    Wrong("BootSpace", Level.WARNING, with_facts(boot_free=10 << 20), ("10 MiB",)),
    Wrong("MappedDevices", Level.WARNING, with_facts(mapped=("/srv lvm",)), ("/srv lvm",)),
    Wrong(
        "Fstab",
        Level.INFORMATION,
        with_facts(fstab=(FstabEntry(device="/dev/sda1", mount_point="/", type="ext4"),)),
        ("/dev/sda1",),
    ),
    Wrong(
        "XfsMountOptions",
        Level.WARNING,
        with_facts(
            fstab=(
                FstabEntry(device="UUID=1", mount_point="/x", type="xfs", options="rw,nobarrier,ihashsize=1"),
            )
        ),
        ("nobarrier (/x)", "ihashsize=1"),
    ),
    Wrong("ForeignMounts", Level.WARNING, with_facts(foreign_mounts=(("/mnt", "nfs4"),)), ("/mnt (nfs4)",)),
    Wrong("NetworkCards", Level.WARNING, with_facts(network_style=())),
    Wrong("NetworkCards", Level.WARNING, subject(nics=())),
    Wrong("Selinux", Level.INFORMATION, subject(selinux="enforcing")),
    Wrong("Databases", Level.WARNING, with_facts(databases=("PostgreSQL",)), ("PostgreSQL",)),
    Wrong(
        "LeftBehind",
        Level.WARNING,
        Subject(
            server=subject().server,
            beat=CALM,
            plan=msgspec.structs.replace(plan(), left_behind=(LeftBehind(what="disk 2", why="not mounted"),)),
        ),
        ("disk 2: not mounted",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.item}-{case.level.value}")
def test_what_is_wrong_is_named_with_a_cure(case: Wrong) -> None:
    (item,) = [item for item in judge_source(case.subject) if item.name == case.item]
    assert item.level is case.level
    assert item.cure
    for word in case.words:
        assert word in item.finding
    others = {item.name for item in judge_source(case.subject) if item.level is Level.CRITICAL}
    assert others <= {case.item, "Virtio"}


def test_a_database_that_scripts_of_the_owner_stop_is_no_warning() -> None:
    stopped = with_facts(databases=("Redis",), hooks=("before/10-redis", "after/10-redis"))
    (item,) = [item for item in judge_source(stopped) if item.name == "Databases"]
    assert item.level is Level.PASSED


@pytest.mark.parametrize(
    "device",
    ["UUID=1", "LABEL=root", "PARTUUID=2", "/dev/disk/by-uuid/1", "/dev/mapper/vg-lv", "server:/share"],
)
def test_names_that_stay_are_not_called_unstable(device: str) -> None:
    entry = FstabEntry(device=device, mount_point="/x", type="ext4")
    (item,) = [item for item in judge_source(with_facts(fstab=(entry,))) if item.name == "Fstab"]
    assert item.level is Level.PASSED


def test_a_filesystem_that_the_target_is_not_given_is_a_warning() -> None:
    disks = server().disks
    part = disks[1].partitions[0]
    assert part.filesystem
    other = msgspec.structs.replace(part.filesystem, type="reiserfs")
    disk = msgspec.structs.replace(disks[1], partitions=(msgspec.structs.replace(part, filesystem=other),))
    (item,) = [i for i in judge_source(subject(disks=(disks[0], disk))) if i.name == "FileSystemType"]
    assert item.level is Level.WARNING
    assert "/srv/data (reiserfs)" in item.finding
