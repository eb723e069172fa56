"""btrfs on real block devices: its subvolumes anew, judged by the btrfs tools, the kernel and rsync."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from tests.kernel.copying import Ends, differences
from tests.kernel.laid_out import UUID, judge_made, like_source, planned, target
from tests.kernel.loop_disks import loop_disk, tool
from tests.kernel.nasty_tree import make_nasty_tree, release
from tests.unit.model.sources import filesystem

from smc.agent.disks import describe
from smc.agent.home import Home
from smc.agent.mounts import parse
from smc.agent.replicate import mount_trees
from smc.base.run import run
from smc.base.units import GIB, MIB
from smc.model import btrfs
from smc.model.disk import Disk, Filesystem
from smc.model.plan import TargetPartition, TargetSubvolume
from smc.receiver import filesystems, mounts
from smc.transfer.sender import SourceTree
from smc.transfer.writer import Received, TargetTree, receive
from smc.wire.channel import Channel
from smc.wire.listener import Listener

pytestmark = pytest.mark.kernel

OLD = ("extref", "skinny-metadata", "crc32c")
NEW = (*OLD[:2], "no-holes", "free-space-tree", "crc32c")


def part_of(features: tuple[str, ...], size: int, inode_size: int = 16384) -> TargetPartition:
    fs = filesystem("/srv", 0, 0, type="btrfs", features=features, block_size=4096, inode_size=inode_size)
    return like_source(fs, size)


@pytest.mark.parametrize(
    "features",
    [("crc32c",), OLD, NEW, (*NEW[:4], "xxhash"), ("mixed-bg", *OLD)],
    ids=["oldest", "old", "new", "xxhash", "mixed"],
)
def test_a_copy_has_the_features_of_its_source_and_no_other(
    tmp_path: Path, features: tuple[str, ...]
) -> None:
    part = part_of(features, 400 * MIB, inode_size=4096 if "mixed-bg" in features else 16384)
    with loop_disk(tmp_path / "btrfs.img", part.size) as device:
        filesystems.make(part, device, run)
        more = (TargetSubvolume(source="1_1", path=""), TargetSubvolume(source="1_1s1", path="@"))
        judge_made(part, device, features, {"subvolumes": more}, {"label": "other"})


@pytest.mark.parametrize("size", [256 * MIB, 600 * MIB, 3 * GIB], ids=["256M", "600M", "3G"])
def test_a_made_filesystem_has_the_room_that_was_counted_on(tmp_path: Path, size: int) -> None:
    fs = filesystem("/srv", 0, 0, type="btrfs")
    room = max(used for used in range(0, size, 4 * MIB) if btrfs.holds(_holding(fs, used), size))
    part = part_of(NEW, size)
    with loop_disk(tmp_path / "btrfs.img", size) as device:
        filesystems.make(part, device, run)
        place = tmp_path / "mounted"
        place.mkdir()
        tool("mount", device, place)
        try:
            left = room
            with (place / "file").open("wb") as file:
                while left > 0:
                    left -= file.write(os.urandom(min(left, 16 * MIB)))
                os.fsync(file.fileno())
            for number in range(2000):
                (place / f"small{number}").write_bytes(b"x" * 1000)
            tool("sync", "-f", place)
        finally:
            tool("umount", place)


def _holding(fs: Filesystem, used: int) -> Filesystem:
    return msgspec.structs.replace(fs, used=used, size=used)


@dataclass
class Trees(Ends):
    """Several trees at once."""

    here: Sequence[SourceTree] = ()
    there: Sequence[TargetTree] = field(default_factory=list)

    def source_trees(self) -> Sequence[SourceTree]:
        return self.here

    def receive(self, channel: Channel, listener: Listener) -> Received:
        return receive(channel, listener, self.there, threading.Event(), self.progress.append, self.memory)


@contextmanager
def source(folder: Path) -> Iterator[tuple[Disk, Path, Path]]:
    """`@`, the default, and `@home` mounted; `@/nested`, a writable copy of it, a read-only snapshot."""
    top, root, home = (folder / name for name in ("top", "root", "root/home"))
    with loop_disk(folder / "source.img", 3 * GIB) as device:
        run("sfdisk", "-q", "--no-reread", device, stdin="label: gpt\nstart=2048\n", timeout=30)
        tool("partx", "--update", device)
        node = f"{device}p1"
        tool("mkfs.btrfs", "-q", "-f", "-O", "^no-holes", "-L", "data", node)
        for place in (top, root):
            place.mkdir()
        tool("mount", node, top)
        for path in ("@", "@home", "@/nested"):
            tool("btrfs", "subvolume", "create", top / path)
        (top / "@" / "home").mkdir()
        (top / "@" / "etc").mkdir()
        (top / "@" / "etc" / "hostname").write_text("source\n")
        (top / "@" / "nested" / "file").write_text("in a subvolume\n")
        (top / "plain").mkdir()
        (top / "plain" / "file").write_text("beside them\n")
        (top / "@home" / "compressible").write_bytes(b"a" * 30 * MIB)
        make_nasty_tree(top / "@home")
        tool("btrfs", "subvolume", "snapshot", "-r", top / "@", top / "snapshot")
        tool("btrfs", "subvolume", "snapshot", top / "@/nested", top / "@/copy")
        number = tool("btrfs", "inspect-internal", "rootid", top / "@").strip()
        tool("btrfs", "subvolume", "set-default", number, top)
        tool("umount", top)
        tool("mount", "-o", "subvol=/@,compress=zstd:3", node, root)
        tool("mount", "-o", "subvol=/@home", node, home)
        try:
            found = describe(device.name, parse(Path("/proc/self/mountinfo").read_text()))
            yield msgspec.structs.replace(found, index=1), root, home
        finally:
            release(home)
            tool("umount", "-R", root)


def disk_node(folder: Path) -> str:
    return tool("findmnt", "-n", "-o", "SOURCE", "--nofsroot", folder / "root").strip()


def test_the_agent_describes_subvolumes_as_the_tools_list_them(tmp_path: Path) -> None:
    with source(tmp_path) as (disk, root, home):
        fs = disk.partitions[0].filesystem
        assert fs
        assert (fs.mount_point, fs.storing, fs.label) == (str(root), "compress=zstd:3", "data")
        assert [
            (each.path, each.mount_point, each.is_default, each.is_snapshot) for each in fs.subvolumes
        ] == [
            ("", "", False, False),
            ("@", str(root), True, False),
            ("@/copy", "", False, False),
            ("@/nested", "", False, False),
            ("@home", str(home), False, False),
            ("snapshot", "", False, True),
        ]
        whole = tmp_path / "whole"
        whole.mkdir()
        tool("mount", "-o", "subvolid=5", disk_node(tmp_path), whole)
        try:
            listed = tool("btrfs", "subvolume", "list", whole).splitlines()
        finally:
            tool("umount", whole)
        assert {line.split(" path ")[1] for line in listed} == {each.path for each in fs.subvolumes} - {""}
        assert "no-holes" not in fs.features
        room = os.statvfs(root)
        assert fs.size == room.f_blocks * room.f_frsize


def test_mounted_subvolumes_come_along_by_their_names(tmp_path: Path) -> None:
    with source(tmp_path) as (disk, root, home):
        plan = planned(disk, sizes_gib={1: 2})
        assert [left.what.split(" of ")[0] for left in plan.left_behind] == [
            "subvolume @/copy",
            "subvolume snapshot",
            "files beside the subvolumes in the top",
        ]
        (part,) = plan.disks[0].partitions
        assert part.uuid == disk.partitions[0].filesystem.uuid  # type: ignore[union-attr]  # it is mounted
        part = msgspec.structs.replace(part, uuid=UUID)  # the kernel knows one of each here
        disks = (msgspec.structs.replace(plan.disks[0], partitions=(part,)),)
        plan = msgspec.structs.replace(plan, disks=disks)
        assert [(each.path, each.mount_point, each.copied) for each in part.subvolumes] == [
            ("", "", False),
            ("@", str(root), True),
            ("@/nested", "", True),
            ("@home", str(home), True),
        ]
        agent = Home(tmp_path / "agent")
        agent.root.mkdir()
        agent.excludes.mkdir()
        with target(tmp_path, plan) as nodes:
            here = mount_trees(plan, agent)
            try:
                assert [tree.name for tree in here] == ["1_1s1", "1_1s2", "1_1s3"]
                with mounts.trees(plan, nodes, tmp_path / "trees", run) as places:
                    there = [TargetTree(name, 1, 1, place) for name, place in places.items()]
                    Trees(root, root, here=here, there=there).copy()
                    Trees(root, root, here=here, there=there).copy()
                    for tree in here:
                        same = differences(tree.path, places[tree.name], "/copy", "/nested")
                        assert same == "", tree.name
                    release(places["1_1s3"])
            finally:
                tool("umount", "-R", agent.mounts)
            assert filesystems.check(part, nodes["1_1"], run) == ""
            assert filesystems.is_made(part, nodes["1_1"], run)
            judge = tmp_path / "judge"
            judge.mkdir()
            tool("mount", "-o", "ro", nodes["1_1"], judge)
            try:
                assert (judge / "etc/hostname").read_text() == "source\n", "@ is the default subvolume"
            finally:
                tool("umount", judge)
            with mounts.root(plan, nodes, tmp_path / "whole", run) as whole:
                assert (whole / str(root).lstrip("/") / "etc/hostname").exists()
                assert (whole / str(home).lstrip("/") / "compressible").exists()
                inside = whole / str(root).lstrip("/") / "nested/file"
                assert inside.read_text() == "in a subvolume\n"


@contextmanager
def snapper(folder: Path) -> Iterator[tuple[Disk, Path]]:
    """As openSUSE has it: the root is a snapshot and the default, in a subvolume mounted at `.snapshots`."""
    top, root = folder / "top", folder / "root"
    first = "@/.snapshots/1/snapshot"
    with loop_disk(folder / "source.img", 2 * GIB) as device:
        run("sfdisk", "-q", "--no-reread", device, stdin="label: gpt\nstart=2048\n", timeout=30)
        tool("partx", "--update", device)
        node = f"{device}p1"
        tool("mkfs.btrfs", "-q", "-f", node)
        for place in (top, root):
            place.mkdir()
        tool("mount", node, top)
        try:
            for path in ("@", "@/.snapshots", "@/var"):
                tool("btrfs", "subvolume", "create", top / path)
            (top / "@/.snapshots/1").mkdir()
            tool("btrfs", "subvolume", "create", top / first)
            (top / first / "etc").mkdir()
            (top / first / "etc/hostname").write_text("suse\n")
            for mount_point in (".snapshots", "var"):
                (top / first / mount_point).mkdir()
            (top / "@/.snapshots/2").mkdir()
            tool("btrfs", "subvolume", "snapshot", "-r", top / first, top / "@/.snapshots/2/snapshot")
            for number in (1, 2):
                (top / f"@/.snapshots/{number}/info.xml").write_text(f"<num>{number}</num>\n")
            (top / "@/var/log").write_text("said\n")
            default = tool("btrfs", "inspect-internal", "rootid", top / first).strip()
            tool("btrfs", "subvolume", "set-default", default, top)
        finally:
            tool("umount", top)
        tool("mount", node, root)
        try:
            tool("mount", "-o", "subvol=/@/.snapshots", node, root / ".snapshots")
            tool("mount", "-o", "subvol=/@/var", node, root / "var")
            found = describe(device.name, parse(Path("/proc/self/mountinfo").read_text()))
            yield msgspec.structs.replace(found, index=1), root
        finally:
            tool("umount", "-R", root)


def test_the_layout_of_opensuse_comes_along_with_the_one_snapshot_that_it_starts_from(
    tmp_path: Path,
) -> None:
    with snapper(tmp_path) as (disk, root):
        plan = planned(disk, sizes_gib={1: 2})
        assert "subvolume @/.snapshots/2/snapshot" in {
            left.what.split(" of ")[0] for left in plan.left_behind
        }
        (part,) = plan.disks[0].partitions
        part = msgspec.structs.replace(part, uuid=UUID)
        disks = (msgspec.structs.replace(plan.disks[0], partitions=(part,)),)
        plan = msgspec.structs.replace(plan, disks=disks)
        agent = Home(tmp_path / "agent")
        agent.root.mkdir()
        agent.excludes.mkdir()
        with target(tmp_path, plan) as nodes:
            here = mount_trees(plan, agent)
            try:
                with mounts.trees(plan, nodes, tmp_path / "trees", run) as places:
                    there = [TargetTree(name, 1, 1, place) for name, place in places.items()]
                    for _ in range(2):  # what came first is not cleared away by the second
                        Trees(root, root, here=here, there=there).copy()
            finally:
                tool("umount", "-R", agent.mounts)
            judge = tmp_path / "judge"
            judge.mkdir()
            tool("mount", "-o", "ro", nodes["1_1"], judge)
            try:
                assert (judge / "etc/hostname").read_text() == "suse\n", "the snapshot is the default"
                tool("mount", "-o", "ro,subvol=/@/.snapshots", nodes["1_1"], judge / ".snapshots")
                assert sorted(path.name for path in (judge / ".snapshots").iterdir()) == ["1"]
                assert (judge / ".snapshots/1/info.xml").read_text() == "<num>1</num>\n"
                assert (judge / ".snapshots/1/snapshot/etc/hostname").exists()
                tool("mount", "-o", "ro,subvol=/@/var", nodes["1_1"], judge / "var")
                assert (judge / "var/log").read_text() == "said\n"
            finally:
                tool("umount", "-R", judge)
