"""What a system that we build is made of: packages, files, disks."""

from collections.abc import Iterator
from enum import Enum

import msgspec

from smc.base.errors import Broken
from smc.base.units import GIB, MIB


class Kind(Enum):
    """With the partition types of the UEFI specification, systemd's and GRUB's."""

    BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
    EXT4 = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
    SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A partition. `size_mib` 0 takes what the others leave; `folder` of the tree is its content."""

    kind: Kind
    size_mib: int = 0
    uuid: str = ""
    label: str = ""
    folder: str = ""


class DiskRecipe(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size_gib: int
    volumes: tuple[Volume, ...]


class File(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    content: str
    mode: int = 0o644


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """`files` are there before packages are installed, `script` runs as root in the tree afterwards.

    The first disk boots: it has a BIOS boot partition and the filesystem "/".
    """

    kind: str
    packages: tuple[str, ...]
    files: tuple[File, ...]
    script: str
    disks: tuple[DiskRecipe, ...]
    kernel_options: str = ""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A volume and where it lies on its disk, in bytes."""

    volume: Volume
    start: int
    size: int


GPT_SPACE = MIB  # kept free at both ends of a disk, for the two partition tables and alignment


def place(disk: DiskRecipe) -> tuple[Placed, ...]:
    """Volumes one behind the other, on whole MiB."""
    room = disk.size_gib * GIB - 2 * GPT_SPACE - sum(volume.size_mib * MIB for volume in disk.volumes)
    if room < 0 or sum(volume.size_mib == 0 for volume in disk.volumes) > 1:
        raise Broken(f"The volumes of the disk {disk.name} do not fit.")
    return tuple(_in_a_row(disk.volumes, room))


def partition_script(placed: tuple[Placed, ...]) -> str:
    """The input of sfdisk(8); it counts in sectors of 512 bytes."""
    lines = [f"start={p.start // 512}, size={p.size // 512}, type={p.volume.kind.value}" for p in placed]
    return "\n".join(["label: gpt", *lines, ""])


def _in_a_row(volumes: tuple[Volume, ...], room: int) -> Iterator[Placed]:
    start = GPT_SPACE
    for volume in volumes:
        size = volume.size_mib * MIB or room
        yield Placed(volume=volume, start=start, size=size)
        start += size
