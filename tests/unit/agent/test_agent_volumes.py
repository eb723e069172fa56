"""Logical volumes, arrays and opened LUKS as sysfs shows them."""

from pathlib import Path

import pytest
from tests.unit.agent.fake_machine import FakeMachine, half_full

from smc.agent.disks import read_storage
from smc.model.disk import VolumeKind

UUID = "x" * 64


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    made = FakeMachine(tmp_path)
    made.add_disk("vda", "gpt", number=0, partitions={1: "vda1", 2: "vda2", 3: "vda3", 4: "vda4"})
    made.add_disk("vdb", "gpt", number=16, partitions={1: "vdb1", 2: "vdb2", 3: "vdb3", 4: "vdb4"})
    return made


def test_a_mounted_logical_volume_has_its_own_size_and_used_bytes(machine: FakeMachine) -> None:
    machine.add_volume("dm-0", 0, "vda3", uuid=f"LVM-{UUID}", name="vg0-root")
    machine.mount("253:0", "/", "xfs")
    (volume,) = read_storage(machine.root, half_full).volumes
    assert (volume.kind, volume.name, volume.path) == (VolumeKind.LVM, "vg0-root", "/dev/mapper/vg0-root")
    assert (volume.size, volume.on, volume.encrypted) == (64 << 20, ("0_3",), False)
    fs = volume.filesystem
    assert (fs.type, fs.mount_point, fs.size, fs.used) == ("xfs", "/", 4096000, 600 * 4096)


def test_the_system_disk_is_the_one_below_the_root_volume(machine: FakeMachine) -> None:
    machine.add_volume("dm-0", 0, "vdb3", uuid=f"LVM-{UUID}", name="vg0-root")
    machine.mount("253:0", "/")
    storage = read_storage(machine.root, half_full)
    assert [(disk.index, disk.path) for disk in storage.disks] == [(0, "/dev/vdb"), (1, "/dev/vda")]
    assert storage.volumes[0].on == ("0_3",)


def test_what_lies_below_is_found_through_luks_and_raid(machine: FakeMachine) -> None:
    machine.add_volume("md0", 9, "vda3", "vdb3")
    machine.add_volume("dm-0", 0, "md0", uuid="CRYPT-LUKS2-x-crypt", name="crypt")
    machine.add_volume("dm-1", 1, "dm-0", uuid=f"LVM-{UUID}", name="vg0-srv")
    machine.mount("254:3", "/")
    machine.mount("253:1", "/srv")
    (volume,) = read_storage(machine.root, half_full).volumes
    assert (volume.name, volume.on, volume.encrypted) == ("vg0-srv", ("0_3", "1_3"), True)


def test_a_whole_disk_and_a_partition_of_an_array_are_known_too(machine: FakeMachine) -> None:
    machine.add_volume("md0", 9, "vdb")
    machine.write("sys/block/md0/md0p1/partition", "1\n")
    machine.write("sys/block/md0/md0p1/dev", "259:1\n")
    machine.write("sys/block/md0/md0p1/size", "2048\n")
    machine.mount("254:3", "/")
    machine.mount("259:1", "/srv")
    (volume,) = read_storage(machine.root, half_full).volumes
    assert (volume.kind, volume.name, volume.path) == (VolumeKind.RAID, "md0p1", "/dev/md0p1")
    assert (volume.size, volume.on) == (1 << 20, ("1_0",))


def test_what_is_inside_of_lvm_and_what_is_empty_is_no_volume(machine: FakeMachine) -> None:
    machine.add_volume("dm-0", 0, "vda3", uuid=f"LVM-{UUID}-tpool", name="vg0-pool-tpool")
    machine.add_volume("dm-1", 1, "vda3", uuid=f"LVM-{UUID}", name="vg0-empty")
    machine.mount("254:3", "/")
    assert read_storage(machine.root, half_full).volumes == ()
