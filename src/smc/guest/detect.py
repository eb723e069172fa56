"""Which system a copy holds: distribution, family, kernels, boot loader, init."""

import re
import struct
from contextlib import suppress

import msgspec

from smc.base.errors import UserError
from smc.guest.families import Family, family_of
from smc.guest.root import ABSENT, Root
from smc.guest.settings import parse
from smc.model.server import Architecture, OsRelease

MODULE_FOLDERS = ("/lib/modules", "/usr/lib/modules")
MACHINES = {62: Architecture.X86_64, 183: Architecture.ARM64, 3: Architecture.I386}  # ELF e_machine
SYSTEMD_FOLDERS = ("/usr/lib/systemd", "/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd")
SHELLS = ("/bin/sh", "/usr/bin/env", "/sbin/init")
LOADERS = (  # the first that is there; what only configures is not enough
    ("grub2", ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")),
    ("systemd-boot", ("/boot/loader/loader.conf", "/boot/efi/loader/loader.conf", "/efi/loader/loader.conf")),
    ("grub1", ("/boot/grub/menu.lst", "/boot/grub/grub.conf")),
    ("lilo", ("/etc/lilo.conf",)),
    ("extlinux", ("/boot/extlinux/extlinux.conf", "/extlinux.conf")),
)


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    image: str  # its path
    modules: str  # its folder; "" when it has none


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
            hint="Migrate a server of a supported family: Debian, Ubuntu.",
        )
    loader = next((name for name, files in LOADERS if any(root.exists(path) for path in files)), "")
    if loader != "grub2":
        raise UserError(
            f"the copy starts by {loader or 'an unknown boot loader'}, and only GRUB 2 can be set up here",
            code="Guest.UnknownBootLoader",
            hint="Install GRUB 2 on the source (on Debian: apt-get install grub-pc) and start the job again.",
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


def _kernels(root: Root) -> tuple[Kernel, ...]:
    found = []
    for name in root.names("/boot"):
        kind, _, version = name.partition("-")
        if kind in {"vmlinuz", "vmlinux"} and version and not version.endswith((".old", ".bak")):
            folders = (f"{base}/{version}" for base in MODULE_FOLDERS)
            modules = next((folder for folder in folders if root.is_folder(folder)), "")
            found.append(Kernel(version=version, image=f"/boot/{name}", modules=modules))
    return tuple(sorted(found, key=lambda kernel: version_key(kernel.version), reverse=True))


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
