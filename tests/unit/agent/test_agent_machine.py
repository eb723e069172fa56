"""What a machine says of itself, by trees as kernels show them."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.agent.fake_machine import FakeMachine

from smc.agent import machine as facts
from smc.agent.inventory import differs, fingerprint, read_server
from smc.agent.network import read_dns, read_gateway, read_nics
from smc.base.units import GIB
from smc.model.server import Firmware, Server

DMI = "sys/class/dmi/id"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        ({"sys_vendor": "Amazon EC2", "product_name": "t3.small"}, "aws"),
        ({"sys_vendor": "Xen", "product_name": "HVM domU", "bios_version": "4.11.amazon"}, "aws"),
        ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, "gcp"),
        ({"sys_vendor": "Alibaba Cloud", "product_name": "Alibaba Cloud ECS"}, "alibaba"),
        ({"sys_vendor": "Tencent Cloud", "product_name": "CVM"}, "tencent"),
        ({"sys_vendor": "VMware, Inc.", "product_name": "VMware Virtual Platform"}, "vmware"),
        ({"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, "virtualbox"),
        ({"sys_vendor": "QEMU", "product_name": "Standard PC (i440FX + PIIX, 1996)"}, "kvm"),
        ({"sys_vendor": "Red Hat", "product_name": "KVM"}, "kvm"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "hyper-v"),
        (
            {
                "sys_vendor": "Microsoft Corporation",
                "product_name": "Virtual Machine",
                "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
            },
            "azure",
        ),
        ({"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R640"}, "physical"),
        ({}, "physical"),
    ],
)
def test_the_origin_is_told_by_the_firmware(
    machine: FakeMachine, fields: dict[str, str], origin: str
) -> None:
    for name, value in fields.items():
        machine.write(f"{DMI}/{name}", f"{value}\n")
    assert facts.read_origin(machine.root) == origin


def test_a_hypervisor_that_does_not_say_which_is_virtual(machine: FakeMachine) -> None:
    machine.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lm\n")
    assert facts.read_origin(machine.root) == "virtual"


def test_the_system_is_told_by_os_release(machine: FakeMachine) -> None:
    machine.write(
        "usr/lib/os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04"\n'
    )
    found = facts.read_os(machine.root)
    assert (found.id, found.version_id, found.pretty_name) == ("ubuntu", "22.04", "Ubuntu 22.04")
    assert found.id_like == ("debian",)


def test_what_is_older_than_os_release_is_told_by_its_own_file(machine: FakeMachine) -> None:
    machine.write("etc/redhat-release", "CentOS release 6.10 (Final)\n")
    found = facts.read_os(machine.root)
    assert (found.id, found.version_id, found.id_like) == ("centos", "6.10", ("rhel", "fedora"))


def test_a_grub_cfg_that_lies_in_the_esp_alone_is_grub_2(machine: FakeMachine) -> None:
    machine.write("boot/efi/EFI/centos/grub.cfg", "")
    assert facts.read_boot_loader(machine.root) == "grub2"


def test_firmware_boot_loader_tools_and_selinux(machine: FakeMachine) -> None:
    root = machine.root
    assert facts.read_firmware(root) is Firmware.BIOS
    assert (facts.read_boot_loader(root), facts.read_selinux(root), facts.read_tools(root)) == (
        "",
        "disabled",
        (),
    )
    machine.write("sys/firmware/efi/fw_platform_size", "64\n")
    machine.write("boot/grub2/grub.cfg", "")
    machine.write("sys/fs/selinux/enforce", "1")
    machine.write("usr/sbin/lvm", "")
    assert facts.read_firmware(root) is Firmware.UEFI
    assert facts.read_boot_loader(root) == "grub2"
    assert facts.read_selinux(root) == "enforcing"
    assert facts.read_tools(root) == ("lvm2",)


def test_memory_and_processors(machine: FakeMachine) -> None:
    machine.write("proc/meminfo", "MemTotal:  1000 kB\nMemFree:  100 kB\nBuffers: 50 kB\nCached: 100 kB\n")
    machine.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast CPU\nprocessor\t: 1\n")
    assert facts.read_memory(machine.root) == facts.Memory(total=1024000, available=256000)
    assert facts.read_memory(machine.root).usage == 75.0
    assert facts.read_processor(machine.root) == facts.Processor(cores=2, model="Fast CPU")


def test_the_load_is_that_between_two_readings() -> None:
    readings = iter(("cpu 100 0 100 700 100 0 0 0\n", "cpu 150 0 100 740 110 0 0 0\n"))
    meter = facts.CpuMeter(lambda: next(readings))
    assert meter.usage() == 50.0


def test_cards_are_told_from_what_is_not_hardware(machine: FakeMachine) -> None:
    machine.add_nic("eth0", "52:54:00:00:00:01", index=2, driver="virtio_net")
    machine.add_nic("lo", "00:00:00:00:00:00", index=1)
    machine.add_nic("docker0", "02:42:00:00:00:01", index=3)
    machine.add_nic("bond0", "52:54:00:00:00:01", index=4)
    (machine.root / "sys/class/net/bond0/lower_eth0").symlink_to("../eth0")
    found = read_nics(machine.root, lambda: {3: ("172.17.0.1/16",), 4: ("10.0.0.5/24",)})
    assert [(nic.name, nic.driver, nic.addresses, nic.up) for nic in found] == [
        ("bond0", "", ("10.0.0.5/24",), True),
        ("eth0", "virtio_net", (), True),
    ]


def test_name_servers_behind_the_local_one_are_found(machine: FakeMachine) -> None:
    machine.write("etc/resolv.conf", "# a comment\nnameserver 127.0.0.53\n")
    assert read_dns(machine.root) == ("127.0.0.53",)
    machine.write("run/systemd/resolve/resolv.conf", "nameserver 10.0.0.2\nnameserver 10.0.0.3\n")
    assert read_dns(machine.root) == ("10.0.0.2", "10.0.0.3")


def test_a_machine_without_a_gateway_has_none(machine: FakeMachine) -> None:
    assert read_gateway(machine.root) == ""


def test_a_copy_that_runs_elsewhere_has_another_fingerprint(machine: FakeMachine) -> None:
    machine.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    machine.write(f"{DMI}/product_uuid", "4C4C4544-0000-0000-0000-000000000001\n")
    machine.add_nic("eth0", "52:54:00:00:00:01", index=2, driver="virtio_net")
    first = fingerprint(machine.root)
    machine.write("sys/class/net/eth0/address", "52:54:00:00:00:02\n")
    assert fingerprint(machine.root) == first, "another card in the same machine"
    machine.write(f"{DMI}/product_uuid", "4C4C4544-0000-0000-0000-000000000002\n")
    assert fingerprint(machine.root) != first, "the same system on another machine"


def test_a_uuid_that_many_machines_share_does_not_count(machine: FakeMachine) -> None:
    machine.write(f"{DMI}/product_uuid", "00000000-0000-0000-0000-000000000000\n")
    machine.add_nic("eth0", "52:54:00:00:00:01", index=2, driver="virtio_net")
    first = fingerprint(machine.root)
    machine.add_nic("veth9", "52:54:00:99:99:99", index=9)
    assert fingerprint(machine.root) == first, "no hardware"
    machine.write("sys/class/net/eth0/address", "52:54:00:00:00:02\n")
    assert fingerprint(machine.root) != first


def test_only_what_matters_is_told_again(machine: FakeMachine) -> None:
    machine.add_disk("vda", "whole", number=0)
    machine.write("etc/os-release", "ID=debian\n")
    before = read_server(machine.root)
    assert differs(before, None)
    assert not differs(before, before)
    assert not differs(msgspec.structs.replace(before, cpu_usage=99.0, memory_usage=50.0), before)
    assert not differs(_with_used(before, 1 << 20), before)
    assert differs(_with_used(before, GIB), before)
    assert differs(msgspec.structs.replace(before, hostname="renamed"), before)


def _with_used(server: Server, used: int) -> Server:
    disk = server.disks[0]
    partition = disk.partitions[0]
    assert partition.filesystem
    filesystem = msgspec.structs.replace(partition.filesystem, used=used)
    partition = msgspec.structs.replace(partition, filesystem=filesystem)
    return msgspec.structs.replace(server, disks=(msgspec.structs.replace(disk, partitions=(partition,)),))


def test_this_very_machine_is_described(machine: FakeMachine) -> None:
    server = read_server()
    assert server.hostname
    assert server.memory > 0
    assert len(server.fingerprint) == 64
