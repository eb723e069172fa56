"""A planned layout on real block devices, judged by sfdisk, blkid, dumpe2fs and e2fsck."""

import json
import os
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.kernel.loop_disks import loop_disk, tool
from tests.unit.model.sources import filesystem, partition, server, system_disk

from smc.agent.superblock import recognise
from smc.base.errors import Transient
from smc.base.run import Arg, Output, run
from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Role, Table
from smc.model.plan import TargetDisk, TargetPartition
from smc.model.planner import plan
from smc.model.wishes import Limits, Wishes
from smc.receiver import disks, ext, filesystems, mounts
from smc.receiver.layout import is_laid_out, lay_out, partition_nodes

pytestmark = pytest.mark.kernel

ROOT_UUID = "0f0f0f0f-1111-4222-8333-444444444444"


def source() -> Disk:
    """BIOS boot; ext2 /boot with few features; ext4 / with an odd label; swap."""
    disk = system_disk(size=20 * GIB, used=GIB)
    bios, boot, root, swap = disk.partitions
    assert boot.filesystem
    assert root.filesystem
    assert swap.filesystem
    boot_values = {
        "type": "ext2",
        "features": ("ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file"),
        "block_size": 1024,
        "inode_size": 128,
        "uuid": "aaaaaaaa-0000-4000-8000-000000000001",
        "label": "",
    }
    root_values = {"uuid": ROOT_UUID, "label": "my 'root' $(x)"}
    return structs.replace(
        disk,
        partitions=(
            bios,
            structs.replace(
                boot, filesystem=structs.replace(boot.filesystem, **boot_values), part_label='b"oot\\'
            ),
            structs.replace(
                root,
                filesystem=structs.replace(root.filesystem, **root_values),
                part_label="Linux filesystem, größer",
            ),
            structs.replace(swap, filesystem=structs.replace(swap.filesystem, label="swäp one")),
        ),
    )


def planned(disk: Disk, **wishes: object) -> TargetDisk:
    return plan(server(disk), structs.replace(Wishes(), **wishes), Limits()).disks[0]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with loop_disk(tmp_path / "disk.img", 20 * GIB) as found:
        yield found
        mounts.unmount_below(tmp_path, run)


def test_the_table_reads_back_as_the_source_had_it(device: Path) -> None:
    disk = planned(source())
    assert lay_out(disk, device, run)
    tool("sfdisk", "--verify", device)
    table = json.loads(tool("sfdisk", "--json", device))["partitiontable"]
    assert table["label"] == "gpt"
    assert table["id"].lower() == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    parts = table["partitions"]
    assert [p["uuid"].lower() for p in parts] == [p.part_uuid for p in source().partitions]
    assert parts[0]["type"] == "21686148-6449-6E6F-744E-656564454649"
    assert parts[1]["name"] == 'b"oot\\'
    assert parts[2]["name"] == "Linux filesystem, größer"


def test_filesystems_have_the_sources_names_and_no_newer_features(device: Path) -> None:
    original = source()
    disk = planned(original)
    lay_out(disk, device, run)
    for part, node, old in zip(
        disk.partitions, partition_nodes(disk, device), original.partitions, strict=True
    ):
        if part.mount_point:
            assert old.filesystem
            tool("e2fsck", "-f", "-n", node)
            told = ext.superblock(node, run)
            assert set(told["Filesystem features"].split()) <= set(old.filesystem.features)
            assert int(told["Inode size"]) == old.filesystem.inode_size
            assert int(told["Block size"]) == old.filesystem.block_size
            assert told["Filesystem UUID"] == old.filesystem.uuid
            assert int(told["Inode count"]) >= old.filesystem.inodes_used
        if part.filesystem:
            assert tool("blkid", "-p", "-o", "value", "-s", "UUID", node).strip() == part.uuid
    nodes = partition_nodes(disk, device)
    assert tool("dumpe2fs", "-h", nodes[2]).count("my 'root' $(x)")
    assert tool("swaplabel", nodes[3]).count("swäp one")


