"""Runs on an intermediate system: plans LVM for the source on another disk, lays it out, copies, converts.

What it asserts fails the run; its last line says that the copy is ready to boot.
"""

import shutil
import subprocess
import time
from pathlib import Path

import msgspec

from smc.base.run import run
from smc.base.units import GIB
from smc.guest.convert import convert
from smc.guest.volumes import Copy
from smc.model.disk import Disk, Filesystem, Partition, Role, Table, Volume, VolumeKind
from smc.model.plan import Plan, trees_of
from smc.model.planner import plan
from smc.model.report import Level
from smc.model.server import Architecture, Dmi, Firmware, OsRelease, Server
from smc.model.wishes import Limits, Wishes
from smc.receiver import disks, filesystems, layout, lvm, mounts
from smc.receiver.ext import superblock
from smc.receiver.work import partition_nodes

SOURCE = Path("/dev/disk/by-id/virtio-source")
OLD = Path("/mnt/old")
NEW = Path("/mnt/new")
READY = "lvm: the copy is ready"


def described(node: str, mount_point: str) -> Filesystem:
    told = filesystems.probe(Path(node), run)
    room = shutil.disk_usage(OLD / mount_point.lstrip("/"))
    found = Filesystem(
        type=told["TYPE"],
        uuid=told["UUID"],
        label=told["LABEL"],
        mount_point=mount_point,
        size=room.total,
        used=room.used,
        features=("fat32",),
    )
    if found.type == "vfat":
        return found
    block = superblock(Path(node), run)
    return msgspec.structs.replace(
        found,
        inodes=int(block["Inode count"]),
        inodes_used=int(block["Inode count"]) - int(block["Free inodes"]),
        features=tuple(block["Filesystem features"].split()),
        block_size=int(block["Block size"]),
        inode_size=int(block["Inode size"]),
    )


def part(number: int, role: Role, fs: Filesystem) -> Partition:
    device = Path(f"{SOURCE}-part{number}").resolve()
    size = int(Path("/sys/class/block", device.name, "size").read_text()) * 512
    start = int(Path("/sys/class/block", device.name, "start").read_text()) * 512
    return Partition(number=number, start=start, size=size, role=role, filesystem=fs)


def source_server() -> Server:
    """Of a UEFI row of the matrix: EFI system partition, /boot, and the root in the group `source`."""
    run("vgchange", "-qq", "-ay", "source", timeout=60)
    root_node = "/dev/mapper/source-root"
    for node, place in (
        (root_node, OLD),
        (f"{SOURCE}-part2", OLD / "boot"),
        (f"{SOURCE}-part1", OLD / "boot/efi"),
    ):
        place.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", "ro", node, place, timeout=60)
    parts = (
        part(1, Role.ESP, described(f"{SOURCE}-part1", "/boot/efi")),
        part(2, Role.FILESYSTEM, described(f"{SOURCE}-part2", "/boot")),
        part(3, Role.OTHER, Filesystem(type="LVM2_member")),
    )
    root = described(root_node, "/")
    return Server(
        fingerprint="f",
        hostname="source",
        os=OsRelease(id="debian"),
        kernel="5.10.0",
        architecture=Architecture.X86_64,
        firmware=Firmware.UEFI,
        dmi=Dmi(),
        origin="kvm",
        cores=2,
        memory=GIB,
        disks=(Disk(index=0, path="/dev/sda", size=4 * GIB, table=Table.GPT, partitions=parts),),
        volumes=(
            Volume(
                kind=VolumeKind.LVM,
                name="source-root",
                path=root_node,
                size=root.size,
                on=("0_3",),
                filesystem=root,
            ),
        ),
        tools=("lvm2",),
    )


def copied(made: Plan, nodes: dict[str, Path]) -> None:
    with mounts.trees(made, nodes, NEW / "trees", run) as places:
        for each in made.disks[0].partitions:
            for tree in trees_of(each):
                old = OLD / tree.mount_point.lstrip("/")
                pipe = (
                    f"tar -C {old} --one-file-system --xattrs --xattrs-include='*' --numeric-owner -cf - ."
                    f" | tar -C {places[tree.name]} --xattrs --xattrs-include='*' --numeric-owner -xf -"
                )
                # FAT has no owners to set
                check = each.filesystem != "vfat"
                subprocess.run(["bash", "-o", "pipefail", "-c", pipe], check=check)


def main() -> None:
    began = time.monotonic()

    def say(sentence: str) -> None:
        print(f"lvm: {time.monotonic() - began:.0f} s: {sentence}", flush=True)

    made = plan(source_server(), Wishes(sizes_gib={0: 20}, lvm=frozenset({0})), Limits())
    disk = msgspec.structs.replace(made.disks[0], serial="target")
    made = msgspec.structs.replace(made, disks=(disk,))
    device = disks.find(disk)
    lvm.let_go(device, run)
    assert layout.lay_out(disk, device, run)
    say("laid out")
    assert not layout.lay_out(disk, device, run), "what is laid out is kept"
    lvm.let_go(device, run)
    assert not Path("/dev/mapper/vg0-lv1").exists(), "it is switched off"
    layout.show(disk, device, run)
    nodes = partition_nodes(made, {0: device})
    assert nodes["0_lvm.source-root"] == Path("/dev/mapper/vg0-lv1")
    copied(made, nodes)
    say("copied")
    with mounts.root(made, nodes, NEW / "root", run) as root:
        copy = Copy(root=root, boot_disk=device, partitions=nodes)
        converted = convert(copy, made, note=say, run=run)
    for check in converted.checks:
        print(f"lvm: {check.level.value} {check.item}: {check.finding}", flush=True)
    assert not [check for check in converted.checks if check.level is Level.CRITICAL]
    for each in disk.partitions:
        if each.mount_point:
            assert not filesystems.check(each, nodes[each.source], run)
    lvm.let_go(device, run)
    print(READY, flush=True)


if __name__ == "__main__":
    main()
