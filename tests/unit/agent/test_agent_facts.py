"""What the agent tells for a drill, read from trees as kernels and distributions make them."""

from pathlib import Path

import pytest
from tests.unit.agent.fake_machine import FakeMachine

from smc.agent.facts import read_facts
from smc.model.facts import Facts, FstabEntry, Kernel


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    made = FakeMachine(tmp_path)
    made.write("proc/cpuinfo", "processor\t: 0\nprocessor\t: 1\n")
    made.write("proc/loadavg", "3.00 1.00 0.50 1/100 4242\n")
    made.write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
    made.write("lib/modules/6.1.0-18-amd64/modules.builtin", "kernel/drivers/net/virtio_net.ko\n")
    dep = "kernel/drivers/block/virtio_blk.ko.xz:\nkernel/drivers/nvme/host/nvme.ko: kernel/x.ko\n"
    made.write("lib/modules/6.1.0-18-amd64/modules.dep", dep)
    made.write("lib/modules/5.10.0-1-amd64/modules.dep", "")
    for name in ("vmlinuz-6.1.0-18-amd64", "initrd.img-6.1.0-18-amd64", "vmlinuz-5.10.0-1-amd64"):
        made.write(f"boot/{name}", "")
    return made


def read(machine: FakeMachine) -> Facts:
    return read_facts(machine.root, lambda folder: 123)


def test_kernels_are_told_with_their_files_and_drivers(machine: FakeMachine) -> None:
    facts = read(machine)
    assert facts.kernels == (
        Kernel(version="5.10.0-1-amd64", image="vmlinuz-5.10.0-1-amd64"),
        Kernel(
            version="6.1.0-18-amd64",
            image="vmlinuz-6.1.0-18-amd64",
            initramfs="initrd.img-6.1.0-18-amd64",
            virtio=("virtio_blk", "virtio_net", "nvme"),
            running=True,
        ),
    )
    assert (facts.load, facts.boot_free) == (1.5, 123)


def test_fstab_is_told_without_comments_and_kernel_filesystems(machine: FakeMachine) -> None:
    machine.write(
        "etc/fstab",
        "# <file system> <mount point>\n/dev/sda1 / ext4 errors=remount-ro 0 1\n"
        "UUID=1 /srv xfs nobarrier\nproc /proc proc defaults 0 0\nbroken line\n",
    )
    assert read(machine).fstab == (
        FstabEntry(device="/dev/sda1", mount_point="/", type="ext4", options="errors=remount-ro"),
        FstabEntry(device="UUID=1", mount_point="/srv", type="xfs", options="nobarrier"),
    )


def test_firewalls_proxies_and_databases_are_found(machine: FakeMachine) -> None:
    machine.write("etc/ufw/ufw.conf", "# on?\nENABLED=yes\n")
    machine.write("etc/environment", 'PATH=/bin\nhttps_proxy="http://user:secret@proxy:3128"\n')
    for pid, name in enumerate(("systemd", "postgres", "postgres", "mariadbd", "firewalld")):
        machine.write(f"proc/{pid + 1}/comm", f"{name}\n")
    facts = read(machine)
    assert facts.firewalls == ("ufw", "firewalld")
    assert facts.databases == ("MariaDB", "PostgreSQL")
    assert facts.proxies == ("https_proxy in /etc/environment",)
    assert "secret" not in repr(facts)


def test_an_oracle_database_is_known_whatever_its_instance_is_called(machine: FakeMachine) -> None:
    machine.write("proc/7/comm", "ora_pmon_ORCL\n")
    assert read(machine).databases == ("Oracle",)


def test_scripts_of_the_owner_are_told_by_their_names(machine: FakeMachine) -> None:
    for name in ("before/10-stop", "after/10-start", "before/20-example"):
        machine.write(f"smc/Hooks/{name}", "")
    for name in ("before/10-stop", "after/10-start"):
        (machine.root / "smc/Hooks" / name).chmod(0o700)
    assert read(machine).hooks == ("before/10-stop", "after/10-start")


def test_mounts_that_are_not_copied_as_they_are_are_told(machine: FakeMachine) -> None:
    machine.write(
        "proc/self/mountinfo",
        "1 0 254:1 / / rw - ext4 /dev/vda1 rw\n"
        "2 1 253:0 / /srv rw - ext4 /dev/mapper/vg0-srv rw\n"
        "3 1 253:1 / /secret rw - ext4 /dev/mapper/secret rw\n"
        "4 1 9:0 / /data rw - ext4 /dev/md0 rw\n"
        "5 1 0:50 / /mnt/share rw - nfs4 server:/share rw\n",
    )
    machine.write("sys/dev/block/253:0/dm/uuid", "LVM-abc\n")
    machine.write("sys/dev/block/253:1/dm/uuid", "CRYPT-LUKS2-abc\n")
    facts = read(machine)
    assert facts.mapped == ("/srv lvm", "/secret luks", "/data raid")
    assert facts.foreign_mounts == (("/mnt/share", "nfs4"),)


def test_network_configuration_is_told_by_its_style(machine: FakeMachine) -> None:
    machine.write("etc/network/interfaces", "auto lo\niface lo inet loopback\n")
    machine.write("etc/netplan/50-cloud-init.yaml", "network: {}\n")
    assert read(machine).network_style == ("netplan",)
    machine.write("etc/network/interfaces", "iface eth0 inet dhcp\n")
    assert read(machine).network_style == ("ifupdown", "netplan")


def test_a_bare_tree_has_no_facts_and_no_error(tmp_path: Path) -> None:
    assert read_facts(tmp_path / "nothing") == Facts()