def test_a_laid_out_disk_is_kept(device: Path) -> None:
    disk = planned(source())
    lay_out(disk, device, run)
    root = partition_nodes(disk, device)[2]
    before = ext.superblock(root, run)["Filesystem created"]
    hashed = ext.superblock(root, run)["Directory Hash Seed"]
    assert not lay_out(disk, device, run)
    after = ext.superblock(root, run)
    assert (after["Filesystem created"], after["Directory Hash Seed"]) == (before, hashed)


def test_a_kernel_that_shows_the_partitions_first_is_not_a_failure(device: Path) -> None:
    """partx then says: error adding partition 1."""

    def overtaken(*argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        if argv[:2] == ("partx", "--add"):
            run(*argv, timeout=timeout)
        return run(*argv, timeout=timeout, stdin=stdin, ok=ok)

    disk = planned(source())
    assert lay_out(disk, device, overtaken)
    assert is_laid_out(disk, device, run)


def mbr_source(*, more: int) -> Disk:
    """/boot, / and swap, and `more` small filesystems."""
    disk = source()
    parts = disk.partitions[1:]
    fs = filesystem("/srv", 900 * MIB, MIB)
    extra = tuple(
        partition(5 + n, 20 * GIB + n * GIB, GIB, structs.replace(fs, mount_point=f"/srv/{n}", uuid=""))
        for n in range(more)
    )
    parts = (structs.replace(parts[0], bootable=True), *parts[1:], *extra)
    return structs.replace(disk, table=Table.MBR, table_uuid="1234abcd", partitions=parts)


@pytest.mark.parametrize("more", [0, 1, 3], ids=["primary", "four", "logical"])
def test_an_mbr_is_kept_with_its_id_and_its_active_partition(device: Path, more: int) -> None:
    disk = planned(mbr_source(more=more), sizes_gib={0: 20})
    assert lay_out(disk, device, run)
    assert not lay_out(disk, device, run)
    tool("sfdisk", "--verify", device)
    table = json.loads(tool("sfdisk", "--json", device))["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", "0x1234abcd")
    assert [part.get("bootable", False) for part in table["partitions"]][:2] == [True, False]
    numbers = [1, 2, 3, 4] if more == 1 else [1, 2, 3, *range(5, 5 + more)]
    assert [part.number for part in disk.partitions] == numbers
    for part, node in zip(disk.partitions, partition_nodes(disk, device), strict=True):
        assert tool("blkid", "-p", "-o", "value", "-s", "PART_ENTRY_UUID", node).strip() == part.part_uuid


def test_a_gpt_takes_the_place_of_an_mbr_and_the_other_way_round(device: Path) -> None:
    mbr, gpt = planned(mbr_source(more=3), sizes_gib={0: 20}), planned(source())
    for disk in (mbr, gpt, mbr):
        assert not is_laid_out(disk, device, run)
        assert lay_out(disk, device, run)
        assert is_laid_out(disk, device, run)


def test_a_filesystem_lies_on_the_whole_disk_as_it_did(tmp_path: Path) -> None:
    fs = filesystem("/srv/data", 900 * MIB, MIB)
    bare = Disk(index=1, path="/dev/vdb", size=GIB, table=Table.NONE, partitions=(partition(0, 0, GIB, fs),))
    made = plan(server(source(), bare), Wishes(), Limits())
    with loop_disk(tmp_path / "bare.img", GIB) as device:
        run("sfdisk", "-q", device, stdin="label: gpt\nsize=+\n", timeout=30)
        assert lay_out(made.disks[1], device, run)
        assert not lay_out(made.disks[1], device, run)
        assert tool("blkid", "-p", "-o", "value", "-s", "UUID", device).strip() == fs.uuid
        tool("e2fsck", "-f", "-n", device)
        only = structs.replace(made, disks=made.disks[1:])
        with mounts.trees(only, {"1_0": device}, tmp_path / "trees", run) as places:
            (places["1_0"] / "file").touch()


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32"])
def test_a_fat_has_its_kind_serial_number_and_label(tmp_path: Path, kind: str) -> None:
    size = {"fat12": 8 * MIB, "fat16": 64 * MIB, "fat32": 256 * MIB}[kind]
    part = TargetPartition(
        number=1,
        size=size,
        role=Role.ESP,
        source="0_1",
        filesystem="vfat",
        uuid="AB12-CD34",
        label="EFI",
        mount_point="/boot/efi",
        features=(kind,),
    )
    image = tmp_path / "fat.img"
    with image.open("wb") as made:
        made.truncate(size)
    filesystems.make(part, image, run)
    assert filesystems.is_made(part, image, run)
    assert not filesystems.is_made(structs.replace(part, uuid="AB12-CD35"), image, run)
    assert filesystems.check(part, image, run) == ""
    with image.open("rb") as file:
        found = recognise(lambda at, length: os.pread(file.fileno(), length, at), size)
    assert found
    assert (found.type, found.uuid, found.label, found.features) == ("vfat", "AB12-CD34", "EFI", (kind,))


def test_a_disk_with_another_layout_is_laid_out_anew(device: Path) -> None:
    disk = planned(source())
    lay_out(disk, device, run)
    parts = list(disk.partitions)
    for change in ({"label": "other"}, {"inode_size": 512}, {"features": ("has_journal", "filetype")}):
        other = structs.replace(disk, partitions=(*parts[:2], structs.replace(parts[2], **change), parts[3]))
        assert not is_laid_out(other, device, run)
    assert lay_out(other, device, run)
    assert is_laid_out(other, device, run)


def test_a_disk_that_had_something_else_is_laid_out(device: Path) -> None:
    tool("mkfs.ext4", "-q", "-F", "-L", "whole-disk", device)
    assert lay_out(planned(source()), device, run)


def test_files_of_all_filesystems_meet_below_one_root(tmp_path: Path, device: Path) -> None:
    made = plan(server(source()), Wishes(), Limits())
    disk = made.disks[0]
    lay_out(disk, device, run)
    nodes = {p.source: n for p, n in zip(disk.partitions, partition_nodes(disk, device), strict=True)}
    with mounts.trees(made, nodes, tmp_path / "trees", run) as places:
        assert set(places) == {"0_1", "0_2"}
        (places["0_2"] / "boot").mkdir()
        (places["0_1"] / "vmlinuz").write_text("kernel")
        assert "nosuid,nodev,noexec" in Path("/proc/self/mountinfo").read_text()
    with mounts.root(made, nodes, tmp_path / "root", run) as root:
        assert (root / "boot" / "vmlinuz").read_text() == "kernel"
    assert not [place for place in mounts.mounted_at() if place.is_relative_to(tmp_path)]
    assert ext.check(nodes["0_2"], run) == ""


def test_what_an_earlier_receiver_left_mounted_is_unmounted(tmp_path: Path, device: Path) -> None:
    made = plan(server(source()), Wishes(), Limits())
    disk = made.disks[0]
    lay_out(disk, device, run)
    odd = tmp_path / "odd name"
    odd.mkdir()
    tool("mount", partition_nodes(disk, device)[2], odd)
    mounts.unmount_below(tmp_path, run)
    assert not [place for place in mounts.mounted_at() if place.is_relative_to(tmp_path)]


def test_damage_is_found_without_touching_it(device: Path) -> None:
    disk = planned(source())
    lay_out(disk, device, run)
    node = partition_nodes(disk, device)[2]
    subprocess.run(["debugfs", "-w", "-R", "clri <2>", node], check=True, capture_output=True)
    found = ext.check(node, run)
    assert "oot inode" in found
    assert ext.check(node, run) == found


def test_a_disk_that_is_not_there_is_waited_for_and_named() -> None:
    with pytest.raises(Transient, match=r"disk 1 .* is not attached"):
        disks.find(structs.replace(TargetDisk(index=1, size=GIB), serial="smc-1"), timeout=0.1)
