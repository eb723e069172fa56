"""Frames: how messages share one byte stream. The byte table is in docs/design/wire.md.

Pure bytes in, frames out: no socket is touched here, so every edge can be tested.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

import xxhash
import zstandard

from smc.base.errors import WireError

MAGIC = b"SMCw"
VERSION = 1
HEADER = Struct("<4sBBHQII")  # magic, version, kind, flags, sequence, payload length, plain length
CHECK = Struct("<Q")  # xxh3-64 over header and payload
OVERHEAD = HEADER.size + CHECK.size
COMPRESSED = 0x0001
MAX_PAYLOAD = 8 << 20  # a peer cannot make us hold more than this, before or after decompression
WORTH_COMPRESSING = 128  # bytes; below, zstd's own frame eats the gain


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    payload: bytes


class Encoder:
    """Numbers, compresses and seals the frames of one direction of one connection."""

    def __init__(self) -> None:
        self._sequence = 0
        self._compressor: zstandard.ZstdCompressor | None = None

    def compress_at(self, level: int | None) -> None:
        """From the next frame on; `level` is zstd's, None sends everything as it is."""
        self._compressor = None if level is None else zstandard.ZstdCompressor(level=level)

    def encode(self, kind: int, payload: bytes) -> tuple[bytes, bytes]:
        """The two pieces to put on the wire: header with check, and payload."""
        plain_length = len(payload)
        if plain_length > MAX_PAYLOAD:
            raise WireError(f"a frame of {plain_length} bytes is over {MAX_PAYLOAD}")
        flags = 0
        if self._compressor is not None and plain_length >= WORTH_COMPRESSING:
            smaller = self._compressor.compress(payload)
            if len(smaller) < plain_length:
                payload, flags = smaller, COMPRESSED
        header = HEADER.pack(MAGIC, VERSION, kind, flags, self._sequence, len(payload), plain_length)
        self._sequence += 1
        return header + CHECK.pack(_check(header, payload)), payload


class Decoder:
    """Turns bytes that arrive in any pieces back into whole frames; `WireError` for what is no frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._sequence = 0
        self._decompressor = zstandard.ZstdDecompressor()

    @property
    def inside_a_frame(self) -> bool:
        """Whether the stream, if it ended here, would be cut."""
        return bool(self._buffer)

    def feed(self, pieces: Sequence[bytes]) -> Iterator[Frame]:
        for piece in pieces:
            self._buffer += piece
        while (frame := self._take()) is not None:
            yield frame

    def _take(self) -> Frame | None:
        if len(self._buffer) < OVERHEAD:
            return None
        magic, version, kind, flags, sequence, length, plain_length = HEADER.unpack_from(self._buffer)
        if magic != MAGIC:
            raise WireError(f"expected a frame, got {bytes(magic)!r}")
        if version != VERSION:
            raise WireError(f"the peer speaks frame version {version}, this program {VERSION}")
        if flags & ~COMPRESSED:
            raise WireError(f"unknown frame flags {flags:#06x}")
        if length > MAX_PAYLOAD or plain_length > MAX_PAYLOAD:
            raise WireError(f"a frame of {max(length, plain_length)} bytes is over {MAX_PAYLOAD}")
        if sequence != self._sequence:
            raise WireError(f"frame {sequence} came where {self._sequence} was due")
        end = OVERHEAD + length
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            header = bytes(view[: HEADER.size])
            (check,) = CHECK.unpack_from(view, HEADER.size)
            payload = bytes(view[OVERHEAD:end])
        if check != _check(header, payload):
            raise WireError(f"frame {sequence} was changed on its way")
        del self._buffer[:end]
        self._sequence += 1
        return Frame(kind, self._decompress(payload, plain_length) if flags & COMPRESSED else payload)

    def _decompress(self, payload: bytes, plain_length: int) -> bytes:
        """The size that zstd would allocate is checked first: a bomb is refused, not unpacked."""
        try:
            if zstandard.frame_content_size(payload) != plain_length:
                raise WireError("a compressed frame does not have the size that it states")
            plain = self._decompressor.decompress(
                payload, max_output_size=plain_length, allow_extra_data=False
            )
        except zstandard.ZstdError as e:
            raise WireError(f"a compressed frame cannot be unpacked: {e}") from e
        return plain


def _check(header: bytes, payload: bytes) -> int:
    check = xxhash.xxh3_64(header)
    check.update(payload)
    return check.intdigest()
