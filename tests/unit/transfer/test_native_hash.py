"""Contents that are hashed side by side, by whatever lanes, have the hashes of hashlib."""

import mmap
import os
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from random import Random
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.transfer import native

LEAF, PIECE = 64 * 1024, 1024 * 1024
NOISE = Random(0).randbytes(4 * PIECE)
BEST, ONE = 0, 1
NEEDED = {4: {"sha_ni"}, 8: {"avx2"}, 16: {"avx512f", "avx512bw"}}  # by lanes, flags of the processor
LANES = pytest.mark.parametrize("lanes", [BEST, ONE, *NEEDED])

EDGES = [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, LEAF - 1, LEAF, LEAF + 1, 2 * LEAF + 64]
SIZES = st.one_of(st.integers(0, 300), st.sampled_from(EDGES), st.integers(0, 300_000))


def defined(content: bytes) -> bytes:
    if len(content) <= LEAF:
        return sha256(content).digest()
    leaves = [sha256(content[at : at + LEAF]).digest() for at in range(0, len(content), LEAF)]
    return sha256(b"smc-leaves" + pack("<Q", len(content)) + b"".join(leaves)).digest()


def check(sizes: list[int], lanes: int) -> None:
    data = (NOISE * (sum(sizes) // len(NOISE) + 1))[: sum(sizes)]
    check_data(data, sizes, lanes)


def check_data(data: bytes | memoryview, sizes: list[int], lanes: int) -> None:
    """Where the processor lacks the lanes, that is said."""
    if not NEEDED.get(lanes, set()) <= flags():
        with pytest.raises(ValueError, match="no such lanes"):
            native.hash_contents(data, sizes, lanes)
        return
    ends = list(accumulate(sizes))
    expected = [defined(bytes(data[end - size : end])) for size, end in zip(sizes, ends, strict=True)]
    assert native.hash_contents(data, sizes, lanes) == expected


def flags() -> set[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


@LANES
@settings(deadline=None, max_examples=50)
@given(sizes=st.lists(SIZES, max_size=50))
def test_each_content_has_its_hash(sizes: list[int], lanes: int) -> None:
    check(sizes, lanes)


@LANES
@pytest.mark.parametrize("count", range(40))
def test_any_number_of_contents_has_the_hashes(count: int, lanes: int) -> None:
    check([EDGES[i % len(EDGES)] for i in range(count)], lanes)


@LANES
def test_every_padding_is_the_defined_one(lanes: int) -> None:
    check(list(range(300)), lanes)


@LANES
def test_thousands_of_tiny_contents_have_their_hashes(lanes: int) -> None:
    check([i % 7 for i in range(20_000)], lanes)


@LANES
@pytest.mark.parametrize("place", [0, 500, 1000])
def test_a_giant_among_tiny_ones_has_its_hash(lanes: int, place: int) -> None:
    sizes = [5] * 1000
    sizes.insert(place, PIECE)
    check(sizes, lanes)
    check([PIECE], lanes)


@LANES
@pytest.mark.parametrize("size", [1, 55, 64, 100, 4000])
def test_nothing_behind_the_contents_is_read(tmp_path: Path, lanes: int, size: int) -> None:
    """What is behind them in the mapping has no file any more: who reads it is killed."""
    with (tmp_path / "contents").open("w+b") as file:
        file.write(NOISE[: 2 * mmap.PAGESIZE])
        file.flush()
        with mmap.mmap(file.fileno(), 2 * mmap.PAGESIZE) as mapped:
            os.truncate(file.fileno(), mmap.PAGESIZE)
            rest = mmap.PAGESIZE - size
            with memoryview(mapped) as whole, whole[: mmap.PAGESIZE] as page, page[rest:] as last:
                check_data(page, [rest, size], lanes)
                check_data(last, [size], lanes)


def test_lanes_that_no_processor_has_are_refused() -> None:
    with pytest.raises(ValueError, match="no such lanes"):
        native.hash_contents(b"x", [1], 5)


@pytest.mark.parametrize("sizes", [[-1], [11], [5, 6], [PIECE + 1]])
def test_sizes_that_are_not_those_of_the_data_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="not those of the data"):
        native.hash_contents(bytes(10), sizes)
