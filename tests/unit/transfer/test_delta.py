"""Whatever a content became, its pieces are put together again from the older content and little else."""

import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.base.errors import WireError
from smc.transfer import native
from smc.transfer.delta import (
    LARGEST_BLOCK,
    LEAST_BLOCK,
    MOST_BLOCKS,
    Differ,
    Signature,
    assemble,
    block_size,
    sign,
    without_holes,
)
from smc.wire.messages import PIECE

RECORD = 12
SEED = bytes(8)
OLD = random.Random(1).randbytes(3 * PIECE + 12_345)


def unchecked() -> None:
    return None


def signed(older: bytes) -> tuple[int, Signature]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - its handle is duplicated
    with file:
        file.write(older)
        file.flush()
        handle = os.dup(file.fileno())
    return handle, sign(handle, len(older), unchecked)


def literal_bytes(older: bytes, newer: bytes) -> int:
    """How much of `newer` must be sent; all of it is put together and compared."""
    handle, signature = signed(older)
    try:
        differ = Differ(signature)
        literal = 0
        for offset, piece, after in pieces(newer, differ.block):
            copies, extents = differ.split(offset, piece + after, len(piece))
            content = b"".join(piece[start : start + length] for start, length in extents)
            assert bytes(assemble(handle, len(piece), copies, extents, memoryview(content))) == piece
            literal += len(content)
        return literal
    finally:
        os.close(handle)


def pieces(content: bytes, block: int) -> Iterator[tuple[int, bytes, bytes]]:
    for offset in range(0, len(content), PIECE):
        end = offset + PIECE
        yield offset, content[offset:end], content[end : end + block]


def patched(offsets: list[int], size: int) -> bytes:
    content = bytearray(OLD)
    for offset in offsets:
        content[offset : offset + size] = random.Random(offset).randbytes(size)
    return bytes(content)


CASES = {
    "unchanged": (OLD, 0),
    "an append": (OLD + b"new" * 1000, 3000),
    "an insertion at the front": (b"x" + OLD, 1),
    "a long insertion at the front": (bytes(range(256)) * 20 + OLD, 256 * 20),
    "an insertion in the middle": (OLD[:1_000_001] + b"abc" + OLD[1_000_001:], 3 + LEAST_BLOCK),
    "a deletion at the front": (OLD[777:], LEAST_BLOCK),
    "a deletion in the middle": (OLD[:1_500_000] + OLD[1_600_001:], 2 * LEAST_BLOCK),
    "in-place writes of a database": (patched([8192 * n * 7 for n in range(40)], 8192), 40 * 8192),
    "unaligned writes": (patched([100_001 * n for n in range(1, 30)], 100), 29 * 2 * LEAST_BLOCK),
    "halves that changed places": (OLD[PIECE * 2 :] + OLD[: PIECE * 2], LEAST_BLOCK * 2),
    "truncation": (OLD[: PIECE + 5], LEAST_BLOCK),
    "nothing left": (b"", 0),
}


@pytest.mark.parametrize(("newer", "most"), CASES.values(), ids=CASES)
def test_a_change_costs_about_what_is_new(newer: bytes, most: int) -> None:
    assert literal_bytes(OLD, newer) <= most


def test_an_equal_block_at_another_place_serves_as_well() -> None:
    zeros = bytes(2 * PIECE)
    assert literal_bytes(zeros, zeros[:-1] + b"1" + zeros) <= LEAST_BLOCK + 1


