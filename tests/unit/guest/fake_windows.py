"""A Windows as its files and hives tell of it, with what a test changes; assembled from documentation."""

from collections.abc import Mapping

from tests.unit.guest.fake_hive import Given, hive, paths

from smc.guest.windows.bcd import DEFAULT, DEVICE, MANAGER, OS_DEVICE, PATH
from smc.guest.windows.system import CONFIG, BootFiles, Windows
from smc.model.server import Firmware

ENTRY = "{11111111-2222-3333-4444-555555555555}"
SERVICES = r"ControlSet001\Services"
CLASS = r"ControlSet001\Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}"
CURRENT = r"Microsoft\Windows NT\CurrentVersion"
SERVICING = r"Microsoft\Windows\CurrentVersion\Component Based Servicing"
SYSTEM: Mapping[str, Given] = {
    r"Select\Current": 1,
    r"Select\Default": 1,
    r"Setup\SystemSetupInProgress": 0,
    r"ControlSet001\Control\Session Manager\Environment\PROCESSOR_ARCHITECTURE": "AMD64",
    rf"{SERVICES}\viostor\Start": 0,
    rf"{SERVICES}\viostor\ImagePath": r"\SystemRoot\System32\drivers\viostor.sys",
    rf"{SERVICES}\netkvm\Start": 3,
    rf"{SERVICES}\partmgr\Start": 0,
    rf"{CLASS}\UpperFilters": ("partmgr",),
}
SOFTWARE: Mapping[str, Given] = {
    rf"{CURRENT}\ProductName": "Windows Server 2022 Standard",
    rf"{CURRENT}\DisplayVersion": "21H2",
    rf"{CURRENT}\CurrentMajorVersionNumber": 10,
    rf"{CURRENT}\CurrentMinorVersionNumber": 0,
    rf"{CURRENT}\CurrentBuildNumber": "20348",
    rf"{CURRENT}\UBR": 2340,
    r"Microsoft\Windows\CurrentVersion\Setup\State\ImageState": "IMAGE_STATE_COMPLETE",
}
FILES = tuple(f"Windows/System32/drivers/{name}.sys" for name in ("viostor", "netkvm", "partmgr"))


class FakeFiles:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {path.lower(): content for path, content in files.items()}

    def read(self, path: str) -> bytes | None:
        return self._files.get(path.lower())

    def has(self, path: str) -> bool:
        return path.lower() in self._files


def bcd(firmware: Firmware, changed: Mapping[str, Given] | None = None) -> bytes:
    end = "efi" if firmware is Firmware.UEFI else "exe"
    entry = rf"Objects\{ENTRY}\Elements"
    found: dict[str, Given] = {
        rf"Objects\{MANAGER}\Elements\{DEFAULT}\Element": ENTRY,
        rf"{entry}\{DEVICE}\Element": bytes(88),
        rf"{entry}\{OS_DEVICE}\Element": bytes(88),
        rf"{entry}\{PATH}\Element": rf"\Windows\system32\winload.{end}",
    }
    return hive(paths(found | dict(changed or {})))


def files(
    system: Mapping[str, Given] | None = None,
    software: Mapping[str, Given] | None = None,
    more: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """What is given is beside or instead of what a sound Windows has."""
    return {
        f"{CONFIG}/SYSTEM": hive(paths({**SYSTEM, **(system or {})})),
        f"{CONFIG}/SOFTWARE": hive(paths({**SOFTWARE, **(software or {})})),
        **{f"{CONFIG}/{name}": hive({"empty": {}}) for name in ("SAM", "SECURITY", "DEFAULT")},
        **dict.fromkeys(FILES, b"MZ"),
        **(more or {}),
    }


def windows(
    given: Mapping[str, bytes] | None = None,
    boot: BootFiles | None = None,
    firmware: Firmware = Firmware.UEFI,
) -> Windows:
    boot = boot or BootFiles(bcd(firmware), manager=True, fallback=True)
    return Windows(FakeFiles(given if given is not None else files()), boot, firmware)
