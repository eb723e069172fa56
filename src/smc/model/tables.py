"""Where partitions lie on a target disk: GPT, MBR with logical partitions, or a filesystem on all of it.

The table is the source's. Everything stands on whole MiB; one is free before the first partition, after the
last, and before each logical one, where its own small table is.
"""

from collections.abc import Sequence

from smc.base.units import GIB
from smc.model.disk import Disk, Table
from smc.model.pieces import Piece
from smc.model.plan import TargetDisk

ALIGNMENT = 1 << 20
PRIMARY = 4  # what an MBR has rows for; with more partitions the fourth row is the frame of the logical ones
MBR_BYTES = 2048 * GIB  # 2**32 sectors of 512 bytes


def table_of(disk: Disk, pieces: Sequence[Piece], size: int) -> Table:
    """`pieces` without those in a volume group: with none left it fills a disk that had no table."""
    if disk.table is Table.MBR and size <= MBR_BYTES:
        return Table.MBR
    if disk.table is Table.NONE and disk.index and not pieces:
        return Table.NONE
    (whole, *others) = pieces or (None,)
    if disk.table is Table.NONE and disk.index and not others and whole and whole.key == f"{disk.index}_0":
        return Table.NONE
    return Table.GPT


def frame_bytes(table: Table, count: int) -> int:
    """What no partition gets of a disk with so many."""
    match table:
        case Table.NONE:
            return 0
        case Table.GPT:
            return 2 * ALIGNMENT
        case Table.MBR:
            return (2 + _logical(count)) * ALIGNMENT


def numbers(table: Table, count: int) -> list[int]:
    match table:
        case Table.NONE:
            return [0]
        case Table.GPT:
            return list(range(1, count + 1))
        case Table.MBR:
            primary = count if count <= PRIMARY else PRIMARY - 1
            return [*range(1, primary + 1), *range(PRIMARY + 1, PRIMARY + 1 + _logical(count))]


def partition_starts(disk: TargetDisk) -> list[int]:
    """Byte offsets of the partitions, in the order of the table."""
    if disk.table is Table.NONE:
        return [0]
    starts, end = [], ALIGNMENT
    for partition in disk.rows:
        end += ALIGNMENT if is_logical(disk, partition.number) else 0
        starts.append(end)
        end += partition.size
    return starts


def is_logical(disk: TargetDisk, number: int) -> bool:
    return disk.table is Table.MBR and number > PRIMARY


def extended(disk: TargetDisk) -> tuple[int, int]:
    """Start and size of the frame around the logical partitions; sizes of 0 where there are none."""
    starts = partition_starts(disk)
    within = [
        (start, part.size)
        for start, part in zip(starts, disk.rows, strict=True)
        if is_logical(disk, part.number)
    ]
    if not within:
        return 0, 0
    first, (last, size) = within[0][0] - ALIGNMENT, within[-1]
    return first, last + size - first


def _logical(count: int) -> int:
    return count - (PRIMARY - 1) if count > PRIMARY else 0
