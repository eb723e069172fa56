"""Which name of an inode is the first is known of millions, in little memory."""

import errno
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.transfer.files import links as module
from smc.transfer.files.folders import Folders
from smc.transfer.files.links import Links, pack, unpack
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import look_over

INODES = st.integers(0, 40) | st.integers(0, (1 << 64) - 1)
PATHS = st.lists(st.sampled_from([b"a", b"b" * 255, b"\xff", b"c"]), min_size=1, max_size=6).map(b"/".join)
NAMES = st.lists(st.tuples(PATHS, INODES, st.integers(2, 4)), max_size=80)


def plainly(names: list[tuple[bytes, int, int]]) -> list[bytes]:
    """What `Links` has to say, by a dictionary."""
    known: dict[int, tuple[bytes, int]] = {}
    told = []
    for path, inode, count in names:
        if inode not in known:
            known[inode] = path, count - 1
            told.append(b"")
            continue
        first, left = known.pop(inode)
        if left > 1:
            known[inode] = first, left - 1
        told.append(first)
    return told


@settings(deadline=None, max_examples=150)
@given(
    names=NAMES, in_memory=st.integers(0, 5), slots=st.integers(2, 6), buffer=st.sampled_from([1, 64, 4096])
)
def test_in_files_the_first_names_are_those_that_a_dictionary_has(
    names: list[tuple[bytes, int, int]], in_memory: int, slots: int, buffer: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, Links(in_memory) as links:
        patch.setattr(module, "FIRST_SLOTS_LOG2", slots)
        patch.setattr(module, "BUFFER", buffer)
        assert [links.first(*name) for name in names] == plainly(names)


@settings(deadline=None, max_examples=50)
@given(names=NAMES, after=st.integers(0, 60))
def test_without_room_on_the_disk_they_are_in_memory(names: list[tuple[bytes, int, int]], after: int) -> None:
    left = [after]

    def write(handle: int, data: bytes, offset: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data, offset)

    real: Callable[[int, bytes, int], int] = os.pwrite
    with pytest.MonkeyPatch.context() as patch, Links(0) as links:
        patch.setattr(module, "BUFFER", 64)
        patch.setattr(os, "pwrite", write)
        told = [links.first(path, number, 3) for number, (path, *_) in enumerate(names)]
        assert told == [b""] * len(names)
        patch.setattr(os, "pwrite", real)
        assert [links.first(b"later", number, 3) for number in range(len(names))] == [
            path for path, *_ in names
        ]


def test_many_take_little_memory() -> None:
    number = 50_000
    with Links(1000) as links:
        tracemalloc.start()
        for inode in range(number):
            assert (
                links.first(b"folder/%d/a name of a usual length %d" % (inode // 100, inode), inode, 2) == b""
            )
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 20
        for inode in range(number):
            first = b"folder/%d/a name of a usual length %d" % (inode // 100, inode)
            assert links.first(b"other", inode, 2) == first


@given(later=st.dictionaries(PATHS, st.tuples(INODES, PATHS)))
def test_what_is_packed_is_unpacked(later: dict[bytes, tuple[int, bytes]]) -> None:
    assert unpack(pack(later)) == later


def test_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    for number in range(3):
        (tmp_path / f"{number}").touch()
        os.link(tmp_path / f"{number}", tmp_path / f"{number} too")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Folders(tmp_path) as folders:
        (seen, _) = look_over(folders, Excludes(()), lambda: None)
        assert seen.links is not None
        assert unpack(seen.links) == {
            b"%d too" % number: ((tmp_path / f"{number}").stat().st_ino, b"%d" % number)
            for number in range(3)
        }
    assert list(place.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before
