r"""The EFI system partition of a copy, and the loader that firmware finds in it without any boot entry.

Boot entries live in the machine's NVRAM and stay behind. Firmware that has none starts
\EFI\BOOT\BOOTX64.EFI (UEFI specification 3.5.1.1), so that file must lead to the system. What signed
packages have put into the system's own folder is copied there as it is: a shim stays signed, and the GRUB
beside it finds its grub.cfg by the folder name that is built into it. Only where there is no such loader GRUB
makes one of its own.
"""

import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

from smc.base.errors import CommandFailed, UserError
from smc.guest.detect import SYSTEMD_BOOT, System
from smc.guest.enter import Guest
from smc.guest.families import Grub
from smc.guest.grub_prefix import holder, leads_elsewhere, place_in
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.guest.watch import watched
from smc.model.disk import Role
from smc.model.report import Check, Level
from smc.model.server import Architecture

ITEM = "GUESTOS.Grub"
MOUNT_POINTS = ("/boot/efi", "/efi", "/boot")
TOOL_SECONDS = 1200.0
WHY_FALLBACK = "firmware without boot entries of its own starts this loader"
WHY_INSTALL = "GRUB installed where firmware without boot entries finds it"
WHY_STUB = "leads to the filesystem that holds /boot on the new machine"
SEARCHED = re.compile(
    r"^(\s*search(?:\.fs_uuid|.*?--fs-uuid)\s(?:.*?\s)?)(?P<uuid>[0-9A-Fa-f][0-9A-Fa-f-]{7,})(.*)$",
    re.MULTILINE,
)


SHIM_AND_GRUB = 2  # the first two of a family's signed loaders start it
MENU = re.compile(r"^\s*(?:menuentry|blscfg)\b", re.MULTILINE)  # a whole grub.cfg has it, a stub has not


class Names(NamedTuple):
    """GRUB's name of the platform, the ending of loaders' names, and the PE machine they are made for."""

    target: str
    suffix: str
    machine: int


NAMES = {
    Architecture.X86_64: Names("x86_64-efi", "x64", 0x8664),
    Architecture.ARM64: Names("arm64-efi", "aa64", 0xAA64),
    Architecture.I386: Names("i386-efi", "ia32", 0x014C),
}


class Esp(NamedTuple):
    folder: str  # where the copy mounts it
    names: Names

    @property
    def fallback(self) -> str:
        return f"{self.folder}/EFI/BOOT/BOOT{self.names.suffix.upper()}.EFI"


class Loader(NamedTuple):
    """What the system's own folder holds: the first that firmware starts, and what that starts."""

    folder: str
    first: str
    beside: tuple[str, ...]

    @property
    def is_shim(self) -> bool:
        return bool(self.beside)


def find(volumes: Sequence[Volume], architecture: Architecture) -> Esp:
    """Raises `UserError` when none was copied with the system."""
    mounted = {volume.mount_point: volume for volume in volumes if volume.mount_point}
    for mount_point in (*MOUNT_POINTS, *mounted):
        volume = mounted.get(mount_point)
        if volume and (
            volume.role is Role.ESP or (volume.filesystem == "vfat" and mount_point == MOUNT_POINTS[0])
        ):
            return Esp(mount_point, NAMES[architecture])
    raise UserError(
        "the copy is to start by UEFI, and no EFI system partition is mounted in it",
        code="Guest.NoEsp",
        hint="Mount the EFI system partition at /boot/efi on the source, also in its fstab,"
        " and start the job again.",
    )


def loader_of(root: Root, system: System, esp: Esp) -> Loader | None:
    """In the folder that is called like the system, else in any; None when there is no loader."""
    base = root.located(f"{esp.folder}/EFI")
    folders = [f"{base}/{name}" for name in root.names(base) if name.lower() not in {"boot", "microsoft"}]
    folders.sort(key=lambda folder: not _is_named_after(folder.rsplit("/", 1)[-1].lower(), system))
    end = esp.names.suffix
    if system.boot_loader == SYSTEMD_BOOT:
        folders = [
            f"{base}/systemd",
            "/usr/lib/systemd/boot/efi",
        ]  # in the ESP, and where it is installed from
    for folder in folders:
        for first, seconds in _firsts(system, end):
            beside = tuple(path for name in seconds if root.exists(path := root.located(f"{folder}/{name}")))
            path = root.located(f"{folder}/{first}")
            if root.exists(path) and (beside or not seconds):
                return Loader(folder, path, beside)
    return None


