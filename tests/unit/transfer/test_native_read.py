"""Small files are read together; what is none is left to the caller."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc.transfer import native

LARGE = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def state(path: Path) -> tuple[int, ...]:
    is_ = path.lstat()
    return is_.st_size, is_.st_mtime_ns, is_.st_ctime_ns, is_.st_mode, is_.st_ino, is_.st_nlink, is_.st_blocks


def test_contents_come_one_after_another(folder: int, tmp_path: Path) -> None:
    contents = {b"a": b"first", b"b": b"", b"c": os.urandom(300_000), b"d": b"last"}
    for name, content in contents.items():
        (tmp_path / os.fsdecode(name)).write_bytes(content)
    taken, data = native.read_files(folder, list(contents), LARGE, LARGE)
    assert data == b"".join(contents.values())
    assert taken == [
        (0, len(content), state(tmp_path / os.fsdecode(name)), state(tmp_path / os.fsdecode(name)))
        for name, content in contents.items()
    ]


def test_what_is_no_small_full_file_is_not_taken(folder: int, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 101)
    (tmp_path / "fits").write_bytes(b"x" * 100)
    (tmp_path / "below").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fits")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(90)
    names = [b"large", b"gone", b"fits", b"below", b"fifo", b"link", b"hole"]
    taken, data = native.read_files(folder, names, 100, LARGE)
    assert data == b"x" * 100
    assert [(error, length) for error, length, _, _ in taken] == [
        (-1, 0), (errno.ENOENT, 0), (0, 100), (-1, 0), (-1, 0), (errno.ELOOP, 0), (-1, 0),
    ]  # fmt: skip
    for index in (0, 3, 4, 6):
        assert taken[index][2] == taken[index][3] == state(tmp_path / os.fsdecode(names[index]))
    assert taken[1][2] == (0,) * 7


def test_a_reading_ends_before_the_limit(folder: int, tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).write_bytes(name.encode() * 40)
    names = [b"gone", b"a", b"b", b"c", b"d", b"e"]
    got: list[tuple[int, bytes]] = []
    while names:
        taken, data = native.read_files(folder, names, LARGE, 100)
        got.append((len(taken), data))
        names = names[len(taken) :]
    assert got == [(3, b"a" * 40 + b"b" * 40), (2, b"c" * 40 + b"d" * 40), (1, b"e" * 40)]


def test_one_file_comes_whatever_the_limit(folder: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 1000)
    (tmp_path / "empty").touch()
    taken, data = native.read_files(folder, [b"a", b"empty", b"a"], LARGE, 0)
    assert ([length for _, length, _, _ in taken], data) == ([1000, 0], b"a" * 1000)


def test_a_file_that_changes_meanwhile_is_told_by_its_states(folder: int, tmp_path: Path) -> None:
    path = tmp_path / "moving"
    path.write_bytes(b"x" * 200_000)
    stop = threading.Event()

    def move() -> None:
        size = 0
        while not stop.is_set():
            size = (size + 77_777) % 200_000
            os.truncate(path, size)
            path.write_bytes(b"x" * 200_000)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for _ in range(300):
            ((error, length, before, after),), data = native.read_files(folder, [b"moving"], LARGE, LARGE)
            assert len(data) == length
            if error == 0 and length != before[0]:
                assert before != after
    finally:
        stop.set()
        mover.join()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12), st.integers(0, 6000), st.integers(0, 9000))
def test_every_file_comes_once(tmp_path: Path, sizes: list[int], most: int, limit: int) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        names = [b"%d" % index for index in range(len(sizes))]
        for index, size in enumerate(sizes):
            (tmp_path / str(index)).write_bytes(bytes([index + 1]) * size)
        wanted = [bytes([index + 1]) * size if size <= most else None for index, size in enumerate(sizes)]
        got: list[bytes | None] = []
        while len(got) < len(names):
            taken, data = native.read_files(folder, names[len(got) :], most, limit)
            assert taken
            assert len(data) <= limit or len(data) == taken[0][1]
            for error, length, _, _ in taken:
                got.append(None if error else data[:length])
                data = data[length:]
            assert not data
        assert got == wanted
    finally:
        os.close(folder)


@pytest.mark.parametrize(("most", "limit"), [(-1, 1), (1, -1), (1 << 64, 1)])
def test_sizes_that_cannot_be_are_refused(folder: int, most: int, limit: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        native.read_files(folder, [], most, limit)


def test_a_limit_beyond_all_memory_is_only_a_limit(folder: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    assert native.read_files(folder, [b"a"], (1 << 63) - 1, (1 << 63) - 1)[1] == b"a"
