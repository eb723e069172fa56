"""A real Debian on a real disk image is converted by its own tools and judged by others' (kernel ring).

Built once by mmdebstrap from the package sources of this machine, kept as a tar in ~/.cache/smc/tests.
"""

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from smc.guest.convert import Converted, convert
from smc.guest.journal import Journal
from smc.guest.volumes import Copy
from smc.model.disk import Role
from smc.model.plan import IpMode, Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware

pytestmark = pytest.mark.kernel

MIB = 1 << 20
CACHE = Path.home() / ".cache" / "smc" / "tests"
PACKAGES = (
    "systemd-sysv,udev,ifupdown,isc-dhcp-client,iproute2,grub-pc,linux-image-cloud-amd64,initramfs-tools,"
    "openssh-server,e2fsprogs,kmod,zstd"
)
ROOT_UUID, DATA_UUID, SWAP_UUID = (str(uuid4()) for _ in range(3))
NETWORKS = {
    "ifupdown": {
        "/etc/network/interfaces": (
            "auto lo\niface lo inet loopback\n\nallow-hotplug ens192\niface ens192 inet static\n"
            "    address 192.0.2.10/24\n    gateway 192.0.2.1\n    dns-nameservers 192.0.2.53\n"
        )
    },
    "networkd": {
        "/etc/network/interfaces": "auto lo\niface lo inet loopback\n",
        "/etc/systemd/network/10-lan.network": (
            "[Match]\nName=ens192\n\n[Network]\nAddress=192.0.2.10/24\nGateway=192.0.2.1\n"
        ),
    },
}


def sh(*argv: str | Path, **options: object) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def suite() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=")[1]
    raise AssertionError("this machine is no Debian or Ubuntu")


@pytest.fixture(scope="session")
def debian() -> Path:
    """A tar of a Debian root with a kernel, GRUB and an initramfs."""
    made = CACHE / f"{suite()}-bios.tar"
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(f".{os.getpid()}.part.tar")
        sources = next(
            path
            for path in (
                Path("/etc/apt/sources.list.d/debian.sources"),
                Path("/etc/apt/sources.list.d/ubuntu.sources"),
                Path("/etc/apt/sources.list"),
            )
            if path.exists() and path.read_text().strip()
        )
        sh("mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", suite(), part, sources)
        part.rename(made)
    return made


@dataclass
class Machine:
    image: Path
    disk: Path
    root: Path
    plan: Plan

    @property
    def copy(self) -> Copy:
        return Copy(
            root=self.root,
            boot_disk=self.disk,
            partitions={f"0_{n}": Path(f"{self.disk}p{n}") for n in (2, 3, 4)},
        )

    def convert(self, journal: Journal | None = None) -> Converted:
        return convert(self.copy, self.plan, note=print, journal=journal)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()


def plan(mode: IpMode) -> Plan:
    parts = (
        TargetPartition(number=1, size=MIB, role=Role.BIOS_BOOT),
        TargetPartition(
            number=2, size=1800 * MIB, role=Role.FILESYSTEM, source="0_2", filesystem="ext4",
            uuid=ROOT_UUID, mount_point="/",
        ),
        TargetPartition(number=3, size=64 * MIB, role=Role.SWAP, source="0_3", uuid=SWAP_UUID),
        TargetPartition(
            number=4, size=64 * MIB, role=Role.FILESYSTEM, source="0_4", filesystem="ext4",
            uuid=DATA_UUID, mount_point="/srv/data",
        ),
    )  # fmt: skip
    disk = TargetDisk(index=0, size=2 << 30, partitions=parts)
    return Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=(disk,), ip_mode=mode)


def build(image: Path, debian: Path, style: str, mode: IpMode, undo: ExitStack) -> Machine:
    """The disk of a copied server that still believes in its old hardware, mounted as a receiver would."""
    with image.open("wb") as file:
        file.truncate(2 << 30)
    table = (
        "label: gpt\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\n"
        "size=1800MiB\nsize=64MiB, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F\nsize=64MiB\n"
    )
    subprocess.run(["sfdisk", "-q", image], input=table, text=True, check=True)
    disk = Path(sh("losetup", "--find", "--show", image))
    undo.callback(sh, "losetup", "--detach", disk)
    sh("partx", "--update", disk)  # a kernel that knows no partition tables takes them from here
    sh("mkfs.ext4", "-q", "-U", ROOT_UUID, f"{disk}p2")
    sh("mkswap", "-q", "-U", SWAP_UUID, f"{disk}p3")
    sh("mkfs.ext4", "-q", "-U", DATA_UUID, f"{disk}p4")
    root = image.with_suffix(".root")
    root.mkdir()
    sh("mount", f"{disk}p2", root)
    undo.callback(sh, "umount", root)
    sh("tar", "-C", root, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xf", debian)
    (root / "srv/data").mkdir(parents=True)
    sh("mount", f"{disk}p4", root / "srv/data")
    undo.callback(sh, "umount", root / "srv/data")
    files = NETWORKS[style] | {
        "/etc/hostname": "source-1\n",
        "/etc/fstab": (
            "# <file system> <mount point> <type> <options> <dump> <pass>\n"
            "/dev/sda2\t/\text4\terrors=remount-ro\t0\t1\n"
            f"/dev/sda3  none  swap  sw  0  0\nUUID={DATA_UUID} /srv/data ext4 defaults 0 2\n"
            "/dev/sdb1 /mnt/backup ext4 defaults 0 2\n/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n"
        ),
        "/boot/grub/device.map": "(hd0)\t/dev/disk/by-id/ata-OLD_DISK_1\n",
        "/boot/grub/grub.cfg": "menuentry 'Debian' {\n\tlinux /boot/vmlinuz root=/dev/sda2 ro\n}\n",
        "/etc/udev/rules.d/70-persistent-net.rules": 'SUBSYSTEM=="net", NAME="ens192"\n',
        "/smc/credential": "secret-of-the-agent\n",
        "/etc/systemd/system/smc-agent.service": "[Service]\nExecStart=/smc/smc-agent run\n",
    }
    for path, text in files.items():
        at = root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "smc-agent.service").symlink_to("/etc/systemd/system/smc-agent.service")
    if style == "networkd":
        (wants / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")
    debconf = root / "var/cache/debconf/config.dat"
    stanza = "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\n"
    debconf.write_text(
        debconf.read_text().replace(stanza, f"{stanza}Value: /dev/disk/by-id/ata-OLD_DISK_1\n", 1)
    )
    return Machine(image, disk, root, plan(mode))
