"""What the planner counts on, held against what mke2fs really makes."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.model.sources import FEATURES, filesystem, partition, server, system_disk

from smc.base.run import run
from smc.base.units import GIB, MIB
from smc.model import ext
from smc.model.disk import Disk, Table
from smc.model.planner import plan
from smc.model.wishes import Limits, Wishes
from smc.receiver import ext as receiver_ext
from smc.receiver import filesystems

pytestmark = pytest.mark.kernel

PLAIN = ["filetype"]
NEW = [*FEATURES, "orphan_file", "metadata_csum_seed", "inline_data", "ea_inode", "large_dir"]
OLD = ["has_journal", "ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file"]


@pytest.mark.parametrize("features", [FEATURES, NEW, OLD, PLAIN], ids=["ext4", "new", "ext3", "plain"])
@pytest.mark.parametrize(
    ("block", "inode"), [(1024, 128), (1024, 256), (2048, 256), (4096, 256), (4096, 1024)]
)
@pytest.mark.parametrize("density", [4096, 16384, 1 << 20])
@pytest.mark.parametrize("size", [64 * MIB, 1100 * MIB, 9 * GIB], ids=["64M", "1100M", "9G"])
def test_a_made_filesystem_has_the_room_and_the_inodes_that_were_counted_on(
    tmp_path: Path, features: list[str], block: int, inode: int, density: int, size: int
) -> None:
    inodes = size // max(density, block)
    if inode == 128:  # no room for data in them
        features = [name for name in features if name != "inline_data"]
    fs = filesystem(
        "/srv",
        size - inodes * inode,
        0,
        features=tuple(features),
        block_size=block,
        inode_size=inode,
        inodes=inodes,
        inodes_used=11,
    )
    parts = (partition(1, MIB, size, fs),)
    disk = Disk(index=1, path="/dev/vdb", size=size + 2 * MIB, table=Table.GPT, partitions=parts)
    part = plan(server(system_disk(), disk), Wishes(), Limits()).disks[1].partitions[0]
    part = msgspec.structs.replace(part, size=size, inodes=ext.inode_count(fs, size))
    image = tmp_path / "filesystem.img"
    with image.open("wb") as made:
        made.truncate(size)
    filesystems.make(part, image, run)
    told = receiver_ext.superblock(image, run)
    kept_back = min(size // 50, ext.DELAYED_BLOCKS * block)
    assert int(told["Free blocks"]) * block - kept_back >= size - ext.overhead_bytes(fs, size)
    assert filesystems.is_made(part, image, run)
