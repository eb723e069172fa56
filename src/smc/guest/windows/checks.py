"""The image check of a Windows (service-facts 5, Windows items): what its files and hives tell.

Nothing is changed: drivers are put into a Windows by its own installer, so the cures are for the source.
"""

import logging
import re
from collections.abc import Callable

from smc.guest.windows.bcd import judge_bcd
from smc.guest.windows.system import CONFIG, Windows
from smc.model.report import Check, Level
from smc.model.server import Firmware

log = logging.getLogger(__name__)

VERSION = r"Microsoft\Windows NT\CurrentVersion"
SERVICING = r"Microsoft\Windows\CurrentVersion\Component Based Servicing"
RESTRICTIONS = r"Policies\Microsoft\Windows\DeviceInstall\Restrictions"
COMPLETE = "IMAGE_STATE_COMPLETE"
INSTALLED = 112  # CurrentState of a package, 0x70
BOOT = 0  # Start of a service that the boot loader loads
DISK_DRIVERS = ("viostor", "vioscsi")  # of virtio-blk and virtio-scsi
NETWORK_DRIVER = "netkvm"
NEEDS_SHA2 = "6.1"  # Windows 7 and Server 2008 R2 take no newer signatures without KB3033929
SHA2 = "KB3033929"
BAD_PATCHES = (  # service-facts 5: with them some start no more
    *("KB5009624", "KB5009595", "KB5009546", "KB5009557", "KB5009555"),
    *("KB5014738", "KB5014702", "KB5014692", "KB5014678"),
)
PATCH = re.compile(r"KB\d+")
XEN = ("xenvbd", "xenbus", "xennet", "xenfilt", "xenvif", "xeniface")
CLASSES = {  # of devices between Windows and its disk, with the filters that it has itself
    "{4d36e967-e325-11ce-bfc1-08002be10318}": ("disk", {"partmgr", "iorate", "ehstorclass"}),
    "{71a27cdd-812a-11d0-bec7-08002be2092f}": (
        "volume",
        {"volsnap", "fvevol", "iorate", "rdyboost", "volume"},
    ),
    "{4d36e97d-e325-11ce-bfc1-08002be10318}": ("system device", set()),
    "{4d36e96a-e325-11ce-bfc1-08002be10318}": ("IDE controller", set()),
    "{4d36e97b-e325-11ce-bfc1-08002be10318}": ("storage controller", set()),
}
INSTALL = "Install the virtio drivers (virtio-win-guest-tools.exe) on the source"


def check(windows: Windows) -> list[Check]:
    """One or more for each item; what cannot be looked at says so."""
    return [found for item in ITEMS for found in _looked_at(item, windows)]


def _looked_at(item: Callable[[Windows], list[Check]], windows: Windows) -> list[Check]:
    try:
        return item(windows)
    except ValueError as e:  # a hive or the filesystem is damaged where this looked
        name = item.__name__.strip("_")
        log.exception("the check %s failed", name)
        return [_told(name, Level.WARNING, f"could not be looked at: {e}", "Run chkdsk /f on the source.")]


def _told(item: str, level: Level, finding: str, cure: str = "") -> Check:
    return Check(item=f"GUESTOS.{item}", level=level, finding=finding, cure=cure)


def _facts(windows: Windows) -> list[Check]:
    software, system = windows.software, windows.system
    name = software.text(VERSION, "ProductName") if software else ""
    release = software.text(VERSION, "DisplayVersion") if software else ""
    kind = (
        system.text(rf"{windows.control}\Control\Session Manager\Environment", "PROCESSOR_ARCHITECTURE")
        if system
        else ""
    )
    known = {"AMD64": "x86_64", "ARM64": "arm64", "x86": "i386"}
    return [
        _told("Platform", Level.INFORMATION, "Windows"),
        _told("OSVersion", Level.INFORMATION, f"{name} {release}".strip() or "not known"),
        _told("Architecture", Level.INFORMATION, known.get(kind, kind or "not known")),
        _told("BootMode", Level.INFORMATION, windows.firmware.value),
        _told("KernelVersion", Level.INFORMATION, version(windows) or "not known"),
    ]


