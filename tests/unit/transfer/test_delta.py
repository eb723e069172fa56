"""Whatever a content became, its pieces are put together again from the older content and little else."""

import os
import random
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.base.errors import WireError
from smc.transfer.delta import LEAST_BLOCK, MOST_BLOCKS, Differ, Signature, assemble, block_size, sign
from smc.wire.messages import PIECE

KIB = 1024
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
            copies, extents = differ.split(offset, piece, after)
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
        differ.split(0, newer[:PIECE], newer[PIECE : PIECE + differ.block])
        other = b"changed" + newer[PIECE + 7 : 2 * PIECE]
        copies, extents = differ.split(PIECE, other, newer[2 * PIECE : 2 * PIECE + differ.block])
        content = b"".join(other[start : start + length] for start, length in extents)
        assert bytes(assemble(handle, len(other), copies, extents, memoryview(content))) == other
    finally:
        os.close(handle)


def test_a_hole_between_pieces_does_not_confuse_it() -> None:
    handle, signature = signed(OLD)
    os.close(handle)
    differ = Differ(signature)
    copies, _ = differ.split(2 * PIECE, OLD[2 * PIECE : 3 * PIECE], b"")
    assert copies == ((0, PIECE, 2 * PIECE),)


def test_blocks_grow_so_that_a_signature_is_never_long() -> None:
    for size in (0, 1, 1 << 20, 1 << 30, 1 << 40, 1 << 50):
        block = block_size(size)
        assert block >= LEAST_BLOCK
        assert -(-size // block) <= MOST_BLOCKS


@pytest.mark.parametrize(
    ("size", "block", "length"),
    [(100, 4096, 0), (100, 4096, 13), (100, 0, 12), (100, 100, 12), (1 << 40, 4096, 12), (100, 1 << 25, 12)],
)
def test_what_is_no_signature_is_refused(size: int, block: int, length: int) -> None:
    with pytest.raises(WireError):
        Differ(Signature(size, block, bytes(length)))


@pytest.mark.parametrize("copy", [(0, 10, 1 << 40), (0, 10, len(OLD) - 5), (0, 10, -1)])
def test_a_copy_of_what_is_not_there_is_refused(copy: tuple[int, int, int]) -> None:
    handle, _ = signed(OLD)
    try:
        with pytest.raises(WireError):
            assemble(handle, 10, (copy,), (), memoryview(b""))
        with pytest.raises(WireError):
            assemble(-1, 10, ((0, 10, 0),), (), memoryview(b""))
    finally:
        os.close(handle)
