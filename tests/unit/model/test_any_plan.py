"""Of any server and any wishes: a plan fits, and a refusal names the smallest size that works."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.model.sources import FEATURES, filesystem, partition, server
from tests.unit.model.test_planner import refusal, the_plan

from smc.base.errors import UserError
from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.formats import FORMATS, smallest_size
from smc.model.pieces import FIXED, SLACK
from smc.model.places import mounted
from smc.model.plan import Plan
from smc.model.server import Server
from smc.model.tables import ALIGNMENT, MBR_BYTES, partition_starts
from smc.model.wishes import PartWish


@st.composite
def filesystems(draw: st.DrawFn, mount_point: str) -> Filesystem:
    kind = draw(st.sampled_from(["ext2", "ext4", "xfs", "btrfs"]))
    size = draw(st.integers(64 * MIB, 400 * GIB))
    used = draw(st.integers(0, size))
    inodes = draw(st.sampled_from([0, size // 4096, size // 8192, size // 16384, size // 1048576]))
    features = draw(st.sets(st.sampled_from(FEATURES)))
    return filesystem(
        mount_point,
        size,
        used,
        type=kind,
        inodes=inodes,
        inodes_used=draw(st.integers(0, inodes)),
        features=tuple(sorted(features)),
        block_size=draw(st.sampled_from([0, 4096] if kind == "btrfs" else [0, 1024, 2048, 4096])),
        inode_size=draw(st.sampled_from([0, 128, 256, 512])),
    )


@st.composite
def disks(draw: st.DrawFn, index: int) -> Disk:
    mounts = ["/", "/boot", "/var"] if index == 0 else [f"/srv/{index}", f"/mnt/{index}", ""]
    parts: list[Partition] = []
    end = MIB
    for number, mount in enumerate(mounts[: draw(st.integers(1, 3))], start=1):
        fs = draw(filesystems(mount))
        size = max(int(fs.size * draw(st.floats(1.02, 1.4))), 1)
        parts.append(partition(number, end, size, fs))
        end += size + draw(st.integers(0, GIB))
        if draw(st.booleans()):
            swap = Filesystem(type="swap", uuid=f"{number}")
            parts.append(partition(number + 10, end, draw(st.integers(1, GIB)), swap, role=Role.SWAP))
            end += parts[-1].size
    tail = draw(st.integers(0, GIB))
    table = draw(st.sampled_from([Table.GPT, Table.MBR]))
    return Disk(index=index, path=f"/dev/vd{index}", size=end + tail, table=table, partitions=tuple(parts))


@st.composite
def servers(draw: st.DrawFn) -> Server:
    count = draw(st.integers(1, 3))
    return server(*(draw(disks(index)) for index in range(count)))


@st.composite
def wished_parts(draw: st.DrawFn, source: Server) -> dict[int, tuple[PartWish, ...]]:
    """Mount points in any order, some with a size, some on another disk, some on none."""
    parts: dict[int, list[PartWish]] = {}
    for disk in source.disks:
        if draw(st.booleans()):
            parts[disk.index] = []
    for disk in source.disks:
        for part in draw(st.permutations([part for part in disk.partitions if mounted(part)])):
            fs = part.filesystem
            assert fs
            size = draw(st.sampled_from([0, 0, part.size, 1, part.size // 2, part.size * 2 + 5]))
            wish = PartWish(source=f"{disk.index}_{part.number}", size=size)
            if fs.mount_point in FIXED:
                parts.setdefault(disk.index, []).append(wish)
            elif draw(st.integers(0, 3)):
                index = draw(st.integers(0, len(source.disks) - 1))
                if index in parts or index != disk.index:
                    parts.setdefault(index, []).append(wish)
    for disk in source.disks:  # a disk that a wish brought in has to have what the system needs
        named = {wish.source for wish in parts.get(disk.index, ())}
        needed = [f"{disk.index}_{p.number}" for p in disk.partitions if p.filesystem]
        if disk.index == 0 and disk.index in parts:
            roots = [f"0_{p.number}" for p in disk.partitions if p.filesystem and p.filesystem.mount_point]
            parts[0] += [PartWish(source=name) for name in roots if name not in named and name in needed]
    return {index: tuple(wishes) for index, wishes in parts.items()}


def check_fits(source: Server, made: Plan, parts: dict[int, tuple[PartWish, ...]]) -> None:
    by_name = {f"{d.index}_{p.number}": p for d in source.disks for p in d.partitions}
    wished = {part.source: part for parts_of in parts.values() for part in parts_of}
    wanted = {
        name
        for name, part in by_name.items()
        if mounted(part) and (name in wished or int(name.split("_")[0]) not in parts)
    }
    placed = [p.source for d in made.disks for p in d.partitions if p.mount_point]
    assert sorted(placed) == sorted(wanted)
    for disk in made.disks:
        starts = partition_starts(disk)
        ends = [start + part.size for start, part in zip(starts, disk.partitions, strict=True)]
        edge = 0 if disk.table is Table.NONE else ALIGNMENT
        assert starts[0] >= edge
        assert ends[-1] <= disk.size - edge
        assert ends[-1] <= MBR_BYTES or disk.table is not Table.MBR
        assert all(start % MIB == 0 for start in starts)
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
        assert any(part.mount_point for part in disk.partitions)
        ordered = [p.source for p in disk.partitions if p.mount_point]
        if disk.index in parts:
            chosen = [part.source for part in parts[disk.index]]
            assert ordered[: len(chosen)] == chosen
        else:
            own = [by_name[name].start for name in ordered if name.startswith(f"{disk.index}_")]
            assert own == sorted(own)
        for part in disk.partitions:
            if part.mount_point:
                fs = by_name[part.source].filesystem
                assert fs
                assert FORMATS[fs.type].holds(fs, part.size)
                assert set(part.features) <= set(fs.features)
                assert part.inodes >= fs.inodes_used or fs.type in ("xfs", "btrfs")
                if part.source in wished:
                    size = wished[part.source].size
                    slack = SLACK if size == by_name[part.source].size else 0
                    assert part.size >= size - slack
        if disk.index == 0 and disk.table is Table.GPT:
            assert sum(p.role is Role.BIOS_BOOT for p in disk.partitions) == 1


SMALLEST_GIB = re.compile(r"smallest size that works is (\d+) GiB")


SMALLEST_BYTES = re.compile(r"smallest size that works is (\d+) bytes")


@settings(max_examples=150, deadline=None)
@given(source=servers(), sizes=st.dictionaries(st.integers(0, 2), st.integers(1, 3000)), data=st.data())
def test_a_returned_plan_fits_and_a_refused_size_names_the_smallest_that_works(
    source: Server, sizes: dict[int, int], data: st.DataObject
) -> None:
    sizes = {index: size for index, size in sizes.items() if index < len(source.disks)}
    parts = data.draw(wished_parts(source))
    for _ in range(30):
        try:
            made = the_plan(source, sizes_gib=sizes, parts=parts)
        except UserError as error:
            index = int(re.findall(r"disk (\d+)", error.message)[0]) if "disk " in error.message else -1
            match error.code:
                case "Disk.TooSmall":
                    smallest = int(SMALLEST_GIB.findall(error.message)[0])
                    assert smallest > sizes.get(index, 0)
                    if smallest - 1 >= sizes.get(index, 0):
                        less = {**sizes, index: smallest - 1}
                        assert refusal(source, sizes_gib=less, parts=parts).code == error.code
                    sizes = {**sizes, index: smallest}
                case "Disk.TooLarge" if index >= 0:
                    assert sizes.pop(index) > 2048
                case "Disk.TooLarge":  # more than the destination has disks for
                    return
                case "Part.TooSmall":
                    name = f"/{error.message.split(' for /')[1].split(' (')[0]}"
                    least = int(SMALLEST_BYTES.findall(error.message)[0])
                    parts = resized(source, parts, name, least)
                case "Part.TooLarge":
                    name = f"/{error.message.split(' for /')[1].split(' (')[0]}"
                    parts = resized(source, parts, name, 0)
                case _:
                    raise
        else:
            check_fits(source, made, parts)
            return
    pytest.fail("a smallest size that was named did not work")


def resized(
    source: Server, parts: dict[int, tuple[PartWish, ...]], mount_point: str, size: int
) -> dict[int, tuple[PartWish, ...]]:
    (name,) = (
        f"{disk.index}_{part.number}"
        for disk in source.disks
        for part in disk.partitions
        if part.filesystem and part.filesystem.mount_point == mount_point
    )
    return {
        index: tuple(PartWish(source=name, size=size) if wish.source == name else wish for wish in wishes)
        for index, wishes in parts.items()
    }


@given(fs=filesystems("/"), more=st.integers(0, 4096))
def test_what_holds_at_a_size_holds_at_any_larger_size(fs: Filesystem, more: int) -> None:
    smallest = smallest_size(fs)
    holds = FORMATS[fs.type].holds
    assert holds(fs, smallest)
    assert holds(fs, smallest + more * MIB)
    assert not holds(fs, smallest - MIB)
