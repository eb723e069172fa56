"""Block devices that the kernel makes out of others: logical volumes, arrays, opened LUKS (from sysfs).

Each is told with the partitions that it lies on at last, through whatever is between.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from smc.agent.machine import read_text
from smc.model.disk import Filesystem, Volume, VolumeKind

SECTOR = 512  # sysfs counts in these
KINDS = {"LVM": VolumeKind.LVM, "CRYPT": VolumeKind.LUKS}  # what dm/uuid begins with
LVM_UUID = len("LVM-") + 64  # of the group and of the volume; what lies inside LVM has a suffix
DEEPEST = 8  # LVM on LUKS on RAID is three

Look = Callable[[Path, Path, int], Filesystem | None]  # its folder in sysfs, its node, its size


def read_volumes(root: Path, places: Mapping[str, str], look: Look) -> tuple[Volume, ...]:
    """Those with a filesystem or swap area on them. `places`: kernel's name -> what the volume lies on."""
    block = root / "sys/block"
    users = {slave.name for folder in block.iterdir() for slave in _entries(folder / "slaves")}
    found = []
    for folder in sorted(_made(block), key=lambda folder: folder.name):
        kind, name = _named(folder)
        if folder.name in users or not name:
            continue
        size = int(read_text(folder / "size") or 0) * SECTOR
        filesystem = look(folder, root / "dev" / folder.name, size)
        on = tuple(dict.fromkeys(_below(block, folder.name, places, DEEPEST)))
        if filesystem is None or not on:
            continue
        path = f"/dev/mapper/{name}" if folder.name.startswith("dm-") else f"/dev/{folder.name}"
        found.append(
            Volume(
                kind=kind,
                name=name,
                path=path,
                size=size,
                on=on,
                filesystem=filesystem,
                encrypted=_encrypted(block, folder.name, DEEPEST),
            )
        )
    return tuple(found)


def _made(block: Path) -> Iterator[Path]:
    """Also what a partition table divides an array into."""
    for folder in block.iterdir():
        if folder.name.startswith(("dm-", "md")):
            yield folder
            yield from (part for part in folder.glob(f"{folder.name}p*") if (part / "partition").exists())


def _named(folder: Path) -> tuple[VolumeKind, str]:
    """ "" for what is inside LVM (mirror legs, pools) and is never mounted."""
    if folder.name.startswith("md"):
        return VolumeKind.RAID, folder.name
    uuid, name = read_text(folder / "dm/uuid"), read_text(folder / "dm/name")
    kind = KINDS.get(uuid.partition("-")[0], VolumeKind.MAPPED)
    if kind is VolumeKind.LVM and len(uuid) > LVM_UUID:
        return kind, ""
    return kind, name


def _below(block: Path, name: str, places: Mapping[str, str], depth: int) -> Iterator[str]:
    if name in places:
        yield places[name]
        return
    for slave in _slaves(block, name) if depth else ():
        yield from _below(block, slave, places, depth - 1)


def _encrypted(block: Path, name: str, depth: int) -> bool:
    if read_text(block / name / "dm/uuid").startswith("CRYPT-"):
        return True
    return depth > 0 and any(_encrypted(block, slave, depth - 1) for slave in _slaves(block, name))


def _slaves(block: Path, name: str) -> list[str]:
    folder = block / name
    if not folder.is_dir():  # a partition of an array
        folder = next((parent for parent in block.iterdir() if (parent / name).is_dir()), folder)
    return sorted(slave.name for slave in _entries(folder / "slaves"))


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
