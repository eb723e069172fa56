"""LVM on a target disk: the group of a plan is made, recognised, switched on, and an older one let go.

Every command is told the one device that it may look at: another disk may still hold a group of that name.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path

from smc.base.errors import Transient
from smc.base.run import Output, Run
from smc.model.logical import EXTENT
from smc.model.plan import TargetPartition, VolumeGroup

SYS_BLOCK = Path("/sys/class/block")
MAPPER = Path("/dev/mapper")
LVM_SECONDS = 120.0
NODE_SECONDS = 30.0
POLL_SECONDS = 0.2
NOT_FOUND = 5  # what LVM's commands end with, whatever they could not do
METADATA_MIB = 1  # before the first extent: what the planner counts on (model/logical.py)


def node(part: TargetPartition) -> Path:
    """Of a logical volume. Its names have no hyphen, which device-mapper would double."""
    return MAPPER / part.logical.replace("/", "-")


def make(group: VolumeGroup, parts: Sequence[TargetPartition], device: Path, run: Run) -> None:
    """On `device`, the group's physical volume; what was there is lost. The volumes are on afterwards."""
    align = ("--dataalignment", f"{METADATA_MIB}m")
    _lvm(run, device, "pvcreate", "-ff", "--yes", *align, str(device))
    _lvm(run, device, "vgcreate", "--physicalextentsize", f"{EXTENT}b", group.name, str(device))
    for part in parts:
        name = part.logical.removeprefix(f"{group.name}/")
        new = ("--yes", "--wipesignatures", "y", "--size", f"{part.size}b", "--name", name)
        _lvm(run, device, "lvcreate", *new, group.name)
    _wait_for(parts, run)


def is_made(group: VolumeGroup, parts: Sequence[TargetPartition], device: Path, run: Run) -> bool:
    """Whether `device` carries exactly this group; it does not look into the volumes."""
    columns = "vg_name,lv_name,lv_size,vg_extent_size,pv_count,segtype"
    how = ("--noheadings", "--units", "b", "--nosuffix", "--options", columns)
    told = _lvm(run, device, "lvs", *how, group.name, ok=(0, NOT_FOUND))
    found = sorted(line.split() for line in told.stdout.splitlines() if line.strip())
    planned = [[*part.logical.split("/"), str(part.size), str(EXTENT), "1", "linear"] for part in parts]
    return not told.status and found == sorted(planned)


def switch_on(group: VolumeGroup, parts: Sequence[TargetPartition], device: Path, run: Run) -> None:
    """Make the volumes' nodes; that they are there already is no error."""
    _lvm(run, device, "vgchange", "--activate", "y", "--yes", group.name)
    _wait_for(parts, run)


def let_go(device: Path, run: Run) -> None:
    """Switch off what device-mapper made out of a disk, which then can be written to. Nothing is mounted."""
    folder = SYS_BLOCK / device.name
    for holder in _holders(folder):
        name = (holder / "dm/name").read_text().strip()
        run("dmsetup", "remove", "--retry", name, timeout=LVM_SECONDS)


def _holders(folder: Path) -> list[Path]:
    """Of a disk and its partitions, the last made first."""
    found: list[Path] = []
    for each in (folder, *sorted(folder.glob(f"{folder.name}*"))):
        for holder in sorted((each / "holders").glob("dm-*")):
            there = SYS_BLOCK / holder.name
            found = [*_holders(there), there, *found]
    return list(dict.fromkeys(found))


def _wait_for(parts: Sequence[TargetPartition], run: Run) -> None:
    """udev makes the nodes; where it does not run, dmsetup does."""
    if not all(node(part).is_block_device() for part in parts):
        run("dmsetup", "mknodes", timeout=LVM_SECONDS)
    deadline = time.monotonic() + NODE_SECONDS
    while missing := [part.logical for part in parts if not node(part).is_block_device()]:
        if time.monotonic() >= deadline:
            raise Transient(f"{', '.join(missing)} did not appear", code="Disk.NoVolume")
        time.sleep(POLL_SECONDS)


def _lvm(run: Run, device: Path, command: str, *words: str, ok: Sequence[int] = (0,)) -> Output:
    """`use_devicesfile`: a list of the intermediate image's own disks does not count; older LVM warns."""
    only = f'filter=["a|^{re.escape(str(device))}$|","r|.*|"]'
    settings = f"devices {{ {only} use_devicesfile=0 }} backup {{ backup=0 archive=0 }}"
    return run(command, "--config", settings, *words, timeout=LVM_SECONDS, ok=ok)
