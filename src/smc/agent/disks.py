"""The disks of this machine, read from sysfs, from the disks themselves and from the list of mounts."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smc.agent.mounts import Mount, main_mount, parse
from smc.agent.superblock import Found, Read, recognise
from smc.agent.tables import EXTENDED, Entry, read_layout
from smc.model.disk import Disk, Filesystem, Partition, Role, Table

SECTOR = 512  # sysfs counts in these, whatever the disk's own sectors are
NOT_DISKS = re.compile(r"(loop|ram|zram|sr|fd|dm-|md|nbd|mtdblock|drbd)\d|mmcblk\d+(boot|rpmb)")
NUMBER = re.compile(r"(\d+)")
ROLES = {
    "21686148-6449-6e6f-744e-656564454649": Role.BIOS_BOOT,
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": Role.ESP,
    "0xef": Role.ESP,
    **{f"0x{kind:x}": Role.OTHER for kind in EXTENDED},
}
CONTAINERS = frozenset({"LVM2_member", "linux_raid_member", "crypto_LUKS"})

log = logging.getLogger(__name__)

StatVfs = Callable[[str], os.statvfs_result]


def read_disks(root: Path = Path("/"), statvfs: StatVfs = os.statvfs) -> tuple[Disk, ...]:
    """All disks: the system disk, which holds `/`, as index 0, the others in the order of their names.

    `root` is where sys, proc and dev are found.
    """
    mounts = parse((root / "proc/self/mountinfo").read_text(errors="replace"))
    disks = [describe(name, mounts, root, statvfs) for name in _names(root / "sys/block")]
    disks.sort(key=lambda disk: not _holds_root(disk))
    return tuple(msgspec.structs.replace(disk, index=index) for index, disk in enumerate(disks))


def describe(
    name: str, mounts: Sequence[Mount], root: Path = Path("/"), statvfs: StatVfs = os.statvfs
) -> Disk:
    """The disk that the kernel calls `name`, as index 0."""
    folder, device = root / "sys/block" / name, root / "dev" / name
    size = int(_text(folder / "size") or 0) * SECTOR
    sector = int(_text(folder / "queue/logical_block_size") or SECTOR)
    with _reading(device) as read:
        layout = read_layout(read, size, sector)
    if layout.table is Table.NONE:
        filesystem = _filesystem(folder, device, 0, size, mounts, statvfs)
        parts = [_whole(size, filesystem)] if filesystem else []
    else:
        parts = [_partition(folder, device, entry, mounts, statvfs) for entry in layout.entries]
    return Disk(
        index=0,
        path=f"/dev/{name}",
        size=size,
        table=layout.table,
        logical_sector=sector,
        table_uuid=layout.table_uuid,
        model=_text(folder / "device/model"),
        serial=_text(folder / "serial") or _text(folder / "device/serial") or _scsi_serial(folder),
        partitions=tuple(parts),
    )


def _names(folder: Path) -> list[str]:
    """Disks with hardware (real or virtual) behind them, in the order people count: sdb before sdaa."""
    names = [
        entry.name
        for entry in folder.iterdir()
        if not NOT_DISKS.match(entry.name)
        and (entry / "device").exists()
        and int(_text(entry / "size") or 0)
        and _text(entry / "removable") != "1"
    ]
    return sorted(names, key=lambda name: (len(NUMBER.sub("", name)), _natural(name)))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(word), "") if word.isdigit() else (0, word) for word in NUMBER.split(name)]


def _whole(size: int, filesystem: Filesystem) -> Partition:
    return Partition(number=0, start=0, size=size, role=_role("", filesystem), filesystem=filesystem)


def _partition(
    folder: Path, device: Path, entry: Entry, mounts: Sequence[Mount], statvfs: StatVfs
) -> Partition:
    sysfs = _sysfs_of(folder, entry.number)
    node = device.with_name(sysfs.name) if sysfs else device
    filesystem = None
    if ROLES.get(entry.type_code) not in {Role.BIOS_BOOT, Role.OTHER}:
        start = 0 if sysfs and node.exists() else entry.start
        node = node if node.exists() else device
        filesystem = _filesystem(sysfs or folder, node, start, entry.size, mounts, statvfs)
    return Partition(
        number=entry.number,
        start=entry.start,
        size=entry.size,
        role=_role(entry.type_code, filesystem),
        type_code=entry.type_code,
        part_uuid=entry.part_uuid,
        part_label=entry.part_label,
        bootable=entry.bootable,
        filesystem=filesystem,
    )


def _sysfs_of(folder: Path, number: int) -> Path | None:
    for entry in folder.iterdir():
        if entry.name.startswith(folder.name) and _text(entry / "partition") == str(number):
            return entry
    return None


def _role(type_code: str, filesystem: Filesystem | None) -> Role:
    if type_code in ROLES:
        return ROLES[type_code]
    if filesystem is None or filesystem.type in CONTAINERS:
        return Role.OTHER
    return Role.SWAP if filesystem.type == "swap" else Role.FILESYSTEM


def _filesystem(
    sysfs: Path, device: Path, start: int, size: int, mounts: Sequence[Mount], statvfs: StatVfs
) -> Filesystem | None:
    with _reading(device, start) as read:
        found = recognise(read, size)
    mount = main_mount(mounts, _text(sysfs / "dev"))
    if mount is None:
        return _unmounted(found) if found else None
    space = statvfs(mount.point)
    return msgspec.structs.replace(
        _unmounted(found or Found(type=mount.type)),
        type=mount.type,
        mount_point=mount.point,
        mount_options=mount.options,
        size=space.f_blocks * space.f_frsize,
        used=(space.f_blocks - space.f_bfree) * space.f_frsize,
        inodes=space.f_files,
        inodes_used=space.f_files - space.f_ffree,
    )


def _unmounted(found: Found) -> Filesystem:
    return Filesystem(
        type=found.type,
        uuid=found.uuid,
        label=found.label,
        features=found.features,
        block_size=found.block_size,
        inode_size=found.inode_size,
    )


def _holds_root(disk: Disk) -> bool:
    return any(part.filesystem and part.filesystem.mount_point == "/" for part in disk.partitions)


def _scsi_serial(folder: Path) -> str:
    """Page 0x80 of the vital product data (SPC-4, 7.8.15): four bytes of head, then the serial."""
    try:
        return (folder / "device/vpd_pg80").read_bytes()[4:].decode("ascii", "replace").strip("\0 ")
    except OSError:
        return ""


def _text(path: Path) -> str:
    """One line of sysfs; "" where the kernel has none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def _reading(device: Path, start: int = 0) -> Iterator[Read]:
    """What cannot be read reads as nothing: the disk is then described by what the kernel knows of it."""
    try:
        handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        log.debug("%s cannot be opened: %s", device, e.strerror)
        yield lambda _offset, _size: b""
        return

    def read(offset: int, size: int) -> bytes:
        try:
            return os.pread(handle, size, start + offset)
        except OSError as e:
            log.debug("%s cannot be read at byte %d: %s", device, start + offset, e.strerror)
            return b""

    try:
        yield read
    finally:
        os.close(handle)
