"""Systems of many families as fake guests: a planted tree, a kernel with its modules, loaders in an ESP."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tests.unit.guest.fake_guest import NEEDED, VOLUMES, FakeGuest, efi_program, initramfs, plan

from smc.guest.convert import Converted, convert
from smc.guest.volumes import Volume
from smc.model.disk import Role
from smc.model.plan import IpMode
from smc.model.server import Firmware

ESP_UUID = "ABCD-1234"
DEPENDENCIES = {
    "virtio/virtio": "",
    "virtio/virtio_ring": "",
    "virtio/virtio_pci": "virtio/virtio virtio/virtio_ring",
    "block/virtio_blk": "virtio/virtio virtio/virtio_ring",
    "net/virtio_net": "virtio/virtio",
    "scsi/virtio_scsi": "virtio/virtio",
    "nvme/host/nvme": "",
    "ext4/ext4": "jbd2/jbd2 mbcache",
    "jbd2/jbd2": "",
    "mbcache": "",
}


class Shape(NamedTuple):
    trees: tuple[str, ...]
    kernel: str
    image: str
    firmware: Firmware = Firmware.BIOS
    esp: str = "/boot/efi"
    loaders: tuple[str, ...] = ()  # below EFI, each with its own name as content


BLS = "/boot/initramfs-{}.img"
SHAPES = {
    "almalinux-9": Shape(("redhat-bls", "almalinux-9"), "5.14.0-427.el9.x86_64", BLS),
    "almalinux-9-uefi": Shape(
        ("redhat-bls", "almalinux-9"), "5.14.0-427.el9.x86_64", BLS, Firmware.UEFI,
        loaders=("almalinux/shimx64.efi", "almalinux/grubx64.efi", "almalinux/mmx64.efi",
                 "almalinux/BOOTX64.CSV", "BOOT/BOOTX64.EFI", "BOOT/fbx64.efi"),
    ),
    "rhel-8": Shape(("redhat-bls", "rhel-8"), "4.18.0-553.el8_10.x86_64", BLS),
    "oracle-8": Shape(("redhat-bls", "oracle-8"), "5.15.0-206.el8uek.x86_64", BLS),
    "alinux-3": Shape(("redhat-bls", "alinux-3"), "5.10.134-16.al8.x86_64", BLS),
    "anolis-8": Shape(("redhat-bls", "anolis-8"), "5.10.134-16.an8.x86_64", BLS),
    "tencentos-3": Shape(("redhat-bls", "tencentos-3"), "5.4.119-19.0009.tl3", BLS),
    "rocky-9": Shape(("redhat-bls", "rocky-9"), "5.14.0-427.16.1.el9_4.x86_64", BLS),
    "centos-stream-9": Shape(("redhat-bls", "centos-stream-9"), "5.14.0-452.el9.x86_64", BLS),
    "fedora-40": Shape(("redhat-bls", "fedora-40"), "6.8.5-301.fc40.x86_64", BLS),
    "amazon-2023": Shape(("redhat-bls", "amazon-2023"), "6.1.84-99.169.amzn2023.x86_64", BLS),
    "amazon-2": Shape(("redhat-7", "amazon-2"), "4.14.336-253.554.amzn2.x86_64", BLS),
    "alinux-2": Shape(("redhat-7", "alinux-2"), "4.19.91-27.al7.x86_64", BLS),
    "centos-7": Shape(
        ("centos-7",), "3.10.0-1160.el7.x86_64", BLS, Firmware.UEFI,
        loaders=("centos/shimx64.efi", "centos/grubx64.efi"),
    ),
    "opensuse-leap-15": Shape(
        ("opensuse-leap-15",), "5.14.21-150500.55-default", "/boot/initrd-{}", Firmware.UEFI,
        loaders=("opensuse/shim.efi", "opensuse/grub.efi", "opensuse/MokManager.efi", "boot/bootx64.efi",
                 "boot/fallback.efi"),
    ),
    "sles-15": Shape(
        ("opensuse-leap-15", "sles-15"), "5.14.21-150500.55-default", "/boot/initrd-{}", Firmware.UEFI,
        loaders=("opensuse/shim.efi", "opensuse/grub.efi", "opensuse/MokManager.efi", "boot/bootx64.efi",
                 "boot/fallback.efi"),
    ),
    "arch": Shape(
        ("arch",), "6.8.7-arch1-1", "/boot/initramfs-linux.img", Firmware.UEFI, esp="/boot",
        loaders=("systemd/systemd-bootx64.efi",),
    ),
    "ubuntu-22.04": Shape(
        ("ubuntu-22.04",), "5.15.0-105-generic", "/boot/initrd.img-{}", Firmware.UEFI,
        loaders=("ubuntu/shimx64.efi", "ubuntu/grubx64.efi", "ubuntu/mmx64.efi"),
    ),
}  # fmt: skip


class FakeFamily(FakeGuest):
    """One of SHAPES; `modules` are in its initramfs, `more` are other names there."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *trees: str,
        modules: Collection[str] = NEEDED,
        more: Collection[str] = (),
    ) -> None:
        self.shape = SHAPES[name]
        self.base = self.shape.trees
        self.kernel = self.shape.kernel
        self.image = self.shape.image.format(self.kernel)
        esp = Volume(
            source="0_9", number=9, device=Path("/dev/vdb9"), role=Role.ESP, filesystem="vfat",
            mount_point=self.shape.esp, uuid=ESP_UUID, label="UEFI",
        )  # fmt: skip
        self.volumes = (*VOLUMES, esp) if self.shape.firmware is Firmware.UEFI else VOLUMES
        super().__init__(folder, *trees, modules=modules)
        self.write_bytes(self.image, initramfs(*modules, kernel=self.kernel, more=list(more)))
        self.modules_folder = f"/usr/lib/modules/{self.kernel}"
        lines = (f"kernel/{path}.ko: {needs_of(needs)}\n" for path, needs in DEPENDENCIES.items())
        self.write(f"{self.modules_folder}/modules.dep", "".join(lines))
        for loader in self.shape.loaders:
            self.write_bytes(f"{self.shape.esp}/EFI/{loader}", efi_program(loader))

    def esp(self, path: str) -> bytes:
        return (self.root / self.shape.esp.lstrip("/") / "EFI" / path).read_bytes()

    def convert(self, mode: IpMode = IpMode.DHCP, firmware: Firmware | None = None) -> Converted:
        wanted = plan(mode, self.volumes, firmware or self.shape.firmware)
        return convert(self.copy, wanted, note=lambda _: None, run=self.run)


def needs_of(needs: str) -> str:
    return " ".join(f"kernel/{path}.ko" for path in needs.split())
