"""A quick look at a folder tells every change in it, and what it holds."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc.transfer import native
from smc.transfer.files.folders import names_in

TIME = 1_700_000_000_000_000_000
NAMES = st.binary(min_size=1, max_size=60).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "inside").write_text("x")
    os.mkfifo(tmp_path / "fifo")
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def test_a_survey_counts_what_is_there(folder: int) -> None:
    digest, files, stored, newest, folders, linked, gone = native.survey(folder)
    states = [os.stat(n, dir_fd=folder, follow_symlinks=False) for n in names_in(folder) if n != b"below"]
    regular = [state for state in states if stat.S_ISREG(state.st_mode)]
    assert len(digest) == 16
    assert files == len(regular)
    assert stored == sum(min(state.st_size, state.st_blocks * 512) for state in regular)
    assert newest == max(state.st_ctime_ns for state in [*states, os.fstat(folder)])
    assert (folders, linked, gone) == ([b"below"], [], 0)


def test_the_same_folder_has_the_same_digest_by_any_handle_at_any_place(folder: int, tmp_path: Path) -> None:
    first = native.survey(folder)
    names_in(folder)
    os.lseek(folder, 0, os.SEEK_END)
    assert native.survey(folder) == first
    other = os.open(tmp_path, os.O_PATH)
    assert native.survey(other) == first
    os.close(other)


def replace(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
    make(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file grew": lambda root: (root / "file").write_bytes(b"x" * 5001),
    "a file was touched": lambda root: os.utime(root / "file", ns=(TIME, TIME)),
    "a file has another mode": lambda root: (root / "other").chmod(0o640),
    "a file is new": lambda root: (root / "new").touch(),
    "a file is gone": lambda root: (root / "other").unlink(),
    "a file has another name": lambda root: (root / "other").rename(root / "another"),
    "two files changed names": lambda root: (
        (root / "other").rename(root / "kept"),
        (root / "file").rename(root / "other"),
        (root / "kept").rename(root / "file"),
    ),
    "a link leads elsewhere": lambda root: replace(root / "link", lambda path: path.symlink_to("fil")),
    "a fifo has another mode": lambda root: (root / "fifo").chmod(0o600),
    "a file has a second name elsewhere": lambda root: os.link(root / "file", root / "below" / "second"),
    "a folder below is gone": lambda root: shutil.rmtree(root / "below"),
    "a folder became a file": lambda root: replace(root / "below", Path.touch),
    "the folder has another mode": lambda root: root.chmod(0o711),
    "the folder was touched": lambda root: os.utime(root, ns=(TIME, TIME)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_digest_tells_that(change: str, folder: int, tmp_path: Path) -> None:
    before = native.survey(folder)[0]
    CHANGES[change](tmp_path)
    assert native.survey(folder)[0] != before


def test_what_happens_in_a_folder_below_is_not_told(folder: int, tmp_path: Path) -> None:
    before = native.survey(folder)
    (tmp_path / "below" / "new").touch()
    (tmp_path / "below").chmod(0o700)
    assert native.survey(folder) == before


def test_several_names_of_a_file_are_left_to_the_caller(folder: int, tmp_path: Path) -> None:
    files, stored = native.survey(folder)[1:3]
    os.link(tmp_path / "file", tmp_path / "below" / "far")
    os.link(tmp_path / "file", tmp_path / "a name")
    os.link(tmp_path / "fifo", tmp_path / "z fifo")
    _, files_now, stored_now, _, _, linked, _ = native.survey(folder)
    file, fifo = (tmp_path / "file").stat(), (tmp_path / "fifo").stat()
    alone = min(file.st_size, file.st_blocks * 512)
    assert linked == [
        (b"a name", file.st_ino, 3, alone, True),
        (b"fifo", fifo.st_ino, 2, 0, False),
        (b"file", file.st_ino, 3, alone, True),
        (b"z fifo", fifo.st_ino, 2, 0, False),
    ]
    assert (files_now, stored_now) == (files - 1, stored - alone)


def test_a_survey_of_all_names_is_the_survey(folder: int) -> None:
    assert native.survey(folder, names_in(folder)) == native.survey(folder)
    assert native.survey(folder, list(reversed(native.names(folder)))) == native.survey(folder)


def test_names_that_vanished_are_counted_and_change_nothing(folder: int) -> None:
    some = native.survey(folder, names=[b"file", b"below"])
    assert some[1] == 1
    assert native.survey(folder, (b"gone", b"file", b"below", b"gone too")) == (*some[:6], 2)


def test_a_survey_of_an_empty_folder_is_of_itself(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        state = os.fstat(handle)
        assert native.survey(handle)[1:] == (0, 0, state.st_ctime_ns, [], [], 0)
        assert native.survey(handle, [])[0] == native.survey(handle)[0] != bytes(16)
        assert native.names(handle) == native.name_parts(handle, 1) == []
    finally:
        os.close(handle)


def test_a_crowd_of_names_is_read_whole(tmp_path: Path) -> None:
    names = sorted(b"%05d" % number * 20 for number in range(3000))
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        for name in names:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        assert native.names(handle) == names
        for most in (1, 256, 2999, 3000, 1 << 40):
            parts = [part.split(b"\0") for part in native.name_parts(handle, most)]
            assert parts == [names[at : at + most] for at in range(0, len(names), most)]
        assert native.survey(handle)[1] == len(names)
    finally:
        os.close(handle)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(NAMES, max_size=20))
def test_names_come_in_the_order_of_bytes(tmp_path: Path, names: set[bytes]) -> None:
    root = tmp_path / "names"
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    try:
        for name in names:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        assert native.names(handle) == sorted(names)
        assert b"\0".join(native.name_parts(handle, 3)) == b"\0".join(sorted(names))
        assert native.survey(handle) == native.survey(handle, sorted(names))
    finally:
        os.close(handle)
        shutil.rmtree(root)


@pytest.mark.parametrize("most", [0, -1])
def test_a_part_without_a_name_is_refused(folder: int, most: int) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        native.name_parts(folder, most)


def test_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    handle = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        calls: list[Callable[[int], object]] = [
            native.survey,
            native.names,
            lambda file: native.name_parts(file, 1),
            lambda file: native.survey(file, [b"x"]),
        ]
        for call in calls:
            with pytest.raises(NotADirectoryError):
                call(handle)
    finally:
        os.close(handle)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        native.survey(handle)
    assert caught.value.errno == errno.EBADF


def test_a_name_that_cannot_be_asked_for_is_told(folder: int) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        native.survey(folder, [b"file", b"x" * 3000])
    assert (caught.value.errno, caught.value.filename) == (errno.ENAMETOOLONG, b"x" * 3000)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0b", b"x" * 5000])
def test_what_names_no_entry_is_refused(folder: int, name: bytes) -> None:
    for call in (native.survey, native.listing):
        with pytest.raises(ValueError, match="not a name"):
            call(folder, [b"file", name])


@pytest.mark.parametrize("names", ["text", ["text"], [None], 5, b"ab", [b"x", 1]])
def test_what_is_no_list_of_names_is_refused(folder: int, names: list[bytes]) -> None:
    for call in (native.survey, native.listing):
        with pytest.raises(TypeError):
            call(folder, names)


@pytest.mark.parametrize(("handle", "error"), [(-100, ValueError), (1 << 40, ValueError), ("1", TypeError)])
def test_what_is_no_handle_is_refused(handle: int, error: type[Exception]) -> None:
    calls: list[Callable[[], object]] = [
        lambda: native.survey(handle),
        lambda: native.names(handle),
        lambda: native.name_parts(handle, 1),
        lambda: native.listing(handle, []),
        lambda: native.Parcel(1, 1).read(handle, [], 0, 0),
        lambda: native.write_files(handle, [], b""),
        lambda: native.read_piece(handle, 0, 1),
        lambda: native.next_data(handle, 0),
    ]
    for call in calls:
        with pytest.raises(error):
            call()
