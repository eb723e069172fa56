"""Which system a copy holds: distribution, family, kernels, boot loader, init."""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from smc.base.errors import UserError
from smc.guest.families import FAMILIES, Family, family_of
from smc.guest.root import ABSENT, Root
from smc.guest.settings import parse
from smc.model.server import Architecture, Firmware, OsRelease

MODULE_FOLDERS = ("/lib/modules", "/usr/lib/modules")
MACHINES = {62: Architecture.X86_64, 183: Architecture.ARM64, 3: Architecture.I386}  # ELF e_machine
SYSTEMD_FOLDERS = ("/usr/lib/systemd", "/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd")
SHELLS = ("/bin/sh", "/usr/bin/env", "/sbin/init")
ESP_FOLDERS = ("/boot/efi", "/efi", "/boot")  # where an EFI system partition is mounted
GRUB2, SYSTEMD_BOOT = "grub2", "systemd-boot"
LOADERS = (  # the first that is there; what only configures is not enough
    (GRUB2, ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")),
    (SYSTEMD_BOOT, tuple(f"{folder}/loader/loader.conf" for folder in ESP_FOLDERS)),
    ("grub1", ("/boot/grub/menu.lst", "/boot/grub/grub.conf")),
    ("lilo", ("/etc/lilo.conf",)),
    ("extlinux", ("/boot/extlinux/extlinux.conf", "/extlinux.conf")),
)
NAMES_OF_LOADERS = {"grub1": "GRUB Legacy (0.97)", "lilo": "LILO", "extlinux": "EXTLINUX"}


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what its image is called by: the version, on Arch its package."""

    version: str
    image: str  # its path
    modules: str  # its folder; "" when it has none
    name: str = ""
    initramfs: str = ""  # where its boot loader entry has one; "" leaves it to the family


class System(msgspec.Struct, frozen=True, kw_only=True):
    """`kernels` newest first."""

    os: OsRelease
    family: Family
    architecture: Architecture | None
    kernels: tuple[Kernel, ...]
    boot_loader: str
    systemd: int  # version; 0 without systemd

    @property
    def name(self) -> str:
        return self.os.pretty_name or f"{self.os.id} {self.os.version_id}".strip()


def detect(root: Root) -> System:
    """Raises `UserError` (`Guest.*`) for a copy that is no system, or one that is not known here."""
    os_release = _os_release(root)
    family = family_of(os_release)
    if family is None:
        raise UserError(
            f"{os_release.pretty_name or os_release.id} is not a system that can be made bootable here",
            code="Guest.UnknownSystem",
            hint=f"Migrate a server of a supported family: {', '.join(f.name for f in FAMILIES)}.",
        )
    loader = next((name for name, files in LOADERS if any(root.exists(path) for path in files)), "")
    loader = GRUB2 if _grub_in_esp(root) and loader != SYSTEMD_BOOT else loader
    if loader not in {GRUB2, SYSTEMD_BOOT}:
        name = NAMES_OF_LOADERS.get(loader, "an unknown boot loader")
        raise UserError(
            f"the copy starts by {name}, and only GRUB 2 and systemd-boot can be set up here",
            code="Guest.UnknownBootLoader",
            hint=f"Install GRUB 2 on the source (package {family.grub.packages[Firmware.BIOS]}), run"
            f" `{family.grub.remake}`, see the server start by it, and start the job again.",
        )
    kernels = _kernels(root)
    if not kernels:
        raise UserError(
            "the copy has no kernel under /boot",
            code="Guest.NoKernel",
            hint="If /boot is a partition of its own it must be mounted while the server is copied.",
        )
    return System(
        os=os_release,
        family=family,
        architecture=_architecture(root),
        kernels=kernels,
        boot_loader=loader,
        systemd=_systemd(root),
    )


def version_key(version: str) -> list[tuple[int, int | str]]:
    """Orders kernel versions as people count: 6.9 before 6.10."""
    return [(0, int(part)) if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[a-z]+", version)]


def _os_release(root: Root) -> OsRelease:
    text = root.read("/etc/os-release") or root.read("/usr/lib/os-release")
    if text is None:
        raise UserError(
            "the copy has no /etc/os-release, so its system is not known",
            code="Guest.NoSystem",
            hint="The system disk of the job must hold the root filesystem of a Linux of the last ten years.",
        )
    found = parse(text)
    return OsRelease(
        id=found.get("ID", "linux"),
        version_id=found.get("VERSION_ID", ""),
        pretty_name=found.get("PRETTY_NAME", ""),
        id_like=tuple(found.get("ID_LIKE", "").split()),
    )


def _grub_in_esp(root: Root) -> bool:
    """RHEL 7 and 8 keep the whole grub.cfg of a UEFI system there, and have no other."""
    return any(
        root.exists(f"{vendor}/grub.cfg")
        for folder in ESP_FOLDERS
        for vendor in root.files(f"{folder}/EFI")
        if root.is_folder(vendor)
    )


def _kernels(root: Root) -> tuple[Kernel, ...]:
    found: dict[str, Kernel] = {}
    for name in root.names("/boot"):
        kind, _, version = name.partition("-")
        if kind in {"vmlinuz", "vmlinux", "Image"} and version and not _is_no_choice(version):
            modules = _modules_of(root, version)
            real = modules.rsplit("/", 1)[-1] or version
            found[real] = Kernel(version=real, image=f"/boot/{name}", modules=modules, name=version)
    for kernel in _entries(root):
        found.setdefault(kernel.version, kernel)
    return tuple(sorted(found.values(), key=lambda kernel: version_key(kernel.version), reverse=True))


def _is_no_choice(version: str) -> bool:
    """Copies of old kernels, and what only rescues: nothing starts them by default."""
    return version.endswith((".old", ".bak")) or version.startswith("0-rescue")


def _modules_of(root: Root, name: str) -> str:
    """The folder of its modules; "" for none. Arch names kernels by package, told by `pkgbase` there."""
    for base in MODULE_FOLDERS:
        if root.is_folder(f"{base}/{name}"):
            return f"{base}/{name}"
    for base in MODULE_FOLDERS:
        for folder in root.files(base):
            if (root.read(f"{folder}/pkgbase") or "").strip() == name:
                return folder
    return ""


def _entries(root: Root) -> Iterator[Kernel]:
    """Kernels that kernel-install put beside systemd-boot: <ESP>/<machine-id>/<version>/linux."""
    for folder in ESP_FOLDERS:
        for token in root.names(folder):
            for version in root.names(f"{folder}/{token}"):
                place = f"{folder}/{token}/{version}"
                if not root.exists(f"{place}/linux"):
                    continue
                image = next((f"{place}/{n}" for n in root.names(place) if n.startswith("initr")), "")
                yield Kernel(
                    version=version,
                    image=f"{place}/linux",
                    modules=_modules_of(root, version),
                    name=version,
                    initramfs=image,
                )


def _architecture(root: Root) -> Architecture | None:
    """From the ELF header of a program that every system has."""
    for path in SHELLS:
        with suppress(*ABSENT, OSError), root.open(path) as file:
            head = file.read(20)
            if len(head) == 20 and head[:4] == b"\x7fELF":
                return MACHINES.get(struct.unpack_from("<H", head, 18)[0])
    return None


def _systemd(root: Root) -> int:
    """The version is part of the name of its shared library (since 231); 1 is an older one."""
    for folder in SYSTEMD_FOLDERS:
        for name in root.names(folder):
            if match := re.match(r"libsystemd-shared-(\d+)", name):
                return int(match[1])
    return int(any(root.exists(f"{folder}/systemd") for folder in SYSTEMD_FOLDERS))
