"""Windows in a disk image: where it lies, what of it is looked at."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

from smc.base.run import Run
from smc.guest.windows.checks import check
from smc.guest.windows.ntfs import Ntfs
from smc.guest.windows.system import CONFIG, BootFiles, Windows
from smc.model.report import Check, Level
from smc.model.server import Firmware

COPY_SECONDS = 60.0
NTFS = "ntfs"
ESP_BCD, ESP_MANAGER = "EFI/Microsoft/Boot/BCD", "EFI/Microsoft/Boot/bootmgfw.efi"
FALLBACKS = ("EFI/Boot/bootx64.efi", "EFI/Boot/bootaa64.efi", "EFI/Boot/bootia32.efi")
BIOS_BCD, BIOS_MANAGER = "Boot/BCD", "bootmgr"


class Place(NamedTuple):
    """A partition: where it begins, in bytes; `starts`: the ESP, or by MBR the active one."""

    start: int
    filesystem: str
    starts: bool


def look(raw: Path, places: Sequence[Place], firmware: Firmware, run: Run) -> list[Check] | None:
    """None where no partition holds a Windows."""
    with raw.open("rb") as disk:
        volumes, damaged = {}, []
        for place in places:
            if place.filesystem == NTFS:
                try:
                    volumes[place] = Ntfs(disk, place.start)
                    if volumes[place].has(f"{CONFIG}/SYSTEM"):
                        boot = _boot(raw, disk, places, firmware, run)
                        return check(Windows(volumes[place], boot, firmware))
                except ValueError as e:
                    damaged.append(f"the NTFS at byte {place.start} is damaged: {e}")
    if damaged:
        cure = "Run chkdsk /f on the source, shut it down, and make the image again."
        return [_critical("; ".join(damaged), cure)]
    return None


def _boot(raw: Path, disk: BinaryIO, places: Sequence[Place], firmware: Firmware, run: Run) -> BootFiles:
    for place in places:
        if firmware is Firmware.UEFI and place.starts:
            return _of_esp(raw, place, run)
        if firmware is Firmware.BIOS and place.starts and place.filesystem == NTFS:
            files = Ntfs(disk, place.start)
            return BootFiles(files.read(BIOS_BCD), files.has(BIOS_MANAGER), fallback=True)
    return BootFiles(None, manager=False, fallback=False)


def _of_esp(raw: Path, place: Place, run: Run) -> BootFiles:
    image = f"{raw}@@{place.start}"
    with TemporaryDirectory(prefix="smc-esp-") as folder:
        there = [
            path
            for number, path in enumerate((ESP_BCD, ESP_MANAGER, *FALLBACKS))
            if _taken(image, path, Path(folder, str(number)), run)
        ]
        bcd = Path(folder, "0").read_bytes() if ESP_BCD in there else None
    return BootFiles(bcd, ESP_MANAGER in there, fallback=bool({*FALLBACKS} & {*there}))


def _taken(image: str, path: str, to: Path, run: Run) -> bool:
    """By mtools, which reads FAT inside of an image without mounting it; status 1: not there."""
    done = run("mcopy", "-n", "-i", image, f"::{path}", to, timeout=COPY_SECONDS, ok=(0, 1))
    return done.status == 0 and to.is_file()


def _critical(finding: str, cure: str) -> Check:
    return Check(item="GUESTOS.SystemImage", level=Level.CRITICAL, finding=finding, cure=cure)
