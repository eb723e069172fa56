"""Trees of sys, proc and dev as a kernel shows them, with recorded disks."""

import os
from collections.abc import Mapping
from pathlib import Path

import zstandard

RECORDED = Path(__file__).parent / "recorded"
SECTOR = 512


class FakeMachine:
    """`root` is given to the inventory in place of `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mounts: list[str] = []
        (root / "sys/block").mkdir(parents=True)
        (root / "sys/class/net").mkdir(parents=True)
        (root / "dev").mkdir()
        self.write("proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n")

    def write(self, path: str, text: str) -> None:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)

    def add_disk(
        self, name: str, recorded: str, *, number: int, partitions: Mapping[int, str] | None = None
    ) -> None:
        """`partitions`: by number, the name the kernel gives; `number` is the disk's minor."""
        data = zstandard.ZstdDecompressor().decompress((RECORDED / f"{recorded}.img.zst").read_bytes())
        (self.root / "dev" / name).write_bytes(data)
        folder = f"sys/block/{name}"
        self.write(f"{folder}/size", f"{len(data) // SECTOR}\n")
        self.write(f"{folder}/dev", f"254:{number}\n")
        self.write(f"{folder}/removable", "0\n")
        self.write(f"{folder}/queue/logical_block_size", "512\n")
        self.write(f"{folder}/device/model", f"MODEL {name}\n")
        self.write(f"{folder}/serial", f"SERIAL-{name}\n")
        for part, part_name in (partitions or {}).items():
            self.write(f"{folder}/{part_name}/partition", f"{part}\n")
            self.write(f"{folder}/{part_name}/dev", f"254:{number + part}\n")

    def add_volume(self, device: str, minor: int, *slaves: str, **facts: str) -> None:
        """A device that the kernel made out of `slaves`, of 64 MiB; `facts` are files of its folder `dm`."""
        folder = f"sys/block/{device}"
        self.write(f"{folder}/size", f"{(64 << 20) // SECTOR}\n")
        self.write(f"{folder}/dev", f"253:{minor}\n")
        (self.root / "dev" / device).write_bytes(bytes(4096))
        for slave in slaves:
            (self.root / folder / "slaves" / slave).mkdir(parents=True)
        for fact, text in facts.items():
            self.write(f"{folder}/dm/{fact}", f"{text}\n")

    def mount(self, device: str, point: str, kind: str = "ext4", *, root: str = "/") -> None:
        """`device` is major:minor."""
        self.mounts.append(f"3{len(self.mounts)} 1 {device} {root} {point} rw,relatime - {kind} /dev/x rw\n")
        self.write("proc/self/mountinfo", "".join(self.mounts))

    def add_nic(self, name: str, mac: str, *, index: int, driver: str = "") -> None:
        folder = f"sys/class/net/{name}"
        self.write(f"{folder}/address", f"{mac}\n")
        self.write(f"{folder}/ifindex", f"{index}\n")
        self.write(f"{folder}/operstate", "up\n")
        if driver:
            (self.root / folder / "device").mkdir()
            (self.root / folder / "device/driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")


def half_full(_point: str) -> os.statvfs_result:
    """1000 blocks of 4 KiB, 400 of them free; 100 inodes, 90 free."""
    return os.statvfs_result((4096, 4096, 1000, 400, 350, 100, 90, 90, 0, 255))
