"""Frames survive any cutting of the stream; anything else than a frame is refused."""

import os
import struct
from contextlib import suppress
from dataclasses import replace

import pytest
import xxhash
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.base.errors import Transient, WireError
from smc.wire.frame import (
    CONTENT_COMPRESSED,
    HEAD_COMPRESSED,
    HEADER,
    MAC_SIZE,
    MAGIC,
    MAX_CONTENT,
    MAX_HEAD,
    OVERHEAD,
    SEALED,
    VERSION,
    Content,
    Decoder,
    Encoder,
    Fill,
    Frame,
)
from smc.wire.tls import cut

Sample = tuple[int, bytes, Content]
KEY = b"k" * 32
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 255),
        st.binary(max_size=300) | st.just(b"head" * 100),
        st.binary(max_size=400) | st.just(b"content" * 100) | st.lists(st.binary(max_size=300), max_size=4),
    ),
    max_size=5,
)


def wire(*frames: Sample, level: int | None = None, key: bytes | None = None) -> bytes:
    encoder = Encoder(key)
    return b"".join(piece for frame in frames for piece in encoder.encode(*frame, level).buffers)


def decoded(data: bytes, key: bytes | None = None) -> list[Frame]:
    return list(Decoder(key).feed([data]))


def reader(data: bytes) -> Fill:
    """A stream that ends after `data`."""
    rest = memoryview(data)

    def fill(view: memoryview) -> None:
        nonlocal rest
        if len(view) > len(rest):
            raise cut("the end")
        view[:] = rest[: len(view)]
        rest = rest[len(view) :]

    return fill


def read(data: bytes, key: bytes | None = None) -> list[Frame]:
    decoder, fill, found = Decoder(key), reader(data), list[Frame]()
    with suppress(Transient):
        while True:
            frame = decoder.read_frame(fill)
            found.append(replace(frame, content=memoryview(bytes(frame.content))))
    return found


def plain(frames: list[Frame]) -> list[tuple[int, bytes, bytes]]:
    return [(frame.kind, bytes(frame.head), bytes(frame.content)) for frame in frames]


def whole(content: Content) -> bytes:
    return bytes(content) if isinstance(content, bytes | bytearray | memoryview) else b"".join(content)


def forged(
    head: bytes = b"",
    content: bytes = b"",
    *,
    magic: bytes = MAGIC,
    version: int = VERSION,
    flags: int = 0,
    sequence: int = 0,
    lengths: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None),
) -> bytes:
    """A frame with a right check, whatever it says."""
    true = (len(head), len(head), len(content), len(content))
    said = [known if told is None else told for told, known in zip(lengths, true, strict=True)]
    header = HEADER.pack(magic, version, 1, flags, sequence, *said)
    return header + struct.pack("<Q", xxhash.xxh3_64_intdigest(header + head + content)) + head + content


@settings(deadline=None)
@given(
    frames=SAMPLES,
    level=st.sampled_from([None, 1, -5]),
    key=st.sampled_from([None, KEY]),
    cuts=st.lists(st.integers(0, 2000), max_size=8),
)
def test_frames_come_back_however_the_stream_is_cut(
    frames: list[Sample], level: int | None, key: bytes | None, cuts: list[int]
) -> None:
    data = wire(*frames, level=level, key=key)
    decoder = Decoder(key)
    found: list[Frame] = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        found += decoder.feed([data[start:end]])
    wanted = [(kind, head, whole(content)) for kind, head, content in frames]
    assert plain(found) == plain(read(data, key)) == wanted
    assert not decoder.inside_a_frame


@settings(deadline=None)
@given(
    at=st.integers(0, OVERHEAD + MAC_SIZE + 699),
    bit=st.integers(0, 7),
    key=st.sampled_from([None, KEY]),
    level=st.sampled_from([None, 1]),
)
def test_a_twisted_bit_is_never_passed_on(at: int, bit: int, key: bytes | None, level: int | None) -> None:
    data = bytearray(wire((7, b"x" * 100, b"content" * 90), level=level, key=key))
    data[at % len(data)] ^= 1 << bit
    for decode in (decoded, read):
        with suppress(WireError):
            assert decode(bytes(data), key) == []  # a longer frame than came: the rest is waited for


@settings(deadline=None)
@given(length=st.integers(0, OVERHEAD + MAC_SIZE + 199), key=st.sampled_from([None, KEY]))
def test_a_cut_frame_is_not_passed_on(length: int, key: bytes | None) -> None:
    data = wire((7, b"x" * 100, b"y" * 100), key=key)
    data = data[: min(length, len(data) - 1)]
    decoder = Decoder(key)
    assert list(decoder.feed([data])) == []
    assert decoder.inside_a_frame == bool(data)
    with pytest.raises(Transient):
        Decoder(key).read_frame(reader(data))


def test_content_goes_as_it_is_unless_it_shrinks_by_a_16th() -> None:
    noise, mostly = os.urandom(16000), os.urandom(15500) + bytes(500)
    for content in (noise, mostly, b"a" * 50):
        packed = Encoder().encode(1, b"", content, 1)
        assert (packed.plain, packed.wire) == (len(content), len(content))
        assert packed.buffers[1] is content  # nor is it copied
    packed = Encoder().encode(1, b"", b"abc" * 1000, 1)
    assert packed.plain == 3000
    assert packed.wire < 100
    assert packed.compress_seconds > 0


