"""The QEMU command line says what the specification means."""

import json
import platform
from pathlib import Path

import msgspec
import pytest

from smc.base.errors import UserError
from smc.localcloud.machine import (
    Accelerator,
    Bus,
    Forward,
    MachineDisk,
    MachineSpec,
    UserNetwork,
    command_line,
)

NETWORK = UserNetwork(
    cidr="192.168.7.0/24",
    gateway="192.168.7.1",
    address="192.168.7.20",
    mac="52:54:00:12:34:56",
    forwards=(Forward(host_port=40022, guest_port=22),),
)
SPEC = MachineSpec(
    folder=Path("/data/instances/i-1"),
    runtime=Path("/run/smc"),
    name="i-1",
    network=NETWORK,
    disks=(
        MachineDisk(path=Path("/data/disks/a, b.qcow2"), serial="d-system"),
        MachineDisk(path=Path("/data/disks/c.qcow2"), serial="smc-j-1"),
    ),
    uuid="6f1f2b90-4e8c-4f57-9e2c-0b6d8c0e3f11",
)


def words_of(spec: MachineSpec = SPEC, accelerator: Accelerator = Accelerator.TCG) -> list[str]:
    return command_line(spec, accelerator)


def values(words: list[str], option: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == option]


def with_network(**changes: object) -> MachineSpec:
    return msgspec.structs.replace(SPEC, network=msgspec.structs.replace(NETWORK, **changes))


def test_each_disk_carries_its_serial_number_and_boots_in_its_order() -> None:
    disks = [value for value in values(words_of(), "-device") if value.startswith("virtio-blk")]
    assert ["serial=d-system" in disks[0], "serial=smc-j-1" in disks[1]] == [True, True]
    assert ["bootindex=0" in disks[0], "bootindex=1" in disks[1]] == [True, True]


def test_a_disk_may_be_attached_by_sata_or_nvme() -> None:
    for bus, wanted in ((Bus.SATA, "ide-hd,bus=sata.1,"), (Bus.NVME, "nvme,")):
        other = msgspec.structs.replace(SPEC.disks[1], bus=bus)
        devices = values(words_of(msgspec.structs.replace(SPEC, disks=(SPEC.disks[0], other))), "-device")
        (found,) = [device for device in devices if "serial=smc-j-1" in device]
        assert found.startswith(wanted)
        assert "bootindex=1" in found
        assert any(device.startswith("ahci,id=sata") for device in devices) == (bus is Bus.SATA)


def test_a_path_with_a_comma_stays_one_path() -> None:
    files = [json.loads(value)["file"]["filename"] for value in values(words_of(), "-blockdev")]
    assert files[0] == "/data/disks/a, b.qcow2"
    spec = msgspec.structs.replace(SPEC, folder=Path("/data/a,b"))
    assert "path=/data/a,,b/serial.log" in values(words_of(spec), "-chardev")[0]


def test_what_the_guest_flushes_reaches_the_disk() -> None:
    for value in values(words_of(), "-blockdev"):
        disk = json.loads(value)
        assert disk["cache"]["no-flush"] is False
        assert disk["file"]["cache"]["no-flush"] is False


def test_the_guest_gets_its_address_and_its_forwards() -> None:
    (network,) = values(words_of(), "-netdev")
    assert "net=192.168.7.0/24,host=192.168.7.1,dhcpstart=192.168.7.20" in network
    assert "hostfwd=tcp:127.0.0.1:40022-:22" in network
    assert "restrict=off" in network


def test_a_restricted_guest_is_restricted() -> None:
    (network,) = values(words_of(with_network(restricted=True)), "-netdev")
    assert "restrict=on" in network


def test_the_name_server_is_in_the_range_and_nobody_else() -> None:
    spec = with_network(cidr="10.0.0.0/29", gateway="10.0.0.6", address="10.0.0.5")
    (network,) = values(words_of(spec), "-netdev")
    assert ",dns=10.0.0.4," in network


def test_a_range_without_room_is_refused() -> None:
    with pytest.raises(UserError) as refused:
        words_of(with_network(cidr="10.0.0.0/30", gateway="10.0.0.1", address="10.0.0.2"))
    assert refused.value.code == "LocalCloud.RangeTooSmall"


def test_the_nic_sits_in_the_slot_that_names_it() -> None:
    nic = next(v for v in values(words_of(with_network(pci_slot=3)), "-device") if "virtio-net" in v)
    assert "addr=0x3" in nic


def test_a_seed_is_a_read_only_cd_rom_and_no_disk() -> None:
    words = words_of(msgspec.structs.replace(SPEC, seed=Path("/data/seed.iso")))
    seed = json.loads(values(words, "-blockdev")[-1])
    assert (seed["driver"], seed["read-only"]) == ("raw", True)
    assert sum("virtio-blk" in word for word in words) == len(SPEC.disks)
    assert any(word.startswith("scsi-cd") for word in words)


def test_kvm_is_used_for_this_hosts_own_architecture_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert values(words_of(SPEC, Accelerator.KVM), "-accel") == ["kvm"]
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert values(words_of(SPEC, Accelerator.KVM), "-accel") == ["tcg,thread=multi"]


@pytest.mark.parametrize(("accelerator", "cpu"), [(Accelerator.KVM, "host"), (Accelerator.TCG, "max")])
def test_a_processor_that_new_systems_need_is_given(
    accelerator: Accelerator, cpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RHEL 9 needs x86-64-v2, which QEMU's own default lacks."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert values(words_of(SPEC, accelerator), "-cpu") == [cpu]


def test_qemu_is_confined_because_the_guest_is_hostile() -> None:
    (sandbox,) = values(words_of(), "-sandbox")
    assert "spawn=deny" in sandbox
    assert "elevateprivileges=deny" in sandbox


def test_a_socket_path_that_is_too_long_is_refused_in_words() -> None:
    with pytest.raises(UserError) as refused:
        words_of(msgspec.structs.replace(SPEC, runtime=Path("/run") / ("x" * 100)))
    assert refused.value.code == "LocalCloud.PathTooLong"


@pytest.mark.parametrize("serial", ["", "a" * 21, "a,b", "a b", "ä"])
def test_a_serial_number_that_a_guest_would_not_see_is_refused(serial: str) -> None:
    with pytest.raises(UserError) as refused:
        words_of(msgspec.structs.replace(SPEC, disks=(MachineDisk(path=Path("/d"), serial=serial),)))
    assert refused.value.code == "LocalCloud.BadSerial"
