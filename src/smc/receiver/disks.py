"""Finding the target disks and their partitions: by serial number, never by the order of device names."""

import time
from collections.abc import Callable
from pathlib import Path

from smc.base.errors import Transient
from smc.base.units import readable_size
from smc.model.plan import TargetDisk

SYS_BLOCK = Path("/sys/block")
DEV = Path("/dev")
SERIAL_LENGTH = 20  # virtio-blk carries no more (VIRTIO_BLK_ID_BYTES)
SERIAL_FILES = ("serial", "device/serial")  # virtio-blk; NVMe
SECTOR = 512  # the kernel's unit in sysfs, whatever the disk's own
DISK_SECONDS = 120.0  # an attached disk shows up within seconds; a busy cloud takes longer
PARTITION_SECONDS = 30.0
POLL_SECONDS = 0.2

Find = Callable[[TargetDisk], Path]


def find(disk: TargetDisk, *, sys_block: Path = SYS_BLOCK, timeout: float = DISK_SECONDS) -> Path:
    """The device node of a disk, once it is there; `Transient` (`Disk.NotAttached`) after `timeout`."""
    deadline = time.monotonic() + timeout
    while True:
        for folder in sorted(sys_block.iterdir()) if disk.serial else ():
            if _serial(folder) == disk.serial[:SERIAL_LENGTH] and _size(folder) >= disk.size:
                return DEV / folder.name.replace("!", "/")  # sysfs writes a slash so
        if time.monotonic() >= deadline:
            raise Transient(
                f"disk {disk.index} ({disk.serial or 'no serial'}, {readable_size(disk.size)})"
                " is not attached to the intermediate instance",
                code="Disk.NotAttached",
                hint="Attach the disk again, or delete the job and create it again.",
            )
        time.sleep(POLL_SECONDS)


def partition(disk: Path, number: int) -> Path:
    """The kernel's name: a `p` in between where the disk's own ends with a digit."""
    return disk.with_name(f"{disk.name}{'p' if disk.name[-1].isdigit() else ''}{number}")


def has_partition(node: Path, size: int) -> bool:
    return node.is_block_device() and _size(Path("/sys/class/block", node.name)) == size


def wait_for_partition(node: Path, size: int, *, timeout: float = PARTITION_SECONDS) -> None:
    """Until the kernel has the partition with that size and its device node is there."""
    deadline = time.monotonic() + timeout
    while not has_partition(node, size):
        if time.monotonic() >= deadline:
            raise Transient(f"{node} did not appear", code="Disk.NoPartition")
        time.sleep(POLL_SECONDS)


def _serial(folder: Path) -> str:
    for name in SERIAL_FILES:
        try:
            return (folder / name).read_text().strip()[:SERIAL_LENGTH]
        except OSError:  # not every driver has it
            continue
    return ""


def _size(folder: Path) -> int:
    try:
        return int((folder / "size").read_text()) * SECTOR
    except OSError:
        return 0