def version(windows: Windows) -> str:
    """10.0.20348.2340, or 6.1.7601 as older ones tell it."""
    software = windows.software
    if software is None:
        return ""
    major, minor = (software.number(VERSION, f"Current{name}VersionNumber") for name in ("Major", "Minor"))
    base = software.text(VERSION, "CurrentVersion") if major is None else f"{major}.{minor or 0}"
    parts = (base, software.text(VERSION, "CurrentBuildNumber"), software.number(VERSION, "UBR"))
    return ".".join(str(part) for part in parts if part)


def _virtio(windows: Windows) -> list[Check]:
    ready = [name for name in DISK_DRIVERS if windows.service(name) == BOOT and windows.driver(name)]
    if not ready:
        late = [name for name in DISK_DRIVERS if windows.service(name) is not None]
        finding = (
            "no driver for virtio disks is loaded at the start: it would stop with INACCESSIBLE_BOOT_DEVICE"
        )
        finding += f" ({', '.join(late)} without its file, or with another Start than 0)" if late else ""
        return [_told("Virtio", Level.CRITICAL, finding, f"{INSTALL} and make the image again.")]
    if windows.service(NETWORK_DRIVER) is None or not windows.driver(NETWORK_DRIVER):
        finding = f"{', '.join(ready)} is there, {NETWORK_DRIVER} is not: no network"
        return [_told("Virtio", Level.WARNING, finding, f"{INSTALL}.")]
    return [_told("Virtio", Level.PASSED, f"{', '.join(ready)} and {NETWORK_DRIVER} are there")]


def _registry(windows: Windows) -> list[Check]:
    broken = [f"{name}: {why}" for name, why in windows.damaged.items()]
    if windows.system and not windows.system.has(windows.control):
        broken.append(f"SYSTEM has no {windows.control}, which is the one to start with")
    if broken:
        cure = "Start the source once, run sfc /scannow, shut it down, and make the image again."
        return [_told("Registry", Level.CRITICAL, "; ".join(broken), cure)]
    dirty = [name for name, hive in windows.hives.items() if hive.is_dirty]
    if dirty:
        finding = f"{', '.join(dirty)} were being written; Windows takes the rest from {CONFIG}/*.LOG"
        return [_told("Registry", Level.WARNING, finding, "Shut the source down before its image is made.")]
    return [_told("Registry", Level.PASSED, f"{len(windows.hives)} hives are whole")]


def _bcd(windows: Windows) -> list[Check]:
    problem = judge_bcd(windows.boot.bcd, windows.firmware)
    cure = f"Run `bcdboot C:\\Windows /f {windows.firmware.value.upper()}` on the source."
    if problem:
        return [_told("BCD", Level.CRITICAL, problem, cure)]
    return [_told("BCD", Level.PASSED, "its default entry leads to the loader of this firmware")]


def _boot_manager(windows: Windows) -> list[Check]:
    uefi = windows.firmware is Firmware.UEFI
    name = "EFI/Microsoft/Boot/bootmgfw.efi" if uefi else "bootmgr"
    cure = f"Run `bcdboot C:\\Windows /f {windows.firmware.value.upper()}` on the source."
    if not windows.boot.manager:
        return [_told("BootMgr", Level.CRITICAL, f"{name} is not on the partition that starts", cure)]
    if uefi and not windows.boot.fallback:
        finding = "EFI/Boot/bootx64.efi is not there, and a new machine has no boot entries of its own"
        return [_told("BootMgr", Level.CRITICAL, finding, cure)]
    return [_told("BootMgr", Level.PASSED, f"{name} is there")]


