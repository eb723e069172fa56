"""Frames: how messages and content share one byte stream. The byte table is in docs/design/wire.md.

No socket is touched here, so every edge can be tested. A frame has a head, which is one message, and
content: raw bytes that are neither copied nor joined on their way through.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

import xxhash
import zstandard

from smc.base.errors import WireError

MAGIC = b"SMCw"
VERSION = 2
END = 0  # the kind of a stream's last frame; messages have others
# Magic, version, kind, flags, sequence; lengths: head on the wire and plain, content on the wire and plain.
HEADER = Struct("<4sBBHQIIII")
CHECK = Struct("<Q")  # xxh3-64 over header, head and content
MAC_SIZE = 32  # HMAC-SHA256 over header and head
OVERHEAD = HEADER.size + CHECK.size
HEAD_COMPRESSED = 0x0001
CONTENT_COMPRESSED = 0x0002
SEALED = 0x0004
KNOWN_FLAGS = HEAD_COMPRESSED | CONTENT_COMPRESSED | SEALED
MAX_HEAD = 8 << 20  # a peer cannot make us hold more than this, before or after decompression
MAX_CONTENT = 8 << 20
WORTH_COMPRESSING = 128  # bytes; below, zstd's own frame eats the gain
HEAD_LEVEL = 1  # heads are names and numbers: the fastest level takes most of what there is
LEAST_GAIN = 16  # content that loses less than a 16th goes as it is: unpacking costs the receiver more
SMALL_PIECE = 16 * 1024  # pieces that are smaller on average are joined: a copy costs less than so many calls

Bytes = bytes | bytearray | memoryview
Content = Bytes | Sequence[Bytes]
Fill = Callable[[memoryview], None]  # fills all of the view, or raises `Transient`


@dataclass(frozen=True, slots=True)
class Frame:
    """`head` and `content` are plain; a content from `read_frame` is good until the next frame is read."""

    kind: int
    head: memoryview
    content: memoryview


@dataclass(frozen=True, slots=True)
class Packed:
    """A frame as `buffers` to send in this order. `plain` bytes of content became `wire` bytes."""

    buffers: list[Bytes]
    plain: int
    wire: int
    compress_seconds: float


class Encoder:
    """Numbers, compresses and seals the frames of one direction of one connection.

    With a `key` (any length) each frame carries a MAC.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self._sequence = 0
        self._compressors: dict[int, zstandard.ZstdCompressor] = {}

    def encode(self, kind: int, head: bytes, content: Content = b"", level: int | None = None) -> Packed:
        """`content` in one or more pieces, compressed at zstd's `level`; None sends it as it is.

        The pieces are part of the answer: they must not change until they are sent.
        """
        pieces: list[Bytes] = (
            [content] if isinstance(content, bytes | bytearray | memoryview) else list(content)
        )
        plain = sum(map(len, pieces))
        head_plain = len(head)
        if head_plain > MAX_HEAD or plain > MAX_CONTENT:
            raise WireError(f"a frame of {head_plain} + {plain} bytes is over {MAX_HEAD} + {MAX_CONTENT}")
        flags = 0 if self._key is None else SEALED
        if head_plain >= WORTH_COMPRESSING:
            smaller = self._compressor(HEAD_LEVEL).compress(head)
            if len(smaller) < head_plain:
                head, flags = smaller, flags | HEAD_COMPRESSED
        if len(pieces) > 1 and plain < len(pieces) * SMALL_PIECE:
            pieces = [b"".join(pieces)]
        began = time.perf_counter()
        if level is not None and plain >= WORTH_COMPRESSING:
            # zstd states the size in its frame when it sees all at once; next to its work a join is nothing.
            whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            packed = self._compressor(level).compress(whole)
            if len(packed) <= plain - plain // LEAST_GAIN:
                pieces, flags = [packed], flags | CONTENT_COMPRESSED
        seconds = time.perf_counter() - began
        wire = sum(map(len, pieces))
        header = HEADER.pack(MAGIC, VERSION, kind, flags, self._sequence, len(head), head_plain, wire, plain)
        self._sequence += 1
        mac = b"" if self._key is None else _mac(self._key, header, head)
        first = b"".join((header, CHECK.pack(_check(header, head, pieces)), mac, head))
        buffers: list[Bytes] = [first, *pieces] if plain else [first]
        return Packed(buffers, plain, wire, seconds)

    def _compressor(self, level: int) -> zstandard.ZstdCompressor:
        found = self._compressors.get(level)
        if found is None:
            found = self._compressors[level] = zstandard.ZstdCompressor(level=level)
        return found


class Header(NamedTuple):
    """A frame's first bytes, read and judged."""

    raw: bytes
    check: int
    kind: int
    flags: int
    sequence: int
    head: int
    head_plain: int
    content: int
    content_plain: int


