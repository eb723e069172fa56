"""A real Debian whose initramfs dracut makes, made for its old machine only (kernel ring)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from tests.kernel.debian_root import dracut_tar
from tests.kernel.uefi_disk import Disk, make_disk
from tests.unit.guest.fake_guest import cpio

from smc.guest.convert import convert
from smc.model.report import Check, Level
from smc.model.server import Firmware

pytestmark = pytest.mark.kernel

MIB = 1 << 20
WAITS = r"usr/lib/dracut/hooks/initqueue/finished/devexists-\x2fdev\x2fmapper\x2fold-root.sh"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with ExitStack() as undo:
        yield make_disk(tmp_path / "disk.img", dracut_tar(), uuid4(), undo)


def image_of(disk: Disk) -> Path:
    (kernel,) = (path.name.removeprefix("vmlinuz-") for path in (disk.root / "boot").glob("vmlinuz-*"))
    return disk.root / f"boot/initrd.img-{kernel}"


def virtio(disk: Disk) -> Check:
    result = convert(disk.copy, disk.plan(Firmware.BIOS), note=print)
    (check,) = (check for check in result.checks if check.item == "GUESTOS.Virtio")
    return check


@pytest.mark.parametrize("lacking", ["drivers", "what it waits for"])
def test_an_initramfs_of_dracut_is_made_anew_inside_the_sealed_copy(disk: Disk, lacking: str) -> None:
    image = image_of(disk)
    folder = f"lib/modules/{image.name.removeprefix('initrd.img-')}/kernel"
    drivers = [f"{folder}/{name}.ko" for name in ("virtio_pci", "virtio_blk", "ext4")]
    image.write_bytes(cpio("init", *(drivers if lacking != "drivers" else []), WAITS))
    check = virtio(disk)
    assert check.level is Level.PASSED, check.finding
    assert image.stat().st_size > 4 * MIB
    made = image.read_bytes()
    assert virtio(disk).level is Level.PASSED
    assert image.read_bytes() == made, "what is right is not made again"