def test_a_content_of_nothing_has_nothing_to_copy() -> None:
    assert literal_bytes(b"", OLD) == len(OLD)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["write", "insert", "delete", "move"]),
            st.floats(0, 1),
            st.floats(0, 1),
            st.integers(1, 40_000),
        ),
        max_size=6,
    ),
)
def test_any_edits_are_put_together_again(seed: int, edits: list[tuple[str, float, float, int]]) -> None:
    made = random.Random(seed)
    older = made.randbytes(made.randrange(1, 2 * PIECE))
    newer = bytearray(older)
    for how, there, other, size in edits:
        at = int(there * len(newer))
        match how:
            case "write":
                newer[at : at + size] = made.randbytes(size)
            case "insert":
                newer[at:at] = made.randbytes(size)
            case "delete":
                del newer[at : at + size]
            case "move":
                part = newer[at : at + size]
                del newer[at : at + size]
                newer[int(other * len(newer)) : 0] = part
    budget = sum(size + 4 * LEAST_BLOCK for _, _, _, size in edits) + LEAST_BLOCK
    assert literal_bytes(older, bytes(newer)) <= budget


def test_what_was_promised_is_looked_at_again() -> None:
    """A file that changes between the reading of two pieces."""
    handle, signature = signed(OLD)
    try:
        differ = Differ(signature)
        newer = b"x" * 100 + OLD
        differ.split(0, newer[: PIECE + differ.block], PIECE)
        other = b"changed" + newer[PIECE + 7 : 2 * PIECE]
        copies, extents = differ.split(PIECE, other + newer[2 * PIECE : 2 * PIECE + differ.block], PIECE)
        content = b"".join(other[start : start + length] for start, length in extents)
        assert bytes(assemble(handle, len(other), copies, extents, memoryview(content))) == other
    finally:
        os.close(handle)


def test_a_hole_between_pieces_does_not_confuse_it() -> None:
    handle, signature = signed(OLD)
    os.close(handle)
    differ = Differ(signature)
    copies, _ = differ.split(2 * PIECE, OLD[2 * PIECE : 3 * PIECE], PIECE)
    assert copies == ((0, PIECE, 2 * PIECE),)


