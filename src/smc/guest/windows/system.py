"""What a Windows system disk tells of itself: its hives, its boot manager, what lies where."""

from typing import NamedTuple, Protocol

from smc.guest.windows.hive import Damaged, Hive
from smc.model.server import Firmware

CONFIG = "Windows/System32/config"
HIVES = ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")
DEFAULT_SET = 1


class Files(Protocol):
    """Paths have slashes; case does not count."""

    def read(self, path: str) -> bytes | None:
        """None for what is not there."""
        ...

    def has(self, path: str) -> bool: ...


class BootFiles(NamedTuple):
    """Of the partition that starts: the ESP, or for BIOS the active one.

    `manager` and `fallback` tell whether they are there; firmware without entries starts the fallback.
    """

    bcd: bytes | None
    manager: bool
    fallback: bool


class Windows:
    """`system` and `software` are None where they cannot be read; `damaged` says of each hive why not."""

    def __init__(self, files: Files, boot: BootFiles, firmware: Firmware) -> None:
        self.files, self.boot, self.firmware = files, boot, firmware
        self.damaged: dict[str, str] = {}
        self.hives = {name: hive for name in HIVES if (hive := self._hive(name))}
        self.system, self.software = self.hives.get("SYSTEM"), self.hives.get("SOFTWARE")

    @property
    def control(self) -> str:
        """The key of the control set that the next start takes."""
        current = self.system.number("Select", "Default") if self.system else None
        return f"ControlSet{current or DEFAULT_SET:03}"

    def service(self, name: str) -> int | None:
        """When it is started: 0 by the boot loader, 1 and 2 later, 3 on demand, 4 never; None: not there."""
        return self.system.number(rf"{self.control}\Services\{name}", "Start") if self.system else None

    def driver(self, name: str) -> bool:
        """Whether the file of a driver is where its service, or else custom, has it."""
        image = self.system.text(rf"{self.control}\Services\{name}", "ImagePath") if self.system else ""
        path = (image or rf"System32\drivers\{name}.sys").replace("\\", "/").strip("/")
        lower = path.lower()
        if lower.startswith("systemroot/"):
            path = path[len("systemroot/") :]
        return self.files.has(f"Windows/{path}")

    def _hive(self, name: str) -> Hive | None:
        try:
            content = self.files.read(f"{CONFIG}/{name}")
            if content is None:
                self.damaged[name] = "it is not there"
                return None
            return Hive(content)
        except ValueError as e:  # of the hive or of the filesystem
            self.damaged[name] = str(e)
            return None


__all__ = ["BootFiles", "Damaged", "Files", "Windows"]
