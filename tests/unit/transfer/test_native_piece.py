"""One block of a file, with its extents, is what reading the whole file says it is."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc.transfer import native

BLOCK = 1 << 20
PAGE = 4096

Block = tuple[int, bytes, tuple[tuple[int, int], ...]]  # offset, data, extents


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield handle
    os.close(handle)


def blocks(handle: int, size: int) -> list[Block]:
    """The blocks that hold data, by the calls of the extension."""
    found = []
    offset = 0
    while offset < size:
        first = native.next_data(handle, offset)
        if first < 0 or first >= size:
            break
        offset = first // BLOCK * BLOCK
        data, extents = native.read_piece(handle, offset, min(BLOCK, size - offset))
        if not data:
            break
        found.append((offset, data, extents))
        offset += BLOCK
    return found


def blocks_read_plainly(handle: int, size: int) -> list[Block]:
    """The same, from the whole content and the data in it as the kernel tells it."""
    content = os.pread(handle, size, 0)
    extents = []
    start = next_data(handle, 0)
    while start < len(content):
        end = min(os.lseek(handle, start, os.SEEK_HOLE), len(content))
        extents.append((start, end))
        start = next_data(handle, end)
    found = []
    for offset in range(0, len(content), BLOCK):
        data = content[offset : offset + BLOCK]
        inside = tuple(
            (max(start, offset) - offset, min(end, offset + len(data)) - max(start, offset))
            for start, end in extents
            if start < offset + len(data) and end > offset
        )
        if inside:
            found.append((offset, data, () if inside == ((0, len(data)),) else inside))
    return found


def next_data(handle: int, offset: int) -> int:
    try:
        return os.lseek(handle, offset, os.SEEK_DATA)
    except OSError as e:
        assert e.errno == errno.ENXIO
        return 1 << 62


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3 * BLOCK), st.integers(1, 3 * PAGE)), max_size=8),
    st.integers(0, 4 * BLOCK),
)
def test_blocks_of_sparse_files_are_read_alike(handle: int, writes: list[tuple[int, int]], size: int) -> None:
    os.ftruncate(handle, 0)
    for offset, length in writes:
        os.pwrite(handle, os.urandom(length), offset)
    os.ftruncate(handle, size)
    assert blocks(handle, size) == blocks_read_plainly(handle, size)
    for wrong in (size + 1, size + BLOCK, max(size - 1, 0)):
        assert blocks(handle, wrong) == blocks_read_plainly(handle, wrong)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 70 * PAGE), st.integers(0, 40 * PAGE))
def test_a_piece_may_begin_and_end_anywhere(handle: int, offset: int, length: int) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, os.urandom(9 * PAGE + 11), 20 * PAGE)
    os.pwrite(handle, b"end", 60 * PAGE)
    data, extents = native.read_piece(handle, offset, length)
    there = os.pread(handle, length, offset)
    assert data in (there, b"")
    if not data:
        assert there == bytes(len(there))
    if extents:
        covered = bytearray(len(data))
        for start, size in extents:
            assert 0 <= start < start + size <= len(data)
            covered[start : start + size] = data[start : start + size]
        assert covered == data


def test_a_hole_has_neither_data_nor_extents(handle: int) -> None:
    os.ftruncate(handle, 10 * BLOCK)
    assert native.read_piece(handle, BLOCK, BLOCK) == (b"", ())
    assert native.next_data(handle, 0) == -1
    os.pwrite(handle, b"x" * PAGE, 5 * BLOCK)
    assert native.next_data(handle, 0) == 5 * BLOCK
    assert native.read_piece(handle, 4 * BLOCK, BLOCK) == (b"", ())


def test_a_piece_ends_with_the_file(handle: int) -> None:
    os.pwrite(handle, b"short", 0)
    assert native.read_piece(handle, 0, BLOCK) == (b"short", ())
    assert native.read_piece(handle, 3, BLOCK) == (b"rt", ())
    assert native.read_piece(handle, 5, BLOCK) == native.read_piece(handle, 1 << 62, 5) == (b"", ())
    assert native.read_piece(handle, 2, 0) == (b"", ())
    assert native.next_data(handle, 5) == -1


def test_a_hole_at_the_end_counts(handle: int) -> None:
    os.pwrite(handle, b"x" * PAGE, 0)
    os.ftruncate(handle, 3 * PAGE)
    assert native.read_piece(handle, 0, BLOCK) == (b"x" * PAGE + bytes(2 * PAGE), ((0, PAGE),))


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 1), (0, -1), (1 << 70, 1), (0, (1 << 30) + 1), ((1 << 63) - 1, 1)]
)
def test_pieces_that_cannot_be_are_refused(handle: int, offset: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"out of range|at most"):
        native.read_piece(handle, offset, length)


def test_what_cannot_be_read_is_an_error(handle: int, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            native.read_piece(folder, 0, 1)
    finally:
        os.close(folder)
    for call in (lambda: native.read_piece(folder, 0, 1), lambda: native.next_data(folder, 0)):
        with pytest.raises(OSError, match="Bad file"):
            call()
