"""A real Debian is made to start by UEFI, whatever it started by before (kernel ring)."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from tests.kernel.debian_root import debian_tar, sh
from tests.kernel.uefi_disk import Disk, fill_esp, make_disk

from smc.guest.convert import Converted, convert
from smc.model.report import Level
from smc.model.server import Firmware

pytestmark = pytest.mark.kernel


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A Debian on a disk with an empty ESP and room for a BIOS core image."""
    with ExitStack() as undo:
        yield make_disk(tmp_path / "disk.img", debian_tar(), uuid4(), undo)


def converted(disk: Disk, firmware: Firmware) -> Converted:
    result = convert(disk.copy, disk.plan(firmware), note=print)
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    assert convert(disk.copy, disk.plan(firmware), note=print).changes == ()
    return result


def test_a_debian_that_started_by_bios_gets_shim_and_grub_where_any_firmware_finds_them(disk: Disk) -> None:
    result = converted(disk, Firmware.UEFI)
    found = {path.name for path in (disk.root / "boot/efi/EFI/BOOT").iterdir()}
    assert {"BOOTX64.EFI", "grubx64.efi", "mmx64.efi"} <= found
    changed = {change.path: change.after for change in result.changes}
    assert changed["/boot/efi/EFI/BOOT/BOOTX64.EFI"].startswith("sha256:")
    assert "UUID=ABCD-1234 /boot/efi vfat umask=0077,nofail 0 2" in (disk.root / "etc/fstab").read_text()
    fill_esp(disk)
    assert "grubx64  efi" in sh("mdir", "-i", f"{disk.device}p2", "::/EFI/BOOT")


def test_a_debian_that_started_by_uefi_keeps_its_signed_loaders_and_gets_copies_of_them(disk: Disk) -> None:
    esp = disk.root / "boot/efi/EFI"
    converted(disk, Firmware.UEFI)
    shutil.rmtree(esp / "BOOT")  # an installed Debian has only its own folder
    before = {path.name: path.read_bytes() for path in (esp / "debian").iterdir()}
    converted(disk, Firmware.UEFI)
    assert {path.name: path.read_bytes() for path in (esp / "debian").iterdir()} == before
    assert (esp / "BOOT/BOOTX64.EFI").read_bytes() == before["shimx64.efi"]
    assert (esp / "BOOT/grubx64.efi").read_bytes() == before["grubx64.efi"]


def test_a_debian_that_started_by_uefi_is_made_to_start_by_bios(disk: Disk) -> None:
    converted(disk, Firmware.UEFI)
    converted(disk, Firmware.BIOS)
    with disk.device.open("rb") as device:
        assert b"GRUB" in device.read(512)


@pytest.mark.parametrize("firmware", list(Firmware))
def test_a_root_on_xfs_is_found_by_grub_and_by_the_initramfs(tmp_path: Path, firmware: Firmware) -> None:
    with ExitStack() as undo:
        disk = make_disk(tmp_path / "disk.img", debian_tar(), uuid4(), undo, filesystem="xfs")
        (check,) = (check for check in converted(disk, firmware).checks if check.item == "GUESTOS.Virtio")
        assert "xfs" in check.finding
        assert f"root=UUID={disk.root_uuid} " in (disk.root / "boot/grub/grub.cfg").read_text()