class Decoder:
    """Turns bytes back into whole frames; `WireError` for what is no frame.

    Either `feed` it what arrives, in any pieces, or let it `read_frame` from a stream. With a `key` only
    frames with the right MAC are taken (`Wire.NotTrusted`), without one only frames without.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self._mac_size = 0 if key is None else MAC_SIZE
        self._sequence = 0
        self._buffer = bytearray()
        self._content = bytearray()
        self._decompressor = zstandard.ZstdDecompressor()

    @property
    def inside_a_frame(self) -> bool:
        """Whether what was fed, if it ended here, would be cut."""
        return bool(self._buffer)

    def feed(self, pieces: Sequence[bytes]) -> Iterator[Frame]:
        """For frames without much content: what is not complete is held and grows."""
        for piece in pieces:
            self._buffer += piece
        while (frame := self._take()) is not None:
            yield frame

    def read_frame(self, fill: Fill) -> Frame:
        """The next frame; its content lies where that of the one before did: fresh memory would be cleared
        first, for each of a thousand pieces a GiB. Raises what `fill` raises."""
        first = bytearray(OVERHEAD)
        fill(memoryview(first))
        header = self._parse(first)
        rest = memoryview(bytearray(self._mac_size + header.head))
        fill(rest)
        head = self._authentic(header, rest)
        if len(self._content) < header.content:
            self._content = bytearray(header.content)
        content = memoryview(self._content)[: header.content]
        if header.content:
            fill(content)
        return self._finish(header, head, content)

    def _take(self) -> Frame | None:
        if len(self._buffer) < OVERHEAD:
            return None
        header = self._parse(self._buffer)
        start = OVERHEAD + self._mac_size + header.head
        end = start + header.content
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            rest = memoryview(bytes(view[OVERHEAD:start]))
            content = memoryview(bytes(view[start:end]))
        del self._buffer[:end]
        return self._finish(header, self._authentic(header, rest), content)

    def _parse(self, data: bytearray) -> Header:
        """Refuses sizes before a byte of what they announce is held."""
        raw = bytes(memoryview(data)[: HEADER.size])
        magic, version, kind, flags, sequence, head, head_plain, content, content_plain = HEADER.unpack(raw)
        (check,) = CHECK.unpack_from(data, HEADER.size)
        if magic != MAGIC:
            raise WireError(f"expected a frame, got {magic!r}")
        if version != VERSION:
            raise WireError(f"the peer speaks frame version {version}, this program {VERSION}")
        if flags & ~KNOWN_FLAGS:
            raise WireError(f"unknown frame flags {flags:#06x}")
        if bool(flags & SEALED) != (self._key is not None):
            raise WireError(
                "a frame came with a seal that was not agreed" if flags & SEALED else "a frame came unsealed",
                code="Wire.NotTrusted",
            )
        if max(head, head_plain) > MAX_HEAD or max(content, content_plain) > MAX_CONTENT:
            size = max(head, head_plain) + max(content, content_plain)
            raise WireError(f"a frame of {size} bytes is over {MAX_HEAD} + {MAX_CONTENT}")
        if (head != head_plain and not flags & HEAD_COMPRESSED) or (
            content != content_plain and not flags & CONTENT_COMPRESSED
        ):
            raise WireError("a frame that is not compressed states two sizes")
        if sequence != self._sequence:
            raise WireError(f"frame {sequence} came where {self._sequence} was due")
        return Header(raw, check, kind, flags, sequence, head, head_plain, content, content_plain)

    def _authentic(self, header: Header, rest: memoryview) -> memoryview:
        """The head as it is on the wire, which follows the MAC in `rest`."""
        head = rest[self._mac_size :]
        if self._key is not None and not hmac.compare_digest(
            rest[: self._mac_size], _mac(self._key, header.raw, head)
        ):
            raise WireError(f"frame {header.sequence} is not of the peer", code="Wire.NotTrusted")
        return head

    def _finish(self, header: Header, head: memoryview, content: memoryview) -> Frame:
        if header.check != _check(header.raw, head, (content,)):
            raise WireError(f"frame {header.sequence} was changed on its way")
        self._sequence += 1
        if header.flags & HEAD_COMPRESSED:
            head = self._decompress(head, header.head_plain)
        if header.flags & CONTENT_COMPRESSED:
            content = self._decompress(content, header.content_plain)
        return Frame(header.kind, head, content)

    def _decompress(self, data: memoryview, size: int) -> memoryview:
        """The size that zstd would allocate is checked first: a bomb is refused, not unpacked."""
        try:
            if zstandard.frame_content_size(data) != size:
                raise WireError("a compressed frame does not have the size that it states")
            plain = self._decompressor.decompress(data, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as e:
            raise WireError(f"a compressed frame cannot be unpacked: {e}") from e
        return memoryview(plain)


def _check(header: bytes, head: Bytes, content: Sequence[Bytes]) -> int:
    check = xxhash.xxh3_64(header)
    check.update(head)
    for piece in content:
        check.update(piece)
    return check.intdigest()


def _mac(key: bytes, header: bytes, head: Bytes) -> bytes:
    return hmac.digest(key, b"".join((header, head)), hashlib.sha256)
