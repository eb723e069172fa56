"""A disk image with a volume group, made by LVM's own programs; device-mapper is not asked for anything."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kernel.loop_disks import tool

MIB = 1 << 20
FIRST = 1 * MIB  # of the one partition, which the group has to itself
EXTENT = 4 * MIB
SETTINGS = (
    'devices {{ use_devicesfile=0 filter=["a|^{0}$|","r|.*|"] }} backup {{ backup=0 archive=0 }} '
    "activation {{ udev_sync=0 udev_rules=0 monitoring=0 }}"
)


class LvmDisk:
    def __init__(self, image: Path, size_mib: int, group: str) -> None:
        self.image, self._group, self._size = image, group, (size_mib - 2) * MIB
        with image.open("wb") as file:
            file.truncate(size_mib * MIB)
        table = f"label: gpt\nstart=1MiB, size={size_mib - 2}MiB\n"
        subprocess.run(["sfdisk", "-q", image], input=table, text=True, check=True)
        self.lvm("pvcreate", device=True)
        self.lvm("vgcreate", group, device=True)

    def lvm(self, *words: str, device: bool = False) -> str:
        """With `device` the physical volume is its last word."""
        loop = tool(
            "losetup", "--find", "--show", "-o", str(FIRST), "--sizelimit", str(self._size), self.image
        ).strip()
        try:
            command, *rest = words
            options = ("--driverloaded", "n", "--config", SETTINGS.format(loop))
            return tool("lvm", command, *options, *rest, *([loop] if device else []))
        finally:
            tool("losetup", "--detach", loop)

    def create(self, name: str, *words: str) -> None:
        """`words`: options of lvcreate, at least a size; nothing is switched on, and so nothing is zeroed."""
        self.lvm("lvcreate", "-an", "-Zn", "-Wn", "-y", "-n", name, *words, self._group)

    def extend(self, name: str, size: str) -> None:
        self.lvm("lvextend", "-L", size, f"{self._group}/{name}")

    def put(self, name: str, filesystem: Path) -> None:
        """Write the content of a file on the volume."""
        with filesystem.open("rb") as source, self.image.open("r+b") as target:
            for start, size in self.places(name):
                target.seek(start)
                target.write(source.read(size))

    def places(self, name: str) -> Iterator[tuple[int, int]]:
        """(byte of the image, bytes) of each segment, as LVM tells it."""
        words = ("--noheadings", "-o", "seg_pe_ranges", "--segments", f"{self._group}/{name}")
        for line in self.lvm("lvs", *words).split():
            first, last = line.rpartition(":")[2].split("-")
            yield FIRST + MIB + int(first) * EXTENT, (int(last) + 1 - int(first)) * EXTENT
