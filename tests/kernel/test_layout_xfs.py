"""XFS on real block devices: no newer than the source's, judged by xfs_repair, the kernel and rsync."""

import os
from contextlib import ExitStack
from hashlib import file_digest
from pathlib import Path

import pytest
from tests.kernel.copying import Ends, differences
from tests.kernel.laid_out import described, judge_made, like_source, planned, source_disk, target
from tests.kernel.loop_disks import loop_disk, tool
from tests.kernel.nasty_tree import make_nasty_tree, release
from tests.unit.model.sources import filesystem

from smc.base.run import run
from smc.base.units import GIB, MIB
from smc.model import xfs
from smc.model.disk import Filesystem
from smc.model.plan import Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware
from smc.receiver import filesystems, mounts

pytestmark = pytest.mark.kernel

V4 = ("lazy-count", "attr2", "projid32bit")
OLD = ("crc", "lazy-count", "attr2", "projid32bit", "ftype")  # Linux 3.10
KNOWN = {
    "rhel6": V4,
    "rhel6 with ftype": (*V4, "ftype"),
    "rhel7": OLD,
    "rhel8": (*OLD, "finobt", "reflink", "sparse"),
    "debian12": (*OLD, "finobt", "reflink", "sparse", "inobtcount", "bigtime"),
    "everything": (*OLD, "finobt", "rmapbt", "reflink", "sparse", "inobtcount", "bigtime", "nrext64"),
}


def like(features: tuple[str, ...], **values: object) -> Filesystem:
    base = {"type": "xfs", "features": features, "block_size": 4096, "inode_size": 512, "inodes_used": 3}
    return filesystem("/srv", 10 * GIB, GIB, **{**base, **values})


def made(image: Path, fs: Filesystem, size: int) -> TargetPartition:
    part = like_source(fs, size, features=xfs.kept_features(fs))
    with image.open("wb") as file:
        file.truncate(size)
    filesystems.make(part, image, run)
    return part


@pytest.mark.parametrize("features", KNOWN.values(), ids=KNOWN)
def test_a_copy_has_the_features_of_its_source_and_no_other(
    tmp_path: Path, features: tuple[str, ...]
) -> None:
    image = tmp_path / "xfs.img"
    part = made(image, like(features), 400 * MIB)
    more = (*features, "exchange")
    judge_made(part, image, features, {"label": "other"}, {"inode_size": 1024}, {"features": more})


@pytest.mark.parametrize("features", [OLD, KNOWN["debian12"], KNOWN["everything"]], ids=["old", "new", "all"])
@pytest.mark.parametrize("size", [300 * MIB, GIB, 70 * GIB, 1100 * GIB], ids=["300M", "1G", "70G", "1100G"])
def test_a_made_filesystem_has_the_room_that_was_counted_on(
    tmp_path: Path, features: tuple[str, ...], size: int
) -> None:
    image, place = tmp_path / "xfs.img", tmp_path / "mounted"
    made(image, like(features), size)
    place.mkdir()
    tool("mount", "-o", "loop", image, place)
    try:
        room = os.statvfs(place)
    finally:
        tool("umount", place)
    assert room.f_bavail * room.f_frsize >= size - xfs.overhead_bytes(like(features), size)


def test_files_come_onto_a_copy_that_is_smaller(tmp_path: Path) -> None:
    old = ("mkfs.xfs", "-q", "-f", "-L", "data", "-m", "reflink=0,bigtime=0,inobtcount=0", "-i", "size=1024")
    with source_disk(tmp_path, 3 * GIB, *old) as (device, source):
        make_nasty_tree(source, longest_link=1000)
        (source / "big").write_bytes(os.urandom(40 * MIB))
        disk = described(device)
        fs = disk.partitions[0].filesystem
        assert fs and "reflink" not in fs.features and "crc" in fs.features
        plan = planned(disk, sizes_gib={1: 1})
        with target(tmp_path, plan) as nodes:
            with mounts.trees(plan, nodes, tmp_path / "trees", run) as places:
                Ends(source, places["1_1"]).copy()
                assert differences(source, places["1_1"]) == ""
                assert "nouuid" in Path("/proc/self/mountinfo").read_text()
                release(places["1_1"])
            assert filesystems.check(plan.disks[0].partitions[0], nodes["1_1"], run) == ""
            assert tool("blkid", "-p", "-o", "value", "-s", "UUID", nodes["1_1"]).strip() == fs.uuid
        release(source)


def content_of(image: Path) -> bytes:
    with image.open("rb") as file:
        return file_digest(file, "sha256").digest()


def test_damage_is_found_without_touching_it(tmp_path: Path) -> None:
    image = tmp_path / "xfs.img"
    part = made(image, like(KNOWN["debian12"]), 400 * MIB)
    tool("xfs_db", "-x", "-c", "inode 128", "-c", "write -d core.mode 0", image)
    before = content_of(image)
    assert "root inode" in filesystems.check(part, image, run)
    assert content_of(image) == before


def test_two_copies_of_one_source_are_mounted_beside_each_other(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for name in ("one", "two"):
            image = tmp_path / f"{name}.img"
            part = made(image, like(KNOWN["debian12"]), 400 * MIB)
            device = stack.enter_context(loop_disk(image, 400 * MIB))
            disk = TargetDisk(index=1, size=400 * MIB, partitions=(part,))
            plan = Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=(disk,))
            nodes = {part.source: device}
            places = stack.enter_context(mounts.trees(plan, nodes, tmp_path / name, run))
            (places[part.source] / name).touch()
        for name in ("one", "two"):
            assert [path.name for path in (tmp_path / name / "1_1").iterdir()] == [name]
