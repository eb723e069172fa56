"""What a Windows left on the disk of a source stays behind, by its name."""

import msgspec
from tests.unit.model.sources import data_disk, partition, server, system_disk

from smc.base.units import GIB, MIB
from smc.model.disk import Filesystem, Role
from smc.model.pieces import RESERVED
from smc.model.planner import plan
from smc.model.wishes import Limits, Wishes


def test_partitions_of_a_windows_beside_a_system_are_named_with_the_reason() -> None:
    disk = data_disk(1, "/srv")
    at = max(part.start + part.size for part in disk.partitions)
    more = (
        partition(7, at, 16 * MIB, None, role=Role.OTHER, type_code=RESERVED),
        partition(8, at + 16 * MIB, GIB, Filesystem(type="ntfs", uuid="0123456789ABCDEF")),
        partition(9, at + 2 * GIB, GIB, Filesystem(type="BitLocker"), role=Role.OTHER),
    )
    disk = msgspec.structs.replace(disk, size=disk.size + 8 * GIB, partitions=(*disk.partitions, *more))
    made = plan(server(system_disk(), disk), Wishes(), Limits())
    told = {left.what.rsplit(" ", 1)[-1]: left.why for left in made.left_behind}
    assert told == {
        "7": "reserved by Windows: it holds no files",
        "8": "ntfs: not mounted, so its files cannot be read",
        "9": "BitLocker encryption: not mounted, so its files cannot be read",
    }
