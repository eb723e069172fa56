"""A disk that takes no more, or cannot be read, turns the index off and is no failure."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.transfer.test_index import PROOF, filled, known, record

from smc.transfer import index as index_module
from smc.transfer import records
from smc.transfer.index import Index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0_1.index"


class Disk:
    """The receiver's own: after `room` bytes were written it fails."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 30
        self.error = errno.ENOSPC
        self._write = os.pwrite
        patch.setattr(os, "pwrite", self.write)

    def write(self, handle: int, data: memoryview, offset: int) -> int:
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        count = self._write(handle, data[: self.room], offset)
        self.room -= count
        return count


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


STEPS: dict[str, Callable[[Index], object]] = {
    "a record": lambda index: index.put(record(b"b")),
    "a seal": lambda index: index.seal(b"a", b"target"),
    "forgetting": lambda index: index.forget(b"a"),
    "a mark": lambda index: index.commit(),
    "clearing": lambda index: index.clear(),
}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("room", [0, 5])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_disk_that_takes_no_more_turns_the_index_off_and_is_no_failure(
    path: Path,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
    step: Callable[[Index], object],
    room: int,
    error: int,
) -> None:
    filled(path, b"a")
    index = Index(path, "key")
    disk.room, disk.error = room, error
    step(index)
    assert os.strerror(error) in index.trouble
    disk.room = 1 << 30
    for one in STEPS.values():
        one(index)
    assert not index.remembers
    assert index.get(b"a") is index.get(b"b") is None
    assert index.unchanged(b"a", b"source", b"target") is None
    assert index.sealed(b"a") == b""
    assert [told.getMessage() for told in caplog.records] == [index.trouble]
    index.close()
    assert known(path) == []  # also to the next program: it was not told all


def test_a_disk_that_takes_nothing_from_the_beginning_turns_it_off(tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "file").touch()
    with_no_folder = Index(tmp_path / "file" / "0_1.index", "key")
    assert "File exists" in with_no_folder.trouble
    with_no_folder.put(record(b"a"))
    with_no_folder.close()
    disk.room = 0
    index = Index(tmp_path / "0_1.index", "key")
    assert "No space left" in index.trouble
    index.close()


def test_a_disk_that_cannot_be_read_turns_it_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, b"a")
    index = Index(path, "key")

    def fail(handle: int, size: int, offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fail)
    assert index.unchanged(b"a", b"source", b"target") is None
    assert "Input/output error" in index.trouble
    index.close()


@pytest.mark.parametrize("room", [3, 30, 100])
def test_compaction_that_fails_leaves_nothing_behind(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(index_module, "WORTH_COMPACTING", 10)
    index = Index(path, "key")
    for _ in range(20):
        index.put(record(b"a"))
        index.seal(b"a", b"target")
    handles = set(Path("/proc/self/fd").iterdir())
    disk.room = records.RECORD.size + room  # the mark, and something of the new file
    index.commit()
    disk.room = 1 << 30
    assert set(Path("/proc/self/fd").iterdir()) <= handles
    assert list(path.parent.iterdir()) == [path]
    assert index.unchanged(b"a", b"source", b"target") == PROOF  # what was there still counts
    index.close()
    assert known(path) == [b"a"]
