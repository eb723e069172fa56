"""Lays out a target disk: its table, its partitions, its filesystems; kept when it is so already."""

import json
import logging
import re
from pathlib import Path

from smc.base.errors import Broken
from smc.base.run import Run
from smc.base.units import MIB
from smc.model.disk import Role, Table
from smc.model.plan import TargetDisk, TargetPartition
from smc.model.tables import extended, partition_starts
from smc.receiver import disks, filesystems, lvm, refusals

log = logging.getLogger(__name__)

SFDISK_SECONDS = 120.0
UDEV = Path("/run/udev/control")  # its socket, where it runs
SETTLE_SECONDS = 30  # udev has seldom more to do than a second
MBR_TYPES = {
    Role.FILESYSTEM: "83",
    Role.SWAP: "82",
    Role.ESP: "ef",
    Role.LVM: "8e",
}
EXTENDED = "5"
EXTENDED_TYPES = ("5", "f", "85")
NUMBER = re.compile(r"\d+$")
TYPES = {  # GPT type GUIDs (UEFI specification 5.3.3 and systemd's list)
    Role.FILESYSTEM: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    Role.SWAP: "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    Role.BIOS_BOOT: "21686148-6449-6E6F-744E-656564454649",
    Role.ESP: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    Role.LVM: "E6D6D379-F507-44C2-A23C-238F2A3DF928",
}


def lay_out(disk: TargetDisk, device: Path, run: Run) -> bool:
    """Make `device` what `disk` plans, and say whether anything had to be made.

    Nothing is touched when it is exactly that already: then it may hold an earlier run's copy.
    Raises `Broken`: `Disk.LayoutFailed` when what was made does not read back as planned; `Disk.TableFailed`,
    `Disk.GroupFailed`, `Disk.FormatFailed`, `Disk.Busy`, `Receiver.ToolMissing` when a tool fails.
    """
    if is_laid_out(disk, device, run):
        log.info("disk %s on %s is laid out already", disk.index, device)
        return False
    log.info("laying out disk %s on %s", disk.index, device)
    lvm.let_go(device, run)
    with refusals.told(f"the partition table of disk {disk.index}", "Disk.TableFailed"):
        run("wipefs", "--all", "--quiet", device, timeout=SFDISK_SECONDS)
        if disk.table is not Table.NONE:
            _write_table(disk, device, run)
    show_partitions(disk, device, run)
    if disk.group:
        with refusals.told(f"the volume group {disk.group.name}", "Disk.GroupFailed"):
            lvm.make(disk.group, _volumes(disk), _member_node(disk, device), run)
    for part, node in zip(disk.partitions, partition_nodes(disk, device), strict=True):
        what = f"the {part.filesystem} of {part.mount_point or node}"
        with refusals.told(what, "Disk.FormatFailed"):
            filesystems.make(part, node, run)
    if not is_laid_out(disk, device, run):
        raise Broken(f"disk {disk.index} on {device} does not read back as planned", code="Disk.LayoutFailed")
    return True


def is_laid_out(disk: TargetDisk, device: Path, run: Run) -> bool:
    if _read_table(device, run) != _planned_table(disk):
        return False
    show_partitions(disk, device, run)
    if disk.group:
        if not lvm.is_made(disk.group, _volumes(disk), _member_node(disk, device), run):
            return False
        lvm.switch_on(disk.group, _volumes(disk), _member_node(disk, device), run)
    nodes = partition_nodes(disk, device)
    return all(
        filesystems.is_made(part, node, run) for part, node in zip(disk.partitions, nodes, strict=True)
    )


def partition_nodes(disk: TargetDisk, device: Path) -> list[Path]:
    """Of all that can hold something; the device itself where there is no table."""
    return [lvm.node(part) if part.group else _node(part, device) for part in disk.partitions]


def show(disk: TargetDisk, device: Path, run: Run) -> None:
    """Have the nodes of a disk that is laid out."""
    show_partitions(disk, device, run)
    if disk.group:
        with refusals.told(f"the volume group {disk.group.name}", "Disk.GroupFailed"):
            lvm.switch_on(disk.group, _volumes(disk), _member_node(disk, device), run)