def _hotfix(windows: Windows) -> list[Check]:
    software = windows.software
    if software is None:
        return []
    patches = {
        match[0]
        for package in software.keys(rf"{SERVICING}\Packages")
        if (match := PATCH.search(package))
        if match[0] in {*BAD_PATCHES, SHA2}
        if software.number(rf"{SERVICING}\Packages\{package}", "CurrentState") == INSTALLED
    }
    bad = sorted(patches & {*BAD_PATCHES})
    if bad:
        cure = "Install the newest cumulative update on the source."
        return [
            _told("Hotfix", Level.WARNING, f"{', '.join(bad)} are installed, known to hinder starts", cure)
        ]
    if version(windows).startswith(f"{NEEDS_SHA2}.") and SHA2 not in patches:
        finding = f"{SHA2} is missing: drivers signed with SHA-2 are refused"
        return [_told("Hotfix", Level.WARNING, finding, f"Install {SHA2} on the source.")]
    return [_told("Hotfix", Level.PASSED, "no patch that is known to hinder a start")]


def _disk(windows: Windows) -> list[Check]:
    if windows.system is None:
        return []
    lost, foreign = [], []
    for key, (kind, own) in CLASSES.items():
        place = rf"{windows.control}\Control\Class\{key}"
        for which in ("UpperFilters", "LowerFilters"):
            for name in windows.system.texts(place, which):
                if windows.service(name) is None or not windows.driver(name):
                    lost.append(f"{name} of each {kind}")
                elif name.lower() not in own:
                    foreign.append(f"{name} of each {kind}")
    if lost:
        finding = f"filters without their driver stop the start: {', '.join(lost)}"
        cure = "Remove the programs that they belong to on the source, or their names from UpperFilters and"
        return [_told("Disk", Level.CRITICAL, finding, f"{cure} LowerFilters of the class.")]
    if foreign:
        finding = f"filters of other programs: {', '.join(foreign)}"
        return [_told("Disk", Level.WARNING, finding, "Remove what belongs to the old place.")]
    return [_told("Disk", Level.PASSED, "no filter of another program lies before the disks")]


def _sysprep(windows: Windows) -> list[Check]:
    system, software = windows.system, windows.software
    running = system and any(
        system.number("Setup", name) for name in ("SystemSetupInProgress", "OOBEInProgress", "SetupType")
    )
    state = software.text(r"Microsoft\Windows\CurrentVersion\Setup\State", "ImageState") if software else ""
    if running or (state and state != COMPLETE):
        finding = (
            f"set-up has begun and not ended ({state or 'Setup in SYSTEM'}): it goes on at the first start"
        )
        return [
            _told("Sysprep", Level.WARNING, finding, "Let the set-up of the source end, and shut it down.")
        ]
    return [_told("Sysprep", Level.PASSED, "no set-up is under way")]


def _update(windows: Windows) -> list[Check]:
    pending = windows.files.has("Windows/WinSxS/pending.xml") or (
        windows.software is not None and windows.software.has(rf"{SERVICING}\RebootPending")
    )
    if pending:
        cure = "Restart the source until no update waits, and shut it down."
        return [_told("Update", Level.WARNING, "updates wait for a restart", cure)]
    return [_told("Update", Level.PASSED, "no update waits for a restart")]


def _xen(windows: Windows) -> list[Check]:
    left = [name for name in XEN if windows.service(name) in {0, 1, 2}]
    if left:
        finding = f"drivers of Xen are started: {', '.join(left)}"
        return [_told("Xen", Level.WARNING, finding, "Remove Xen's guest tools on the source.")]
    return [_told("Xen", Level.PASSED, "no driver of Xen is started")]


def _server(windows: Windows) -> list[Check]:
    if windows.software is None:
        return []
    names = ("DenyUnspecified", "DenyDeviceIDs", "DenyDeviceClasses", "DenyRemovableDevices")
    denied = [name for name in names if windows.software.number(RESTRICTIONS, name)]
    if denied:
        finding = f"a policy refuses new devices ({', '.join(denied)}): drivers of the new machine"
        return [_told("Server", Level.WARNING, finding, "Lift the policy until the new machine has started.")]
    return [_told("Server", Level.PASSED, "drivers of new devices may be installed")]


ITEMS = (
    *(_facts, _virtio, _registry, _bcd, _boot_manager, _hotfix, _disk, _sysprep, _update, _xen, _server),
)
