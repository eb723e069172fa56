"""The disks of this machine, read from sysfs, from the disks themselves and from the list of mounts."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from smc.agent.btrfs import Listed, list_subvolumes
from smc.agent.mounts import Mount, btrfs_mounts, main_mount, parse
from smc.agent.superblock import Found, Read, recognise
from smc.agent.tables import EXTENDED, Entry, read_layout
from smc.agent.volumes import read_volumes
from smc.model.disk import Disk, Filesystem, Partition, Role, Subvolume, Table, Volume

SECTOR = 512  # sysfs counts in these, whatever the disk's own sectors are
NOT_DISKS = re.compile(r"(loop|ram|zram|sr|fd|dm-|md|nbd|mtdblock|drbd)\d|mmcblk\d+(boot|rpmb)")
NUMBER = re.compile(r"(\d+)")
ROLES = {
    "21686148-6449-6e6f-744e-656564454649": Role.BIOS_BOOT,
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": Role.ESP,
    "0xef": Role.ESP,
    **{f"0x{kind:x}": Role.OTHER for kind in EXTENDED},
}
CONTAINERS = frozenset({"LVM2_member", "linux_raid_member", "crypto_LUKS", "BitLocker"})

log = logging.getLogger(__name__)

StatVfs = Callable[[str], os.statvfs_result]


class Storage(NamedTuple):
    disks: tuple[Disk, ...]
    volumes: tuple[Volume, ...]

    @property
    def filesystems(self) -> list[Filesystem]:
        on_partitions = [part.filesystem for disk in self.disks for part in disk.partitions]
        on_volumes = [volume.filesystem for volume in self.volumes]
        return [filesystem for filesystem in (*on_partitions, *on_volumes) if filesystem]


def read_storage(root: Path = Path("/"), statvfs: StatVfs = os.statvfs) -> Storage:
    """All disks: the system disk, which holds `/`, as index 0, the others in the order of their names.

    `root` is where sys, proc and dev are found.
    """
    mounts = parse((root / "proc/self/mountinfo").read_text(errors="replace"))
    names = _names(root / "sys/block")
    found = [(name, describe(name, mounts, root, statvfs)) for name in names]

    def look(folder: Path, node: Path, size: int) -> Filesystem | None:
        return _filesystem(folder, node, 0, size, mounts, statvfs)

    # By the kernel's names first: which disk is which is known when it is known where / is.
    volumes = read_volumes(root, {name: name for name in _bottom(root / "sys/block", names)}, look)
    roots = {name for volume in volumes if volume.filesystem.mount_point == "/" for name in volume.on}
    below = {name: set(_bottom(root / "sys/block", [name])) for name in names}
    found.sort(key=lambda pair: not (_holds_root(pair[1]) or roots & below[pair[0]]))
    places = {
        kernel: f"{index}_{number}"
        for index, (name, _) in enumerate(found)
        for kernel, number in _bottom(root / "sys/block", [name]).items()
    }
    return Storage(
        disks=tuple(msgspec.structs.replace(disk, index=at) for at, (_, disk) in enumerate(found)),
        volumes=tuple(
            msgspec.structs.replace(volume, on=tuple(places[name] for name in volume.on))
            for volume in volumes
        ),
    )


def read_disks(root: Path = Path("/"), statvfs: StatVfs = os.statvfs) -> tuple[Disk, ...]:
    return read_storage(root, statvfs).disks


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


def _bottom(block: Path, names: Sequence[str]) -> dict[str, int]:
    """The kernel's names of disks and their partitions, each with its number; 0 for a disk itself."""
    found = {}
    for name in names:
        found[name] = 0
        for entry in (block / name).iterdir():
            if entry.name.startswith(name) and (number := _text(entry / "partition")):
                found[entry.name] = int(number)
    return found


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
    if found and found.type == "btrfs":
        return _btrfs(found, btrfs_mounts(mounts, _sources(sysfs)), statvfs)
    mount = main_mount(mounts, _text(sysfs / "dev"))
    if mount is None:
        return _unmounted(found) if found else None
    return _mounted(_unmounted(found or Found(type=mount.type)), mount, statvfs)


def _sources(sysfs: Path) -> list[str]:
    name = _text(sysfs / "dm/name")
    return [f"/dev/{sysfs.name}", *([f"/dev/mapper/{name}"] if name else [])]


def _btrfs(found: Found, mounts: Sequence[Mount], statvfs: StatVfs) -> Filesystem:
    """`mounts` are all of it: of several subvolumes, perhaps each several times."""
    if not mounts:
        return _unmounted(found)
    points: dict[str, str] = {}
    for mount in mounts:
        points.setdefault(mount.subvolume or "", mount.point)
    try:
        listed = list_subvolumes(mounts[0].point)
    except OSError as e:
        log.warning("the subvolumes of %s cannot be listed: %s", mounts[0].point, e)
        listed = [Listed(path, False, False, False) for path in sorted({"", *points})]
    subvolumes = tuple(
        Subvolume(
            path=each.path,
            mount_point=points.get(each.path, ""),
            is_default=each.is_default,
            is_snapshot=each.is_snapshot,
            is_clone=each.is_clone,
        )
        for each in listed
    )
    whole = [mount for mount in mounts if mount.subvolume in {each.path for each in listed}]
    if not whole:
        return _unmounted(found)
    described = _mounted(_unmounted(found), whole[0], statvfs)
    return msgspec.structs.replace(described, subvolumes=subvolumes, storing=whole[0].storing)


def _mounted(filesystem: Filesystem, mount: Mount, statvfs: StatVfs) -> Filesystem:
    space = statvfs(mount.point)
    return msgspec.structs.replace(
        filesystem,
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
