"""What waits for the end of a pass comes back in order, and takes little memory."""

import errno
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.transfer.files import backlog as module
from smc.transfer.files.afterwards import FolderStates, LinksToMake
from smc.transfer.files.backlog import Backlog
from smc.wire.messages import Entry, Kind

RECORDS = st.lists(st.binary(max_size=100), max_size=60)
PATHS = st.lists(st.sampled_from([b"a", b"b" * 255, b"\xff"]), min_size=1, max_size=4).map(b"/".join)


@settings(deadline=None)
@given(records=RECORDS, in_memory=st.integers(0, 400), block=st.integers(1, 200))
def test_records_come_back_in_both_orders(records: list[bytes], in_memory: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        backlog = Backlog(in_memory=in_memory)
        for again in (records, records[::-1]):
            for record in again:
                backlog.append(record)
            assert list(backlog) == again
            assert list(reversed(backlog)) == again[::-1]
            backlog.close()
            assert list(backlog) == []


@settings(deadline=None)
@given(records=RECORDS, after=st.integers(0, 20))
def test_without_room_on_the_disk_records_are_in_memory(records: list[bytes], after: int) -> None:
    left = iter(range(after))

    def write(handle: int, data: bytes, offset: int) -> int:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data, offset)

    real: Callable[[int, bytes, int], int] = os.pwrite
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 64)
        patch.setattr(os, "pwrite", write)
        backlog = Backlog(in_memory=0)
        for record in records:
            backlog.append(record)
        assert list(backlog) == records
        backlog.close()


def test_without_a_folder_for_the_file_records_are_in_memory(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "none", in_memory=0)
    records = [b"%d" % number * 1000 for number in range(100)]
    for record in records:
        backlog.append(record)
    assert list(backlog) == records


def test_no_file_of_a_backlog_is_left(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    backlog = Backlog(tmp_path, in_memory=0)
    for number in range(100):
        backlog.append(b"%d" % number * 1000)
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    assert list(tmp_path.iterdir()) == []
    backlog.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_many_links_and_folders_take_little_memory(tmp_path: Path) -> None:
    links, states = LinksToMake(tmp_path), FolderStates(tmp_path)
    number = 50_000
    path = b"second/%d/a name as long as names are that people give to files %d"
    tracemalloc.start()
    for one in range(number):
        links.add(path % (one // 50, one), b"first")
        states.add(path % (one // 50, one), Entry(b"name", Kind.FOLDER, 0o755, 0, 0, one))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20  # twice what is always in memory, and a block or two
    assert list(links) == [(path % (one // 50, one), b"first") for one in range(number)]
    found = [(path, entry.mtime_ns) for path, entry, _ in states.from_the_bottom()]
    assert found == [(path % (one // 50, one), one) for one in reversed(range(number))]
    links.close()
    states.close()


@given(links=st.lists(st.tuples(PATHS, PATHS)))
def test_links_keep_their_two_paths(links: list[tuple[bytes, bytes]]) -> None:
    waiting = LinksToMake(None)
    for link in links:
        waiting.add(*link)
    assert list(waiting) == links


def test_what_a_folder_says_of_itself_counts_and_not_what_its_parent_says() -> None:
    def of(mode: int) -> Entry:
        return Entry(b"name", Kind.FOLDER, mode, 0, 0, 0)

    states = FolderStates(None)
    states.add(b"", of(0o1), own=True)
    states.add(b"a", of(0o2))
    states.add(b"mounted", of(0o3))  # it is never listed
    states.add(b"a", of(0o4), own=True)
    states.add(b"a/b", of(0o5))
    states.add(b"a/b", of(0o6), own=True)
    assert [(path, entry.mode) for path, entry, _ in states.from_the_bottom()] == [
        (b"a/b", 0o6),
        (b"a", 0o4),
        (b"mounted", 0o3),
        (b"", 0o1),
    ]
    states.close()
