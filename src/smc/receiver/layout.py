"""Lays out a target disk: a GPT, its partitions, its filesystems; kept when it is so already."""

import json
import logging
from pathlib import Path

from smc.base.errors import Broken
from smc.base.run import Run
from smc.base.units import MIB
from smc.model.disk import Role
from smc.model.plan import TargetDisk, TargetPartition
from smc.model.planner import partition_starts
from smc.receiver import disks, filesystems

log = logging.getLogger(__name__)

SFDISK_SECONDS = 120.0
UDEV = Path("/run/udev/control")  # its socket, where it runs
SETTLE_SECONDS = 30  # udev has seldom more to do than a second
TYPES = {  # GPT type GUIDs (UEFI specification 5.3.3 and systemd's list)
    Role.FILESYSTEM: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    Role.SWAP: "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    Role.BIOS_BOOT: "21686148-6449-6E6F-744E-656564454649",
    Role.ESP: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
}


def lay_out(disk: TargetDisk, device: Path, run: Run) -> bool:
    """Make `device` what `disk` plans, and say whether anything had to be made.

    Nothing is touched when it is exactly that already: then it may hold an earlier run's copy.
    Raises `Broken` (`Disk.LayoutFailed`) when what was made does not read back as planned.
    """
    nodes = partition_nodes(disk, device)
    if is_laid_out(disk, device, run):
        log.info("disk %s on %s is laid out already", disk.index, device)
        return False
    log.info("laying out disk %s on %s", disk.index, device)
    _write_table(disk, device, run)
    show_partitions(disk, device, run)
    for part, node in zip(disk.partitions, nodes, strict=True):
        filesystems.make(part, node, run)
    if not is_laid_out(disk, device, run):
        raise Broken(f"disk {disk.index} on {device} does not read back as planned", code="Disk.LayoutFailed")
    return True


def is_laid_out(disk: TargetDisk, device: Path, run: Run) -> bool:
    if _read_table(device, run) != _planned_table(disk):
        return False
    nodes = partition_nodes(disk, device)
    show_partitions(disk, device, run)
    return all(
        filesystems.is_made(part, node, run) for part, node in zip(disk.partitions, nodes, strict=True)
    )


def partition_nodes(disk: TargetDisk, device: Path) -> list[Path]:
    return [disks.partition(device, part.number) for part in disk.partitions]


def show_partitions(disk: TargetDisk, device: Path, run: Run) -> None:
    """Wait until the kernel has made the partitions' nodes.

    Most kernels read a new table by themselves, at udev's word once the writer has closed the disk, and may
    take the nodes away and make them again meanwhile. Only when that is over is a kernel that cannot read
    the table told by partx. partx loses against whoever was faster: what counts is what is there in the end.
    """
    sizes = {
        node: part.size for node, part in zip(partition_nodes(disk, device), disk.partitions, strict=True)
    }
    if UDEV.exists():
        run("udevadm", "settle", f"--timeout={SETTLE_SECONDS}", timeout=SFDISK_SECONDS, ok=(0, 1))
    if not all(disks.has_partition(node, size) for node, size in sizes.items()):
        # What is left of an older table may lie across the new one.
        run("partx", "--delete", device, timeout=SFDISK_SECONDS, ok=(0, 1))
        run("partx", "--add", device, timeout=SFDISK_SECONDS, ok=(0, 1))
    for node, size in sizes.items():
        disks.wait_for_partition(node, size)


def _write_table(disk: TargetDisk, device: Path, run: Run) -> None:
    """`--lock` keeps udev from looking in the middle; `--wipe*` takes old signatures away."""
    lines = ["label: gpt", f"label-id: {disk.table_uuid}"]
    for part, start in zip(disk.partitions, partition_starts(disk), strict=True):
        fields = [f"start={start // MIB}MiB", f"size={part.size // MIB}MiB", f"type={TYPES[part.role]}"]
        fields += [f"uuid={part.part_uuid}"] if part.part_uuid else []
        fields += [f'name="{_quoted(part.part_label)}"'] if part.part_label else []
        lines.append(f"{part.number} : {', '.join(fields)}")
    words = ("sfdisk", "--quiet", "--lock=yes", "--wipe=always", "--wipe-partitions=always", device)
    run(*words, stdin="\n".join(lines) + "\n", timeout=SFDISK_SECONDS)


def _quoted(name: str) -> str:
    r"""As `sfdisk --dump` writes it: what would end the string or the line is \xHH."""
    return "".join(f"\\x{ord(char):02x}" if char in '"\\`$' or ord(char) < 32 else char for char in name)


def _planned_table(disk: TargetDisk) -> dict[str, object]:
    return {
        "label": "gpt",
        "id": disk.table_uuid.upper(),
        "partitions": [
            _entry(part, start) for part, start in zip(disk.partitions, partition_starts(disk), strict=True)
        ],
    }


def _entry(part: TargetPartition, start: int) -> tuple[int, int, int, str, str, str]:
    return (part.number, start, part.size, TYPES[part.role], part.part_uuid.upper(), part.part_label)


def _read_table(device: Path, run: Run) -> dict[str, object] | None:
    """In the shape of `_planned_table`; None when there is no table."""
    done = run("sfdisk", "--json", device, timeout=SFDISK_SECONDS, ok=(0, 1))
    if done.status:
        return None
    table = json.loads(done.stdout)["partitiontable"]
    sector = table.get("sectorsize", 512)
    return {
        "label": table["label"],
        "id": table.get("id", "").upper(),
        "partitions": [
            (
                index,
                part["start"] * sector,
                part["size"] * sector,
                part["type"].upper(),
                part.get("uuid", "").upper(),
                part.get("name", ""),
            )
            for index, part in enumerate(table.get("partitions", ()), start=1)
        ],
    }
