"""A disk image with an EFI system partition and a real Debian, mounted as a receiver mounts a copy.

Not every kernel that runs tests can mount FAT: the ESP is a folder here, which `fill_esp` writes to its
partition at the end.
"""

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from tests.kernel.debian_root import sh
from tests.kernel.loop_disks import loop_disk, show_partitions

from smc.guest.volumes import Copy
from smc.model.disk import Role
from smc.model.plan import Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware

MIB = 1 << 20
TABLE = (
    "label: gpt\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\n"
    "size=64MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\nsize=1800MiB\n"
)
FILES = {
    "etc/hostname": "source-1\n",
    "etc/fstab": "/dev/sda3 / ext4 errors=remount-ro 0 1\n",
    "etc/network/interfaces": "auto lo\niface lo inet loopback\nauto ens192\niface ens192 inet dhcp\n",
    "boot/grub/grub.cfg": "menuentry 'Debian' {\n\tlinux /boot/vmlinuz root=/dev/sda3 ro\n}\n",
}


@dataclass
class Disk:
    image: Path
    device: Path
    root: Path
    root_uuid: UUID
    filesystem: str = "ext4"

    @property
    def copy(self) -> Copy:
        partitions = {"0_2": Path(f"{self.device}p2"), "0_3": Path(f"{self.device}p3")}
        return Copy(root=self.root, boot_disk=self.device, partitions=partitions)

    def plan(self, firmware: Firmware) -> Plan:
        parts = (
            TargetPartition(number=1, size=MIB, role=Role.BIOS_BOOT),
            TargetPartition(
                number=2, size=64 * MIB, role=Role.ESP, source="0_2", filesystem="vfat",
                mount_point="/boot/efi",
            ),
            TargetPartition(
                number=3, size=1800 * MIB, role=Role.FILESYSTEM, source="0_3", filesystem=self.filesystem,
                uuid=str(self.root_uuid), mount_point="/",
            ),
        )  # fmt: skip
        disk = TargetDisk(index=0, size=2 << 30, partitions=parts)
        return Plan(architecture=Architecture.X86_64, firmware=firmware, disks=(disk,))


def make_disk(
    image: Path, debian: Path, root_uuid: UUID, undo: ExitStack, *, filesystem: str = "ext4"
) -> Disk:
    with image.open("wb") as file:
        file.truncate(2 << 30)
    subprocess.run(["sfdisk", "-q", image], input=TABLE, text=True, check=True)
    device = undo.enter_context(loop_disk(image, 2 << 30))
    show_partitions(device, 3)
    sh("mkfs.vfat", "-i", "ABCD1234", f"{device}p2")
    if filesystem == "xfs":
        sh("mkfs.xfs", "-q", "-m", f"uuid={root_uuid}", f"{device}p3")
    else:
        sh("mkfs.ext4", "-q", "-U", str(root_uuid), f"{device}p3")
    root = image.with_suffix(".root")
    root.mkdir()
    sh("mount", f"{device}p3", root)
    undo.callback(sh, "umount", root)
    sh("tar", "-C", root, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xf", debian)
    (root / "boot/efi").mkdir(exist_ok=True)
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Disk(image, device, root, root_uuid, filesystem)


def fill_esp(disk: Disk) -> None:
    esp = f"{disk.device}p2"
    for path in sorted((disk.root / "boot/efi").iterdir()):
        sh("mcopy", "-s", "-o", "-i", esp, path, "::")
