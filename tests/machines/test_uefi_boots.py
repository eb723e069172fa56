"""A converted Debian starts by UEFI on a machine whose firmware has no boot entries (machine ring)."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.kernel.debian_root import debian_tar
from tests.kernel.uefi_disk import fill_esp, make_disk

from smc.guest.convert import convert
from smc.localcloud.machine import firmware_files
from smc.model.report import Level
from smc.model.server import Architecture, Firmware

pytestmark = pytest.mark.machines

BOOT_SECONDS = 500.0  # 70 s on an idle machine under emulation


@contextmanager
def running(disk: Path, folder: Path) -> Iterator[Path]:
    """A machine with fresh NVRAM; gives the file of its serial console."""
    code, variables = firmware_files(Architecture.X86_64)
    nvram = shutil.copy(variables, folder / "nvram")
    serial = folder / "serial.log"
    words = [
        *("qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "768"),
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={nvram}"),
        *("-drive", f"if=virtio,format=raw,file={disk}"),
        *(
            "-nic",
            "user,model=virtio-net-pci,restrict=on",
            "-display",
            "none",
            "-serial",
            f"file:{serial}",
            "-no-reboot",
        ),
    ]
    with subprocess.Popen(words) as process:
        try:
            yield serial
        finally:
            process.kill()


def test_a_debian_that_started_by_bios_starts_by_uefi_without_boot_entries(tmp_path: Path) -> None:
    with ExitStack() as undo:
        disk = make_disk(tmp_path / "disk.img", debian_tar(), uuid4(), undo)
        checks = convert(disk.copy, disk.plan(Firmware.UEFI), note=print).checks
        assert not [check for check in checks if check.level is Level.CRITICAL]
        fill_esp(disk)
    end = time.monotonic() + BOOT_SECONDS
    with running(disk.image, tmp_path) as serial:
        while "source-1 login:" not in (
            text := serial.read_text(errors="replace") if serial.exists() else ""
        ):
            assert time.monotonic() < end, text[-2000:]
            time.sleep(1)
    assert "BdsDxe: starting" in text, "the firmware was UEFI"