def test_blocks_grow_so_that_a_signature_is_never_long() -> None:
    for size in (0, 1, 1 << 20, 1 << 30, 1 << 40, 1 << 43):
        block = block_size(size)
        assert LEAST_BLOCK <= block <= LARGEST_BLOCK
        assert -(-size // block) <= MOST_BLOCKS
    assert block_size(1 << 50) == LARGEST_BLOCK


def test_a_large_hole_is_signed_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb+") as file:
        size = 1 << 38
        file.truncate(size)
        file.seek(size // 2)
        file.write(b"data")
        file.flush()
        signature = sign(file.fileno(), size, unchecked)
        records = signature.blocks[len(SEED) :]
        assert len(records) == -(-size // signature.block) * RECORD
        assert len({records[at : at + RECORD] for at in range(0, len(records), RECORD)}) == 2


@settings(max_examples=30, deadline=None)
@given(
    parts=st.lists(st.tuples(st.booleans(), st.integers(1, 700_000)), min_size=1, max_size=5),
    block=st.sampled_from([512, 4096, 65536, 1 << 20]),
)
def test_holes_are_signed_like_the_zeros_that_they_read_as(parts: list[tuple[bool, int]], block: int) -> None:
    with tempfile.TemporaryFile() as sparse, tempfile.TemporaryFile() as full:
        for is_hole, size in parts:
            full.write(bytes(size) if is_hole else b"data" * (size // 4 + 1))
            if is_hole:
                sparse.seek(size, os.SEEK_CUR)
            else:
                sparse.write(b"data" * (size // 4 + 1))
        size = full.tell()
        sparse.truncate(size)
        full.flush()
        assert native.signature(sparse.fileno(), 0, size, block, 5) == native.signature(
            full.fileno(), 0, size, block, 5
        )


def test_a_file_that_became_shorter_is_signed_as_if_it_ended_in_zeros() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 5000)
        file.flush()
        short = native.signature(file.fileno(), 0, 10_000, 4096, 5)
        file.truncate(10_000)
        assert native.signature(file.fileno(), 0, 10_000, 4096, 5) == short


def test_signing_stops_when_it_is_told_to() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with tempfile.TemporaryFile() as file, pytest.raises(KeyboardInterrupt):
        sign(file.fileno(), 1, stop)


def test_a_signature_depends_on_its_seed() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(OLD[:4096])
        file.flush()
        one, other = (native.signature(file.fileno(), 0, 4096, 4096, seed) for seed in (1, 2))
        assert one[:5] == other[:5]
        assert one[5:] != other[5:]
        assert sign(file.fileno(), 4096, unchecked).blocks != sign(file.fileno(), 4096, unchecked).blocks


def test_blocks_longer_than_a_piece_are_found_across_pieces() -> None:
    """Files of more than 512 GiB have them."""
    older = OLD * 2
    block = 2 * PIECE
    with tempfile.TemporaryFile() as file:
        file.write(older)
        file.flush()
        records = native.signature(file.fileno(), 0, len(older), block, 0)
    newer = b"new" + older
    differ = Differ(Signature(len(older), block, SEED + records))
    literal = 0
    for offset, piece, after in pieces(newer, block):
        copies, extents = differ.split(offset, piece + after, len(piece))
        literal += sum(length for _, length in extents)
        for start, length, source in copies:
            assert piece[start : start + length] == older[source : source + length]
    assert literal == 3


def test_sums_that_are_right_everywhere_do_not_stall_it() -> None:
    """Right sums of other contents: a receiver that wants to stall the sender."""
    block, size = 1 << 20, 64 << 20
    records = (bytes(5) + b"another") * (size // block)  # the sum is that of zeros
    began = time.thread_time()
    differ = Differ(Signature(size, block, SEED + records))
    for offset in range(0, 8 * PIECE, PIECE):
        copies, extents = differ.split(offset, bytes(PIECE + block), PIECE)
        assert (copies, extents) == ((), ((0, PIECE),))
    assert time.thread_time() - began < 8  # hashing at each byte would take minutes


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(-1, 1 << 16) | st.integers(),
    block=st.sampled_from([0, 1, 511, 512, 4096, 1 << 24, 1 << 25, (1 << 32) + 4096, 1 << 70, -512]),
    blocks=st.binary(max_size=200) | st.integers(0, 40).map(lambda count: bytes(8 + 12 * count)),
    data=st.binary(max_size=2000),
)
def test_whatever_a_signature_says_copies_lie_within_the_older_content(
    size: int, block: int, blocks: bytes, data: bytes
) -> None:
    try:
        differ = Differ(Signature(size, block, blocks))
    except WireError:
        return
    for offset, piece, after in ((0, data, data), (len(data), data, b""), (0, data + bytes(5000), data)):
        at = 0
        copies, extents = differ.split(offset, piece + after, len(piece))
        for start, length, source in copies:
            assert start >= at
            assert length > 0
            assert 0 <= source <= size - length
            at = start + length
        assert at <= len(piece)
        assert sum(length for _, length, *_ in (*copies, *extents)) == len(piece)


@pytest.mark.parametrize(
    ("size", "block", "length"),
    [
        (100, 4096, 0),
        (100, 4096, 13),
        (100, 0, 12),
        (100, 100, 12),
        (100, (1 << 32) + 4096, 12),
        (1 << 40, 4096, 12),
        (100, 1 << 25, 12),
        (-1, 4096, 0),
        (1 << 80, 4096, 12),
    ],
)
def test_what_is_no_signature_is_refused(size: int, block: int, length: int) -> None:
    with pytest.raises(WireError):
        Differ(Signature(size, block, SEED + bytes(length)))


def test_a_matcher_begins_once_and_only_with_a_signature() -> None:
    with pytest.raises(ValueError, match="no such piece"):
        native.Matcher.__new__(native.Matcher).match(b"", 0)
    matcher = native.Matcher(b"", 0, 4096, 0)
    with pytest.raises(ValueError, match="not a signature"):
        matcher.__init__(b"", 0, 4096, 0)  # type: ignore[misc]  # what nobody should do must not crash either
    with pytest.raises(ValueError, match="no such piece"):
        matcher.match(b"", 1)
    with pytest.raises(ValueError, match="no such position"):
        matcher.seek(-1)
    assert matcher.match(b"new", 3) == []


@pytest.mark.parametrize(
    "copy", [(0, 10, 1 << 40), (0, 10, 1 << 63), (0, 10, len(OLD) - 5), (0, 10, -1), (5, 10, 0), (-1, 5, 0)]
)
def test_a_copy_of_what_is_not_there_is_refused(copy: tuple[int, int, int]) -> None:
    handle, _ = signed(OLD)
    try:
        with pytest.raises(WireError):
            assemble(handle, 10, (copy,), (), memoryview(b""))
        with pytest.raises(WireError):
            assemble(-1, 10, ((0, 10, 0),), (), memoryview(b""))
    finally:
        os.close(handle)


@pytest.mark.parametrize("extent", [(0, 11), (-1, 3), (0, 0), (0, 4), (1 << 70, 3)])
def test_a_literal_that_does_not_fit_is_refused(extent: tuple[int, int]) -> None:
    with pytest.raises(WireError):
        assemble(-1, 10, (), (extent,), memoryview(b"abc"))


def test_an_older_content_that_became_shorter_is_noticed() -> None:
    handle, _ = signed(OLD)
    try:
        os.truncate(handle, 100)
        with pytest.raises(WireError):
            assemble(handle, 10, ((0, 10, 95),), (), memoryview(b""))
    finally:
        os.close(handle)


def test_blocks_longer_than_a_piece_cost_two_readings_at_most() -> None:
    """Those of files over 512 GiB; one of them changed, in place."""
    block, count = 4 * PIECE, 5
    older = random.Random(3).randbytes(count * block)
    newer = bytearray(older)
    newer[block + PIECE + 5] ^= 1
    with tempfile.TemporaryFile() as file:
        file.write(older)
        file.flush()
        records = native.signature(file.fileno(), 0, len(older), block, 0)
    differ = Differ(Signature(len(older), block, SEED + records))
    read = copied = 0
    for offset in range(0, len(newer), PIECE):
        ahead = differ.ahead(offset, PIECE)
        after = bytes(newer[offset + PIECE : offset + PIECE + ahead])
        copies, _ = differ.split(offset, bytes(newer[offset : offset + PIECE]) + after, PIECE)
        assert all(source == offset + start for start, _, source in copies)
        read += PIECE + len(after)
        copied += sum(length for _, length, _ in copies)
    assert read <= 2 * len(newer)
    assert copied == len(newer) - block


def test_the_data_of_a_piece_with_holes_goes_by_difference_and_holes_stay() -> None:
    copies = ((0, 4096, 0), (4096, 8192, 4096), (20_000, 1000, 60_000))
    data = ((1000, 2000), (8192, 12_000))
    kept, literals = without_holes(copies, data)
    assert kept == ((1000, 2000, 1000), (8192, 4096, 8192), (20_000, 192, 60_000))
    assert literals == ((12_288, 7712),)
    assert without_holes((), data) == ((), data)


def test_forks_go_on_apart() -> None:
    """Several streams work on one file."""
    handle, signature = signed(OLD)
    os.close(handle)
    newer = b"xyz" + OLD
    first = Differ(signature)
    copies, _ = first.split(0, newer[: PIECE + first.block], PIECE)
    others = [first.fork().fork() for _ in range(2)]
    del first
    for number, differ in enumerate(others, start=1):
        offset = number * PIECE
        data = newer[offset : offset + PIECE + differ.block]
        copies, literals = differ.split(offset, data, min(PIECE, len(newer) - offset))
        assert all(source == offset + start - 3 for start, _, source in copies)
        assert sum(length for _, length in literals) < differ.block
