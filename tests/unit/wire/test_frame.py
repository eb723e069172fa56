"""Frames survive any cutting of the stream; anything else than a frame is refused."""

import os
import struct
from contextlib import suppress

import pytest
import xxhash
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.base.errors import WireError
from smc.wire.frame import COMPRESSED, HEADER, MAGIC, MAX_PAYLOAD, OVERHEAD, VERSION, Decoder, Encoder, Frame

PAYLOADS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=400)), max_size=5)


def wire(*frames: tuple[int, bytes], level: int | None = None) -> bytes:
    encoder = Encoder()
    encoder.compress_at(level)
    return b"".join(piece for frame in frames for piece in encoder.encode(*frame))


def decoded(data: bytes) -> list[Frame]:
    return list(Decoder().feed([data]))


def forged(
    payload: bytes = b"",
    *,
    magic: bytes = MAGIC,
    version: int = VERSION,
    flags: int = 0,
    sequence: int = 0,
    length: int | None = None,
    plain: int | None = None,
) -> bytes:
    """A frame with a right check, whatever it says."""
    length = len(payload) if length is None else length
    plain = len(payload) if plain is None else plain
    header = HEADER.pack(magic, version, 1, flags, sequence, length, plain)
    return header + struct.pack("<Q", xxhash.xxh3_64_intdigest(header + payload)) + payload


@settings(deadline=None)
@given(frames=PAYLOADS, level=st.sampled_from([None, 1, -5]), cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_frames_come_back_however_the_stream_is_cut(
    frames: list[tuple[int, bytes]], level: int | None, cuts: list[int]
) -> None:
    data = wire(*frames, level=level)
    decoder = Decoder()
    found: list[Frame] = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        found += decoder.feed([data[start:end]])
    assert [(frame.kind, frame.payload) for frame in found] == frames
    assert not decoder.inside_a_frame


@settings(deadline=None)
@given(at=st.integers(0, OVERHEAD + 499), bit=st.integers(0, 7))
def test_a_twisted_bit_is_never_passed_on(at: int, bit: int) -> None:
    data = bytearray(wire((7, b"x" * 500)))
    data[at] ^= 1 << bit
    with suppress(WireError):
        assert decoded(bytes(data)) == []  # a longer frame than came: the decoder waits for the rest


@settings(deadline=None)
@given(length=st.integers(0, OVERHEAD + 99))
def test_a_cut_frame_is_not_passed_on(length: int) -> None:
    decoder = Decoder()
    assert list(decoder.feed([wire((7, b"x" * 100))[:length]])) == []
    assert decoder.inside_a_frame == (length > 0)


def test_a_frame_is_compressed_only_when_it_shrinks() -> None:
    text, noise, tiny = b"abc" * 1000, os.urandom(3000), b"a" * 50
    assert len(wire((1, text), level=1)) < 200
    assert len(wire((1, noise), level=1)) == len(noise) + OVERHEAD
    assert len(wire((1, tiny), level=1)) == len(tiny) + OVERHEAD
    assert [frame.payload for frame in decoded(wire((1, text), (2, noise), (3, tiny), level=1))] == [
        text,
        noise,
        tiny,
    ]


def test_a_payload_over_the_limit_is_neither_sent_nor_taken() -> None:
    with pytest.raises(WireError, match="over"):
        wire((1, bytes(MAX_PAYLOAD + 1)))
    with pytest.raises(WireError, match="over"):
        decoded(forged(length=MAX_PAYLOAD + 1))  # refused before a byte of it came
    with pytest.raises(WireError, match="over"):
        decoded(forged(flags=COMPRESSED, plain=MAX_PAYLOAD + 1))


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 30))
    with pytest.raises(WireError, match="size"):
        decoded(forged(bomb, flags=COMPRESSED, plain=1000))


def test_a_compressed_payload_without_a_stated_size_is_refused() -> None:
    sizeless = zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 1000)
    with pytest.raises(WireError, match="size"):
        decoded(forged(sizeless, flags=COMPRESSED, plain=1000))


def test_what_follows_a_compressed_payload_is_refused() -> None:
    payload = zstandard.ZstdCompressor().compress(b"a" * 1000)
    for tail in (b"x", payload):
        with pytest.raises(WireError):
            decoded(forged(payload + tail, flags=COMPRESSED, plain=1000))
    with pytest.raises(WireError):
        decoded(forged(b"no zstd at all", flags=COMPRESSED, plain=1000))


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (forged(magic=b"HTTP"), "expected a frame"),
        (forged(version=2), "version"),
        (forged(flags=0x8000), "flags"),
        (forged(sequence=1), "due"),
        (b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n", "expected a frame"),
    ],
)
def test_what_is_no_frame_of_ours_is_refused(frame: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decoded(frame)


def test_a_repeated_frame_is_refused() -> None:
    frame = wire((1, b"once"))
    with pytest.raises(WireError, match="due"):
        decoded(frame + frame)
