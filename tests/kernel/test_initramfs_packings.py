"""An initramfs in a packing that Python cannot unpack is read with programs of this machine (kernel ring)."""

import subprocess
from pathlib import Path

import pytest
from tests.unit.guest.fake_guest import cpio as archive

from smc.base.errors import Broken, CommandFailed
from smc.base.run import Arg, Output, run
from smc.guest import cpio, unpacking

pytestmark = pytest.mark.kernel

NAMES = ["init", *(f"usr/lib/modules/6.1/{n}.ko.xz" for n in range(500))]
PACKINGS = {
    "xz": ("xz", "--check=crc32"),
    "lzma": ("xz", "--format=lzma"),
    "bzip2": ("bzip2",),
    "lz4 of old": ("lz4", "-l", "-c"),
    "lz4": ("lz4", "-c"),
}


def image_of(tmp_path: Path, words: tuple[str, ...]) -> Path:
    packed = subprocess.run([*words], input=archive(*NAMES), capture_output=True, check=True).stdout
    image = tmp_path / "image"
    image.write_bytes(archive("kernel/x86/microcode") + bytes(512) + packed)
    return image


def names(image: Path) -> list[str]:
    with image.open("rb") as file, pytest.raises(cpio.UnknownPacking) as unknown:
        list(cpio.names(file))
    with image.open("rb") as file:
        return unpacking.names(file, unknown.value, run)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_names_behind_the_microcode_are_read_in_every_packing(tmp_path: Path, packing: str) -> None:
    assert names(image_of(tmp_path, PACKINGS[packing])) == ["kernel/x86/microcode", *NAMES]


def test_an_image_that_ends_in_the_middle_is_damaged(tmp_path: Path) -> None:
    image = image_of(tmp_path, PACKINGS["xz"])
    image.write_bytes(image.read_bytes()[:-200])
    with pytest.raises(Broken):
        names(image)


def test_without_the_program_it_is_the_guests_turn(tmp_path: Path) -> None:
    def bare(*argv: Arg, timeout: float, **_options: object) -> Output:
        raise CommandFailed([str(word) for word in argv], "exit status 127", "")

    image = image_of(tmp_path, PACKINGS["xz"])
    with image.open("rb") as file, pytest.raises(CommandFailed):
        unpacking.names(file, cpio.UnknownPacking("xz", 0, ()), bare)
