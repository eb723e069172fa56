"""Small files are written together, each whole or not at all."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from smc.transfer import native
from smc.wire.messages import Entry, Kind

if TYPE_CHECKING:
    from smc.transfer.native import ToWrite

TIME = 1_700_000_000_123_456_789
CREATE, RENAME = 1, 7


def temporary_name(name: bytes) -> bytes:
    return b".temporary~" + name[:100]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def to_write(name: bytes, offset: int, size: int, mode: int = 0o644, mtime_ns: int = TIME) -> "ToWrite":
    entry = Entry(name, Kind.FILE, mode, os.getuid(), os.getgid(), mtime_ns, size)
    return temporary_name(name), entry, offset


def names_of(files: "list[ToWrite]") -> list[bytes]:
    return [entry.name for _, entry, _ in files]


def test_files_get_their_content_mode_and_times(folder: int, tmp_path: Path) -> None:
    files = [to_write(b"a", 0, 5), to_write(b"b", 3, 4, 0o4751), to_write(b"c", 7, 0, 0o600, -5)]
    assert native.write_files(folder, files, b"0123456") == [(0, 0)] * 3
    found = {
        path.name: (path.read_bytes(), path.stat().st_mode & 0o7777, path.stat().st_mtime_ns)
        for path in tmp_path.iterdir()
    }
    assert found == {"a": (b"01234", 0o644, TIME), "b": (b"3456", 0o4751, TIME), "c": (b"", 0o600, -5)}


def test_the_access_time_is_that_of_the_content(folder: int, tmp_path: Path) -> None:
    native.write_files(folder, [to_write(b"a", 0, 1)], b"x")
    assert (tmp_path / "a").stat().st_atime_ns == TIME


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=12), st.booleans())
def test_what_is_written_is_what_is_read(tmp_path: Path, contents: list[bytes], kind: bool) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        files, offset = [], 0
        for index, content in enumerate(contents):
            files.append(to_write(b"%d" % index, offset, len(content)))
            offset += len(content)
        data = b"".join(contents)
        answers = native.write_files(folder, files, memoryview(data) if kind else bytearray(data))
        assert answers == [(0, 0)] * len(files)
        assert b"".join([(tmp_path / os.fsdecode(name)).read_bytes() for name in names_of(files)]) == data
    finally:
        os.close(folder)


def test_the_mode_is_what_was_asked_for_whatever_the_umask(folder: int, tmp_path: Path) -> None:
    modes = [0o644, 0o644, 0o666, 0o4755, 0o777, 0o400, 0o644, 0o666, 0o2755, 0o666]
    for umask in (0o022, 0o077, 0o777, 0):
        before = os.umask(umask)
        try:
            files = [to_write(b"%o-%d" % (umask, at), 0, 1, mode) for at, mode in enumerate(modes)]
            assert native.write_files(folder, files, b"x") == [(0, 0)] * len(files)
        finally:
            os.umask(before)
        found = [(tmp_path / os.fsdecode(name)).stat().st_mode & 0o7777 for name in names_of(files)]
        assert found == modes


def test_without_a_temporary_name_a_file_is_made_in_its_place(folder: int, tmp_path: Path) -> None:
    (tmp_path / "b").symlink_to("elsewhere")
    (tmp_path / "c").mkdir()
    files = [
        (name, *to_write(name, 0, 3, mode)[1:])
        for name, mode in ((b"a", 0o4751), (b"b", 0o400), (b"c", 0o644))
    ]
    assert native.write_files(folder, files, b"new") == [(0, 0), (0, 0), (errno.EISDIR, CREATE)]
    found = [(path.name, path.read_bytes(), path.stat().st_mode & 0o7777) for path in tmp_path.glob("[ab]")]
    assert sorted(found) == [("a", b"new", 0o4751), ("b", b"new", 0o400)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_what_had_the_name_is_replaced_and_not_changed(folder: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "second name").hardlink_to(tmp_path / "a")
    (tmp_path / "b").symlink_to("elsewhere")
    files = [to_write(b"a", 0, 3), to_write(b"b", 0, 3)]
    assert native.write_files(folder, files, b"new") == [(0, 0), (0, 0)]
    assert (tmp_path / "second name").read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"new"
    assert not (tmp_path / "b").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_cut_connection_left_is_not_written_to(folder: int, tmp_path: Path) -> None:
    temporary = tmp_path / os.fsdecode(temporary_name(b"a"))
    (tmp_path / "precious").write_bytes(b"kept")
    for leave in (lambda: temporary.write_bytes(b"x" * 99), lambda: temporary.symlink_to("precious")):
        leave()
        assert native.write_files(folder, [to_write(b"a", 0, 3)], b"new") == [(0, 0)]
        assert (tmp_path / "a").read_bytes() == b"new"
        assert not temporary.is_symlink()
        assert not temporary.exists()
    assert (tmp_path / "precious").read_bytes() == b"kept"


def test_a_file_that_fails_leaves_nothing_and_the_others_are_written(folder: int, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / os.fsdecode(temporary_name(b"b"))).mkdir()
    files = [to_write(name, 0, 3) for name in (b"a", b"below", b"b", b"x" * 300, b"z")]
    assert native.write_files(folder, files, b"new") == [
        (0, 0), (errno.EISDIR, RENAME), (errno.EISDIR, CREATE), (errno.ENAMETOOLONG, RENAME), (0, 0),
    ]  # fmt: skip
    names = {os.fsencode(path.name) for path in tmp_path.iterdir()}
    assert names == {b"a", b"below", temporary_name(b"b"), b"z"}


def test_a_folder_that_is_gone_fails_each_file(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    handle = os.open(tmp_path / "below", os.O_RDONLY)
    try:
        (tmp_path / "below").rmdir()
        answers = native.write_files(handle, [to_write(b"a", 0, 1), to_write(b"b", 0, 1)], b"x")
        assert answers == [(errno.ENOENT, CREATE)] * 2
    finally:
        os.close(handle)


def test_no_handle_stays_open(folder: int, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    files = [to_write(b"a", 0, 1), to_write(b"below", 0, 1), to_write(b"y" * 300, 0, 1)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        native.write_files(folder, files, b"x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


GOOD = Entry(b"n", Kind.FILE, 0o644, 0, 0, TIME, 1)


def wrong_entry(offset: object = 0, temporary: object = b"t", **fields: object) -> object:
    return temporary, replace(GOOD, **fields), offset


WRONG: dict[str, tuple[object, type[Exception]]] = {
    "a content beyond the data": (wrong_entry(3, size=2), ValueError),
    "an offset beyond the data": (wrong_entry(5, size=0), ValueError),
    "an offset below 0": (wrong_entry(-1), ValueError),
    "a size below 0": (wrong_entry(size=-1), ValueError),
    "a size that wraps around": (wrong_entry(1, size=(1 << 64) - 1), ValueError),
    "no owner": (wrong_entry(uid=-1), ValueError),
    "the owner that means none": (wrong_entry(uid=0xFFFFFFFF), ValueError),
    "the group that means none": (wrong_entry(gid=0xFFFFFFFF), ValueError),
    "a mode with a kind": (wrong_entry(mode=0o100644), ValueError),
    "a time beyond all clocks": (wrong_entry(mtime_ns=1 << 100), ValueError),
    "a path for a name": (wrong_entry(name=b"../n"), ValueError),
    "a path for a temporary name": (wrong_entry(temporary=b"/t"), ValueError),
    "an attribute with a NUL": (wrong_entry(xattrs=((b"user.a\0b", b""),)), ValueError),
    "text for a name": (wrong_entry(name="n"), TypeError),
    "text for a temporary name": (wrong_entry(temporary="t"), TypeError),
    "a time of floats": (wrong_entry(mtime_ns=1.5), TypeError),
    "a size of floats": (wrong_entry(size=1.5), TypeError),
    "a list for a tuple": ([b"t", GOOD, 0], TypeError),
    "too little": ((b"t", GOOD), TypeError),
    "no entry": ((b"t", b"n", 0), AttributeError),
    "attributes in a list": (wrong_entry(xattrs=[]), TypeError),
    "an attribute of three": (wrong_entry(xattrs=((b"user.a", b"", b""),)), TypeError),
    "an attribute of text": (wrong_entry(xattrs=(("user.a", b""),)), TypeError),
    "nothing": (None, TypeError),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_is_written_when_one_asks_for(wrong: str, folder: int, tmp_path: Path) -> None:
    file, error = WRONG[wrong]
    good_xattrs = b"t", replace(GOOD, xattrs=((b"user.a", b"b"),)), 0
    files: list[ToWrite] = [to_write(b"good", 0, 1), good_xattrs, file]  # type: ignore[list-item] # wrong on purpose
    with pytest.raises(error):
        native.write_files(folder, files, b"data")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", ["text", None, 5])
def test_what_is_no_data_is_refused(folder: int, data: bytes) -> None:
    with pytest.raises(TypeError):
        native.write_files(folder, [], data)
