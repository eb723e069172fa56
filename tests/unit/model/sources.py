"""Source servers to plan for."""

import msgspec

from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.server import Architecture, Dmi, Firmware, OsRelease, Server

FEATURES = [
    "has_journal",
    "ext_attr",
    "resize_inode",
    "dir_index",
    "filetype",
    "needs_recovery",
    "extent",
    "64bit",
    "flex_bg",
    "sparse_super",
    "large_file",
    "huge_file",
    "dir_nlink",
    "extra_isize",
    "metadata_csum",
]


def filesystem(mount_point: str, size: int, used: int, **values: object) -> Filesystem:
    base = Filesystem(
        type="ext4",
        uuid="6f6b7a9e-0a63-4f2b-9c77-1c3f6f9e2a10",
        label="data",
        mount_point=mount_point,
        size=size,
        used=used,
        inodes=size // 16384,
        inodes_used=min(1000, size // 16384),
        features=tuple(FEATURES),
        block_size=4096,
        inode_size=256,
    )
    return msgspec.structs.replace(base, **values)


def partition(number: int, start: int, size: int, fs: Filesystem | None, **values: object) -> Partition:
    base = Partition(
        number=number,
        start=start,
        size=size,
        role=Role.FILESYSTEM,
        part_uuid=f"00000000-0000-4000-8000-0000000000{number:02}",
        filesystem=fs,
    )
    return msgspec.structs.replace(base, **values)


def server(*disks: Disk, firmware: Firmware = Firmware.BIOS) -> Server:
    return Server(
        fingerprint="f",
        hostname="web-1",
        os=OsRelease(id="debian"),
        kernel="6.1.0",
        architecture=Architecture.X86_64,
        firmware=firmware,
        dmi=Dmi(),
        origin="kvm",
        cores=2,
        memory=GIB,
        disks=disks,
    )


def system_disk(*, size: int = 30 * GIB, used: int = 5 * GIB, table: Table = Table.GPT) -> Disk:
    """BIOS boot, /boot, /, swap."""
    swap = Filesystem(type="swap", uuid="11111111-2222-4333-8444-555555555555")
    root = size - 2 * GIB - 514 * MIB
    return Disk(
        index=0,
        path="/dev/vda",
        size=size,
        table=table,
        table_uuid="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        partitions=(
            partition(14, MIB, MIB, None, role=Role.BIOS_BOOT),
            partition(1, 2 * MIB, 512 * MIB, filesystem("/boot", 480 * MIB, 100 * MIB)),
            partition(2, 514 * MIB, root, filesystem("/", root * 98 // 100, used)),
            partition(3, 514 * MIB + root, 2 * GIB - MIB, swap, role=Role.SWAP),
        ),
    )


def data_disk(index: int, mount_point: str, *, size: int = 10 * GIB, used: int = GIB) -> Disk:
    fs = filesystem(mount_point, (size - 2 * MIB) * 98 // 100, used)
    return Disk(
        index=index,
        path=f"/dev/vd{'abcdefgh'[index]}",
        size=size,
        table=Table.GPT,
        partitions=(partition(1, MIB, size - 2 * MIB, fs),),
    )