def _node(part: TargetPartition, device: Path) -> Path:
    return disks.partition(device, part.number) if part.number else device


def _member_node(disk: TargetDisk, device: Path) -> Path:
    return _node(disk.rows[-1], device)


def _volumes(disk: TargetDisk) -> list[TargetPartition]:
    return [part for part in disk.partitions if part.group]


def show_partitions(disk: TargetDisk, device: Path, run: Run) -> None:
    """Wait until the kernel has made the partitions' nodes.

    Most kernels read a new table by themselves, at udev's word once the writer has closed the disk, and may
    take the nodes away and make them again meanwhile. Only when that is over is a kernel that cannot read
    the table told by partx. partx loses against whoever was faster: what counts is what is there in the end.
    """
    if disk.table is Table.NONE:
        return
    sizes = {_node(part, device): part.size for part in disk.rows}
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
    is_mbr = disk.table is Table.MBR
    lines = ["label: dos", f"label-id: 0x{disk.table_uuid}"] if is_mbr else _gpt_head(disk)
    frame_start, frame_size = extended(disk)
    for part, start in zip(disk.rows, partition_starts(disk), strict=True):
        if frame_size and start > frame_start and not any(line.startswith("4 :") for line in lines):
            lines.append(f"4 : start={frame_start // MIB}MiB, size={frame_size // MIB}MiB, type={EXTENDED}")
        fields = [f"start={start // MIB}MiB", f"size={part.size // MIB}MiB", f"type={_type(disk, part)}"]
        if is_mbr:
            fields += ["bootable"] if part.bootable else []
        else:
            fields += [f"uuid={part.part_uuid}"] if part.part_uuid else []
            fields += [f'name="{_quoted(part.part_label)}"'] if part.part_label else []
        lines.append(f"{part.number} : {', '.join(fields)}")
    words = ("sfdisk", "--quiet", "--lock=yes", "--wipe=always", "--wipe-partitions=always", device)
    run(*words, stdin="\n".join(lines) + "\n", timeout=SFDISK_SECONDS)


def _gpt_head(disk: TargetDisk) -> list[str]:
    return ["label: gpt", f"label-id: {disk.table_uuid}"]


def _type(disk: TargetDisk, part: TargetPartition) -> str:
    return (MBR_TYPES if disk.table is Table.MBR else TYPES)[part.role]


def _quoted(name: str) -> str:
    r"""As `sfdisk --dump` writes it: what would end the string or the line is \xHH."""
    return "".join(f"\\x{ord(char):02x}" if char in '"\\`$' or ord(char) < 32 else char for char in name)


def _planned_table(disk: TargetDisk) -> dict[str, object] | None:
    if disk.table is Table.NONE:
        return None
    is_mbr = disk.table is Table.MBR
    return {
        "label": "dos" if is_mbr else "gpt",
        "id": f"0x{disk.table_uuid}".upper() if is_mbr else disk.table_uuid.upper(),
        "partitions": [
            (
                part.number,
                start,
                part.size,
                _type(disk, part).upper(),
                "" if is_mbr else part.part_uuid.upper(),
                part.part_label,
                part.bootable,
            )
            for part, start in zip(disk.rows, partition_starts(disk), strict=True)
        ],
    }


def _read_table(device: Path, run: Run) -> dict[str, object] | None:
    """In the shape of `_planned_table`; None when there is no table."""
    done = run("sfdisk", "--json", device, timeout=SFDISK_SECONDS, ok=(0, 1))
    if done.status:
        return None
    table = json.loads(done.stdout)["partitiontable"]
    sector = table.get("sectorsize", 512)
    is_mbr = table["label"] == "dos"
    return {
        "label": table["label"],
        "id": table.get("id", "").upper(),
        "partitions": [
            (
                _number(part["node"], device),
                part["start"] * sector,
                part["size"] * sector,
                part["type"].upper(),
                part.get("uuid", "").upper(),
                part.get("name", ""),
                part.get("bootable", False),
            )
            for part in table.get("partitions", ())
            if not (is_mbr and part["type"] in EXTENDED_TYPES)
        ],
    }


def _number(node: str, device: Path) -> int:
    found = NUMBER.search(node.removeprefix(str(device)))
    return int(found[0]) if found else 0