def test_content_in_many_pieces_is_one_content() -> None:
    big, small = [os.urandom(1 << 20), os.urandom(1 << 20)], [b"file %d" % number for number in range(5000)]
    packed = Encoder().encode(1, b"", big)
    assert [id(piece) for piece in packed.buffers[1:]] == [id(piece) for piece in big]
    assert len(Encoder().encode(1, b"", small).buffers) == 2  # joined: a call for each would cost more
    for pieces in (big, small):
        for level in (None, 1):
            (frame,) = read(wire((1, b"h", pieces), level=level))
            assert frame.content == b"".join(pieces)


def test_heads_are_compressed_whatever_the_level_of_content() -> None:
    assert len(wire((1, b"name" * 1000, b""))) < 200
    assert len(wire((1, b"n" * 50, b""))) == OVERHEAD + 50


def test_a_frame_over_the_limit_is_neither_sent_nor_taken() -> None:
    for head, content in ((bytes(MAX_HEAD + 1), b""), (b"", bytes(MAX_CONTENT + 1))):
        with pytest.raises(WireError, match="over"):
            Encoder().encode(1, head, content)
    for lengths in (
        (MAX_HEAD + 1, MAX_HEAD + 1, None, None),
        (None, MAX_HEAD + 1, None, None),
        (None, None, MAX_CONTENT + 1, MAX_CONTENT + 1),
        (None, None, None, MAX_CONTENT + 1),
        (2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ):
        data = forged(flags=HEAD_COMPRESSED | CONTENT_COMPRESSED, lengths=lengths)
        for decode in (decoded, read):
            with pytest.raises(WireError, match="over"):  # before a byte of it came
                decode(data)


def test_what_is_not_compressed_has_one_size() -> None:
    for lengths in ((None, 5, None, None), (None, None, None, 5)):
        with pytest.raises(WireError, match="two sizes"):
            decoded(forged(lengths=lengths))


@pytest.mark.parametrize("flag", [HEAD_COMPRESSED, CONTENT_COMPRESSED])
def test_what_does_not_unpack_to_its_size_is_refused(flag: int) -> None:
    good = zstandard.ZstdCompressor().compress(b"a" * 1000)
    for data, why in (
        (zstandard.ZstdCompressor().compress(bytes(1 << 30)), "size"),  # a bomb
        (zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 1000), "size"),
        (good + b"x", "unpacked"),
        (good + good, "unpacked"),
        (b"no zstd at all", "unpacked"),
        (b"", "unpacked"),
    ):
        in_head = flag == HEAD_COMPRESSED
        frame = (
            forged(data, flags=flag, lengths=(None, 1000, None, None))
            if in_head
            else forged(b"", data, flags=flag, lengths=(None, None, None, 1000))
        )
        for decode in (decoded, read):
            with pytest.raises(WireError, match=why):
                decode(frame)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (forged(magic=b"HTTP"), "expected a frame"),
        (forged(version=1), "version"),
        (forged(flags=0x8000), "flags"),
        (forged(sequence=1), "due"),
        (b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n" + bytes(OVERHEAD), "expected a frame"),
    ],
)
def test_what_is_no_frame_of_ours_is_refused(frame: bytes, why: str) -> None:
    for decode in (decoded, read):
        with pytest.raises(WireError, match=why):
            decode(frame)


@pytest.mark.parametrize("key", [None, KEY])
def test_repeated_lost_and_exchanged_frames_are_refused(key: bytes | None) -> None:
    encoder = Encoder(key)
    first, second, third = (b"".join(encoder.encode(1, b"%d" % n, b"c").buffers) for n in range(3))
    for stream in (first + first, first + third, second + first):
        for decode in (decoded, read):
            with pytest.raises(WireError, match="due"):
                decode(stream, key)


def test_a_frame_without_the_agreed_seal_is_not_trusted() -> None:
    told = wire((1, b"head", b"content"), key=KEY)
    mac = slice(OVERHEAD, OVERHEAD + MAC_SIZE)
    twisted = bytearray(told)
    twisted[mac] = bytes(MAC_SIZE)
    for data, key in (
        (wire((1, b"head", b"content")), KEY),
        (wire((1, b"head", b"content"), key=b"another"), KEY),
        (bytes(twisted), KEY),
        (told, None),
        (forged(flags=SEALED), None),
    ):
        for decode in (decoded, read):
            with pytest.raises(WireError) as raised:
                decode(data, key)
            assert raised.value.code == "Wire.NotTrusted"


def test_a_head_that_was_changed_with_its_check_is_not_trusted() -> None:
    header = wire((1, b"head", b""), key=KEY)[: HEADER.size]
    mac = wire((1, b"head", b""), key=KEY)[OVERHEAD : OVERHEAD + MAC_SIZE]
    check = struct.pack("<Q", xxhash.xxh3_64_intdigest(header + b"HEAD"))
    with pytest.raises(WireError) as raised:
        decoded(header + check + mac + b"HEAD", KEY)
    assert raised.value.code == "Wire.NotTrusted"