def _firsts(system: System, end: str) -> list[tuple[str, tuple[str, ...]]]:
    """What firmware may start of a folder, with what that starts then: one of them must be there."""
    if system.boot_loader == SYSTEMD_BOOT:
        return [(f"systemd-boot{end}.efi", ())]
    grubs = (f"grub{end}.efi", "grub.efi")
    return [(f"shim{end}.efi", grubs), ("shim.efi", grubs), *((name, ()) for name in grubs)]


def can_install(root: Root, grub: Grub, esp: Esp) -> bool:
    made = bool(grub.efi_install) and any(
        root.is_folder(folder.format(target=esp.names.target)) for folder in grub.modules
    )
    return made or len(_signed(root, grub, esp)) >= SHIM_AND_GRUB


def install(root: Root, system: System, guest: Guest, esp: Esp, volumes: Sequence[Volume]) -> list[Check]:
    """Put a loader where firmware looks; what is critical comes back as checks."""
    loader = loader_of(root, system, esp)
    if not loader or _is_led_elsewhere(root, system, esp, loader, volumes):
        loader = _from_packages(root, system, esp, volumes)
    if loader:
        _correct_stub(root, loader, volumes)
        _use_as_fallback(root, esp, loader)
        return []
    if system.boot_loader == SYSTEMD_BOOT:
        return []  # what `bootctl install` put at the fallback place is all there is; it is judged
    grub = system.family.grub
    words = [word.format(target=esp.names.target, esp=esp.folder) for word in grub.efi_install]
    try:
        with watched(root, [grub.folder, f"{esp.folder}/EFI"], WHY_INSTALL):
            guest(*words, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        finding = f"GRUB could not be installed in the EFI system partition: {e.message}: {e.hint}"
        return [Check(item=ITEM, level=Level.CRITICAL, finding=finding, cure=_cure(system))]
    return []


def problems(root: Root, esp: Esp, volumes: Sequence[Volume]) -> list[str]:
    """What would keep firmware without boot entries from starting this copy."""
    fallback = root.located(esp.fallback)
    content = root.read_bytes(fallback)
    if content is None:
        return [f"the EFI system partition has no {esp.fallback}"]
    if _pe_machine(content) != esp.names.machine:
        return [f"{fallback} is no program for this firmware"]
    uuids = {volume.uuid for volume in volumes}
    found: list[str] = []
    if leads_elsewhere(content, volumes, esp.folder):
        found.append(f"{fallback} looks for grub.cfg in {place_in(content)}, which was not copied")
    for path in _stubs(root, esp):
        found += [
            f"{path} looks for {match['uuid']}, which was not copied"
            for match in SEARCHED.finditer(root.read(path) or "")
            if match["uuid"] not in uuids
        ]
    return found


def _is_led_elsewhere(
    root: Root, system: System, esp: Esp, loader: Loader, volumes: Sequence[Volume]
) -> bool:
    """Whether a GRUB with the old place of grub.cfg built in has to be made anew, and can be."""
    content = root.read_bytes(loader.first) or b""
    home = holder(volumes)
    led = leads_elsewhere(content, volumes, esp.folder) or (home and home.logical and place_in(content))
    return bool(led) and can_install(root, system.family.grub, esp)


def _from_packages(root: Root, system: System, esp: Esp, volumes: Sequence[Volume]) -> Loader | None:
    """Put shim and GRUB of packages, and what leads GRUB to its grub.cfg, where the packages would.

    The folder is called as it is built into that GRUB: like the family.
    """
    found = _signed(root, system.family.grub, esp)
    if system.boot_loader == SYSTEMD_BOOT or len(found) < SHIM_AND_GRUB:
        return None
    folder = root.located(f"{esp.folder}/EFI/{system.family.name}")
    by_place = {volume.mount_point: volume.uuid for volume in volumes}
    home = by_place.get("/boot") or by_place.get("/", "")
    prefix = system.family.grub.folder.removeprefix("/boot" if by_place.get("/boot") else "")
    stub = f"search.fs_uuid {home} root\nset prefix=($root)'{prefix}'\nconfigfile $prefix/grub.cfg\n"
    root.write(f"{folder}/grub.cfg", stub, WHY_STUB)
    for name, path in found.items():
        _copied(root, path, f"{folder}/{name}")
    return loader_of(root, system, esp)


def _signed(root: Root, grub: Grub, esp: Esp) -> dict[str, str]:
    """Name in the ESP -> path of the package's file; shim and GRUB first, {} unless both are there."""
    found: dict[str, str] = {}
    for path, name in grub.signed:
        place = path.format(target=esp.names.target, end=esp.names.suffix)
        if root.exists(place):
            found.setdefault(name.format(end=esp.names.suffix), place)
    both = {name.format(end=esp.names.suffix) for _, name in grub.signed[:SHIM_AND_GRUB]}
    return found if both <= found.keys() else {}


def _is_named_after(folder: str, system: System) -> bool:
    names = {system.os.id, *system.os.id_like, system.family.name, system.os.id.split("-")[0]}
    return folder in names or (folder == "redhat" and "rhel" in names)


def _use_as_fallback(root: Root, esp: Esp, loader: Loader) -> None:
    boot = root.located(f"{esp.folder}/EFI/BOOT")
    _copied(root, loader.first, root.located(esp.fallback))
    if not loader.is_shim:
        return
    end = esp.names.suffix
    for helper in (root.located(f"{boot}/{name}") for name in (f"fb{end}.efi", "fallback.efi")):
        if root.exists(helper) and _has_table(root, loader, end):
            return  # shim then starts what the table names, and makes a boot entry of it
        root.remove(helper, "it finds no table of boot entries, and shim would start nothing else")
    for path in (*loader.beside, *_mok_managers(root, loader, end)):
        _copied(root, path, root.located(f"{boot}/{path.rsplit('/', 1)[-1]}"))


def _has_table(root: Root, loader: Loader, end: str) -> bool:
    return any(root.exists(root.located(f"{loader.folder}/boot{ending}.csv")) for ending in (end, ""))


def _mok_managers(root: Root, loader: Loader, end: str) -> list[str]:
    names = (f"mm{end}.efi", "MokManager.efi")
    return [path for name in names if root.exists(path := root.located(f"{loader.folder}/{name}"))]


def _copied(root: Root, source: str, to: str) -> None:
    content = root.read_bytes(source)
    if content is not None:
        root.write_bytes(to, content, WHY_FALLBACK)


def _stubs(root: Root, esp: Esp) -> list[str]:
    base = root.located(f"{esp.folder}/EFI")
    found = (root.located(f"{folder}/grub.cfg") for folder in root.files(base))
    return [path for path in found if root.exists(path)]


def _correct_stub(root: Root, loader: Loader, volumes: Sequence[Volume]) -> None:
    """The few lines in the ESP that lead GRUB to the filesystem with its grub.cfg."""
    path = root.located(f"{loader.folder}/grub.cfg")
    text = root.read(path)
    by_place = {volume.mount_point: volume.uuid for volume in volumes}
    home = by_place.get("/boot") or by_place.get("/")
    if text is None or not home or MENU.search(text):
        return
    uuids = {volume.uuid for volume in volumes}

    def corrected(match: re.Match[str]) -> str:
        return match[0] if match["uuid"] in uuids else f"{match[1]}{home}{match[3]}"

    root.write(path, SEARCHED.sub(corrected, text), WHY_STUB)


def _pe_machine(content: bytes) -> int:
    """From the header of a PE file (UEFI specification 2.1.1); 0 when it is none."""
    if content[:2] != b"MZ" or len(content) < 64:
        return 0
    (at,) = struct.unpack_from("<I", content, 60)
    if content[at : at + 4] != b"PE\0\0" or len(content) < at + 6:
        return 0
    return int.from_bytes(content[at + 4 : at + 6], "little")


def _cure(system: System) -> str:
    packages = system.family.grub.packages
    return f"Reinstall {' or '.join(packages.values())} on the source and start the job again."
