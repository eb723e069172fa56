"""The names in an initramfs image: archives in the kernel's cpio format one after another, packed or not.

Format: linux/Documentation/driver-api/early-userspace/buffer-format.rst. Each archive is "newc" (magic
070701, or 070702 with a checksum); zero bytes may stand between archives; each may be packed by itself.
Nothing is kept of the contents, and a hostile image costs bounded memory and time.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import zstandard

from smc.base.errors import Broken

MAGICS = (b"070701", b"070702")
HEADER = 110  # 6 magic, then 13 fields of 8 hexadecimal digits
END = "TRAILER!!!"
NAME_LIMIT = 4096  # PATH_MAX
CHUNK = 256 << 10
FEED = 4 << 10  # packed bytes unpacked at once: even all zeros come to about 128 MiB then
UNPACKED_LIMIT = 4 << 30
ENTRIES_LIMIT = 1_000_000
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
UNREADABLE = {  # packings that the self-contained binary cannot unpack (no lzma, bz2, lz4 in it)
    b"\xfd7zXZ\x00": "xz",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x5d\x00\x00": "lzma",
    b"BZh": "bzip2",
    b"\x89LZO": "lzo",
}


class UnknownPacking(Broken):
    """The image is packed in a way that this reader does not know: with `packing`, from byte `start` on.

    `before` are the names in front of it.
    """

    code = "Guest.InitramfsPacking"

    def __init__(self, packing: str, start: int, before: tuple[str, ...]) -> None:
        super().__init__(f"the initramfs is packed with {packing}")
        self.packing = packing
        self.start = start
        self.before = before


class _Unpacker(Protocol):
    """What zlib and zstandard share; after `eof` the bytes behind the stream are in `unused_data`."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


UNPACKERS: dict[bytes, Callable[[], _Unpacker]] = {
    GZIP: lambda: zlib.decompressobj(wbits=31),
    ZSTD: lambda: zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj(),
}


def names(image: BinaryIO) -> Iterator[str]:
    """Every name in every archive of the image. Raises `UnknownPacking`, or `Broken` when it is damaged."""
    source = _Source(image)
    before: list[str] = []
    while start := source.peek_past_zeros(6):
        if start.startswith(MAGICS):
            for name in _archive(source):
                before.append(name)
                yield name
            continue
        unpacker = next((make for magic, make in UNPACKERS.items() if start.startswith(magic)), None)
        if unpacker is None:
            packing = next(
                (name for magic, name in UNREADABLE.items() if start.startswith(magic)), start.hex()
            )
            raise UnknownPacking(packing, image.tell() - source.left, tuple(before))
        inner = _Source(image, unpack=unpacker(), start=source.take_all())
        while inner.peek_past_zeros(6):
            yield from _archive(inner)
        source = _Source(image, start=inner.behind())


class _Source:
    """Bytes of the image, unpacked if need be, with a look ahead."""

    def __init__(self, image: BinaryIO, *, unpack: _Unpacker | None = None, start: bytes = b"") -> None:
        self._image = image
        self._unpack = unpack
        self._packed = start if unpack else b""
        self._ready = b"" if unpack else start
        self._at = 0  # how far `_ready` is used up
        self._total = 0

    def _more(self) -> bool:
        """Read on; False at the end of the image or of the packed part."""
        chunk = self._image.read(CHUNK) if self._unpack is None else self._unpacked()
        if not chunk:
            return False
        self._total += len(chunk)
        if self._total > UNPACKED_LIMIT:
            raise Broken("the initramfs unpacks to more than 4 GiB", code="Guest.InitramfsDamaged")
        self._ready = self._ready[self._at :] + chunk
        self._at = 0
        return True

    def _unpacked(self) -> bytes:
        assert self._unpack is not None
        while not self._unpack.eof:
            if not self._packed:
                self._packed = self._image.read(CHUNK)
            if not self._packed:
                raise Broken("the initramfs ends in the middle", code="Guest.InitramfsDamaged")
            feed, self._packed = self._packed[:FEED], self._packed[FEED:]
            try:
                chunk = self._unpack.decompress(feed)
            except (zlib.error, zstandard.ZstdError) as e:
                raise Broken(f"the initramfs cannot be unpacked: {e}", code="Guest.InitramfsDamaged") from e
            if chunk:
                return chunk
        return b""

    @property
    def left(self) -> int:
        """Bytes of the image that were read and not used."""
        return len(self._ready) - self._at

    def peek_past_zeros(self, count: int) -> bytes:
        """b"" at the end of the image or of the packed part."""
        while True:
            if self._ready.startswith(b"\0", self._at):
                self._at = len(self._ready) - len(self._ready[self._at :].lstrip(b"\0"))
            if len(self._ready) - self._at >= count or not self._more():
                return self._ready[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        while len(self._ready) - self._at < count:
            if not self._more():
                raise Broken("the initramfs ends in the middle", code="Guest.InitramfsDamaged")
        self._at += count
        return self._ready[self._at - count : self._at]

    def skip(self, count: int) -> None:
        while count > len(self._ready) - self._at:
            count -= len(self._ready) - self._at
            self._at = len(self._ready)
            if not self._more():
                raise Broken("the initramfs ends in the middle", code="Guest.InitramfsDamaged")
        self._at += count

    def take_all(self) -> bytes:
        return self.take(len(self._ready) - self._at)

    def behind(self) -> bytes:
        """What was read of the image but belongs behind the packed part."""
        return self._unpack.unused_data + self._packed if self._unpack else b""


def _archive(source: _Source) -> Iterator[str]:
    for _ in range(ENTRIES_LIMIT):
        header = source.take(HEADER)
        if not header.startswith(MAGICS):
            raise Broken("the initramfs is not a cpio archive", code="Guest.InitramfsDamaged")
        try:
            fields = [int(header[at : at + 8], 16) for at in range(6, HEADER, 8)]
        except ValueError as e:
            raise Broken("the initramfs has a damaged header", code="Guest.InitramfsDamaged") from e
        size, name_size = fields[6], fields[11]
        if not 0 < name_size <= NAME_LIMIT:
            raise Broken("the initramfs has a name of impossible length", code="Guest.InitramfsDamaged")
        name = source.take(name_size).rstrip(b"\0").decode(errors="replace")
        source.skip(-(HEADER + name_size) % 4)
        source.skip(size + -size % 4)
        if name == END:
            return
        yield name
    raise Broken("the initramfs has more than a million entries", code="Guest.InitramfsDamaged")
