"""The boot loader is patched where GRUB's own installer patches it."""

import struct
from pathlib import Path

import pytest

from smc.base.errors import Broken
from smc.localcloud import bootsector
from smc.localcloud.bootsector import boot_sector, placed_core, write_boot_loader

BOOT = bytes(range(256)) * 2
OWN = b"\xaa" * 510 + b"\x55\xaa"


def core(sectors: int, *, counted: int | None = None) -> bytes:
    image = bytearray(sectors * 512)
    struct.pack_into("<QH", image, 0x1F4, 2, sectors - 1 if counted is None else counted)
    return bytes(image)


def test_the_boot_sector_points_to_the_core_image() -> None:
    assert struct.unpack_from("<Q", boot_sector(BOOT, OWN, 2048), 0x5C) == (2048,)


def test_the_boot_sector_uses_the_drive_that_the_firmware_names() -> None:
    patched = boot_sector(BOOT, OWN, 2048)
    assert patched[0x64] == 0xFF
    assert patched[0x66:0x68] == b"\x90\x90"


def test_the_partition_table_stays_the_disks_own() -> None:
    patched = boot_sector(BOOT, OWN, 2048)
    assert patched[0x1B8:0x1FE] == OWN[0x1B8:0x1FE]
    assert patched[0x1FE:] == BOOT[0x1FE:]
    assert patched[:0x5C] == BOOT[:0x5C]
    assert len(patched) == 512


def test_the_core_image_knows_the_sector_after_its_first() -> None:
    placed = placed_core(core(5), 2048)
    assert struct.unpack_from("<QH", placed, 0x1F4) == (2049, 4)


def test_a_core_image_in_pieces_is_refused() -> None:
    with pytest.raises(Broken):
        placed_core(core(5, counted=2), 2048)


def test_a_core_image_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        write_boot_loader(tmp_path / "disk", core(5), 1 << 20, 4 * 512)


def test_only_the_boot_sector_and_its_partition_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootsector, "GRUB", tmp_path)
    (tmp_path / "boot.img").write_bytes(BOOT)
    disk = tmp_path / "disk"
    before = OWN + b"\x11" * (3 << 20)
    disk.write_bytes(before)
    write_boot_loader(disk, core(5), 1 << 20, 1 << 20)
    after = disk.read_bytes()
    assert after[512 : 1 << 20] == before[512 : 1 << 20]
    assert after[(1 << 20) + 5 * 512 :] == before[(1 << 20) + 5 * 512 :]
    assert after[1 << 20 :][: 5 * 512] == placed_core(core(5), 2048)
