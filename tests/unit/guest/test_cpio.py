"""The reader of initramfs images."""

import io
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.guest.fake_guest import cpio as archive
from tests.unit.guest.fake_guest import initramfs

from smc.base.errors import Broken
from smc.guest import cpio


def names(image: bytes) -> list[str]:
    return list(cpio.names(io.BytesIO(image)))


def gzipped(data: bytes) -> bytes:
    packed = zlib.compressobj(wbits=31)
    return packed.compress(data) + packed.flush()


def test_names_in_all_archives_are_read_with_microcode_and_padding_before_the_packed_one() -> None:
    found = names(initramfs("virtio_blk", "ext4"))
    assert found[0] == "kernel/x86/microcode"
    assert found[-1].endswith("/ext4.ko")


@pytest.mark.parametrize("pack", [gzipped, zstandard.ZstdCompressor().compress, lambda data: data])
def test_each_packing_is_read(pack: "type[bytes]") -> None:
    assert names(pack(archive("a", "b/c"))) == ["a", "b/c"]


def test_several_packed_archives_stand_behind_each_other() -> None:
    image = gzipped(archive("one")) + bytes(8) + zstandard.compress(archive("two")) + archive("three")
    assert names(image) == ["one", "two", "three"]


def test_contents_are_skipped_whatever_they_hold() -> None:
    content = b"070701" * 1000 + b"x"
    image = bytearray(archive("big"))
    image[6 + 48 : 6 + 56] = b"%08X" % len(content)  # the field filesize of the first entry
    end = 110 + 4 + 2  # header, "big\0", padding
    image[end:end] = content + bytes(-len(content) % 4)
    assert names(bytes(image)) == ["big"]


@pytest.mark.parametrize(
    ("image", "packing"), [(b"\xfd7zXZ\x00abc", "xz"), (b"\x02\x21\x4c\x18abc", "lz4"), (b"BZh91A", "bzip2")]
)
def test_a_packing_that_only_the_guest_can_read_is_named(image: bytes, packing: str) -> None:
    with pytest.raises(cpio.UnknownPacking, match=packing):
        names(image)


@pytest.mark.parametrize("pack", [gzipped, zstandard.compress, lambda data: data])
def test_an_image_that_ends_in_the_middle_is_damaged(pack: "type[bytes]") -> None:
    image = pack(archive(*(f"name-{n}" for n in range(500))))
    with pytest.raises(Broken, match="ends in the middle"):
        names(image[: len(image) // 2])


def test_an_image_of_zeros_has_no_names() -> None:
    zeros = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    assert len(zeros) < 10_000
    assert names(zeros) == []


@given(st.binary(max_size=300), st.integers(0, 200))
def test_whatever_the_bytes_are_the_reader_ends_with_names_or_an_error_of_ours(noise: bytes, at: int) -> None:
    good = archive("one", "two")
    for image in (noise, good[:at] + noise, gzipped(good[:at] + noise), good + noise):
        try:
            assert all(isinstance(name, str) for name in names(image))
        except Broken as e:
            assert e.message
