"""GRUB for BIOS written into a disk file, as grub-bios-setup does to a disk; needs no privilege.

The firmware loads sector 0 (boot.img). It loads the first sector of the core image (diskboot.img), which
loads the rest from the block list at its end. Offsets: GRUB's include/grub/i386/pc/boot.h and
grub-core/boot/i386/pc/{boot,diskboot}.S. The core image lies in one piece in the BIOS boot partition.

    boot.img    0x5c  8 bytes  first sector of the core image
                0x64  1 byte   boot drive, 0xff: the one the firmware names
                0x66  2 bytes  a jump over the check for firmware that names a wrong drive; NOPs enable it
                0x1b8 72 bytes disk signature and partition table: stay the disk's own
    core image  0x1f4 8 bytes  the sector after its first; 0x1fc number of sectors, set by grub-mkimage
"""

import struct
from pathlib import Path

from smc.base.errors import Broken
from smc.base.run import Run, run

SECTOR = 512
KERNEL_SECTOR, BOOT_DRIVE, DRIVE_CHECK = 0x5C, 0x64, 0x66
PARTITION_TABLE = 0x1B8
BLOCK_LIST, BLOCK_COUNT = 0x1F4, 0x1FC
GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = (
    "biosdisk",
    "part_gpt",
    "ext2",
    "normal",
    "configfile",
    "linux",
    "search",
    "search_fs_uuid",
    "test",
)


def make_core(output: Path, config: Path, *, run: Run = run) -> None:
    """A core image that runs `config` first and needs no module from the disk."""
    run(
        *("grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-p", "/boot/grub", "-c", config, "-o", output),
        *MODULES,
        timeout=60,
    )


def write_boot_loader(disk: Path, core: bytes, partition_start: int, partition_size: int) -> None:
    """Put the boot sector and `core` into `disk`; start and size of the BIOS boot partition in bytes."""
    if len(core) > partition_size:
        raise Broken(f"The boot loader ({len(core)} bytes) does not fit into its partition.")
    sector = partition_start // SECTOR
    with disk.open("r+b") as file:
        own = file.read(SECTOR)
        file.seek(0)
        file.write(boot_sector((GRUB / "boot.img").read_bytes(), own, sector))
        file.seek(partition_start)
        file.write(placed_core(core, sector))


def boot_sector(boot: bytes, own: bytes, core_sector: int) -> bytes:
    """boot.img for a core image at `core_sector`, with the disk's `own` partition table."""
    patched = bytearray(boot)
    struct.pack_into("<Q", patched, KERNEL_SECTOR, core_sector)
    patched[BOOT_DRIVE] = 0xFF
    patched[DRIVE_CHECK : DRIVE_CHECK + 2] = b"\x90\x90"
    patched[PARTITION_TABLE:-2] = own[PARTITION_TABLE:-2]
    return bytes(patched)


def placed_core(core: bytes, core_sector: int) -> bytes:
    """The core image knowing where it lies. Raises `Broken` when it is not made of one block."""
    (count,) = struct.unpack_from("<H", core, BLOCK_COUNT)
    if count != -(-len(core) // SECTOR) - 1:
        raise Broken(f"The boot loader counts {count} sectors in {len(core)} bytes.")
    patched = bytearray(core)
    struct.pack_into("<Q", patched, BLOCK_LIST, core_sector + 1)
    return bytes(patched)
