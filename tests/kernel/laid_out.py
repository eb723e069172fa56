"""A real filesystem of a source, its plan, and the target disk that is made by it."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tests.kernel.loop_disks import loop_disk, tool
from tests.unit.model.sources import server, system_disk

from smc.agent.disks import describe
from smc.agent.mounts import parse
from smc.agent.superblock import recognise
from smc.base.run import run
from smc.base.units import GIB
from smc.model.disk import Disk, Filesystem, Role
from smc.model.plan import Plan, TargetPartition
from smc.model.planner import plan
from smc.model.wishes import Limits, Wishes
from smc.receiver import filesystems, mounts
from smc.receiver.layout import lay_out, partition_nodes

UUID = "6f6b7a9e-0a63-4f2b-9c77-1c3f6f9e2a10"


def like_source(fs: Filesystem, size: int, **values: object) -> TargetPartition:
    """A partition for a filesystem with what `fs` is made like; `values` are fields of it."""
    part = TargetPartition(
        number=1,
        size=size,
        role=Role.FILESYSTEM,
        source="1_1",
        filesystem=fs.type,
        uuid=UUID,
        label="data one",
        mount_point="/srv",
        features=fs.features,
        block_size=fs.block_size,
        inode_size=fs.inode_size,
    )
    return msgspec.structs.replace(part, **values)


def judge_made(
    part: TargetPartition, device: Path, features: Collection[str], *others: dict[str, object]
) -> None:
    """What was made on `device` is recognised, sound, and kept unless it is to differ by one of `others`."""
    handle = os.open(device, os.O_RDONLY)
    try:
        found = recognise(lambda at, size: os.pread(handle, size, at), part.size)
    finally:
        os.close(handle)
    assert found
    assert set(found.features) == set(features)
    assert (found.uuid, found.label) == (UUID, "data one")
    assert (found.block_size, found.inode_size) == (part.block_size, part.inode_size)
    assert filesystems.is_made(part, device, run)
    for change in others:
        assert not filesystems.is_made(msgspec.structs.replace(part, **change), device, run)
    assert filesystems.check(part, device, run) == ""


@contextmanager
def source_disk(folder: Path, size: int, *words: str) -> Iterator[tuple[Path, Path]]:
    """A disk of one partition, made with `words`: its device, and where it is mounted."""
    with loop_disk(folder / "source.img", size) as device:
        run("sfdisk", "-q", "--no-reread", device, stdin="label: gpt\nstart=2048\n", timeout=30)
        tool("partx", "--update", device)
        tool(*words, f"{device}p1")
        place = folder / "source"
        place.mkdir()
        tool("mount", f"{device}p1", place)
        try:
            yield device, place
        finally:
            tool("umount", "-R", place)


def described(device: Path, mount_point: str = "/srv/data") -> Disk:
    """As the agent describes it, were it mounted there."""
    tool("sync")
    found = describe(device.name, parse(Path("/proc/self/mountinfo").read_text()))
    (part,) = found.partitions
    assert part.filesystem
    filesystem = msgspec.structs.replace(part.filesystem, mount_point=mount_point)
    return msgspec.structs.replace(
        found, index=1, partitions=(msgspec.structs.replace(part, filesystem=filesystem),)
    )


def planned(disk: Disk, **wishes: object) -> Plan:
    """With a system disk of no interest beside it, which is taken out again."""
    made = plan(server(system_disk(), disk), msgspec.structs.replace(Wishes(), **wishes), Limits())
    return msgspec.structs.replace(made, disks=made.disks[1:])


@contextmanager
def target(folder: Path, made: Plan) -> Iterator[dict[str, Path]]:
    """The nodes of the laid out target disk, by source partition."""
    (disk,) = made.disks
    with loop_disk(folder / "target.img", max(disk.size, GIB)) as device:
        assert lay_out(disk, device, run)
        assert not lay_out(disk, device, run), "it is kept as it is"
        try:
            yield {
                part.source: node
                for part, node in zip(disk.partitions, partition_nodes(disk, device), strict=True)
            }
        finally:
            mounts.unmount_below(folder / "trees", run)
