"""The listing of many entries is what is read of one after the other."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smc.transfer import native
from smc.transfer.files.entry import entry_of, read_bare_entry, read_entry
from smc.wire.messages import Entry, Kind

if TYPE_CHECKING:
    from smc.transfer.native import Listed

ZEROS = (False, 0, 0, 0, 0, 0, 0, 0, 0, 0, b"", 0, (), 0, 0, 0)


def one_after_the_other(folder: int, names: list[bytes]) -> list["Listed"]:
    return [listed(*read_entry(folder, name)) for name in names]


def listed(entry: Entry, state: os.stat_result) -> "Listed":
    return (
        entry.name, 0, False, int(entry.kind), entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.size,
        entry.stored, entry.changed_ns, entry.rdev, entry.target, entry.flags, entry.xattrs,
        state.st_ino, state.st_nlink, state.st_dev,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def test_entries_of_every_kind_are_listed_alike(folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "program").touch(0o4755)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "long link").symlink_to("l" * 4000)
    (tmp_path / "second").hardlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{folder}/socket")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    os.close(os.open(b"\xff\n" + b"x" * 253, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    names = native.names(folder)
    assert len(names) == 10
    assert native.listing(folder, names) == one_after_the_other(folder, names)
    assert native.listing(folder, tuple(reversed(names))) == one_after_the_other(folder, names[::-1])


def test_what_is_listed_bare_is_not_opened(folder: int, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    for name in ("below", "file"):
        os.setxattr(tmp_path / name, "user.what", b"value")
    names = native.names(folder)
    wanted = [listed(*read_bare_entry(folder, name)) for name in names[:2]]
    assert native.listing(folder, names, bare=True) == [*wanted, listed(*read_entry(folder, b"link"))]
    assert all(entry[14] for entry in native.listing(folder, names)[:2])


@pytest.mark.parametrize(
    "at", [0, 1, 999_999_999, 1_700_000_000_123_456_789, 4_000_000_000_000_000_001, -1, -1_000_000_001]
)
def test_times_are_listed_to_the_nanosecond(at: int, folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.utime(tmp_path / "file", ns=(at, at))
    assert native.listing(folder, [b"file"]) == one_after_the_other(folder, [b"file"])


def test_names_that_vanished_are_listed_as_such(folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    gone, file, long = native.listing(folder, [b"gone", b"file", b"x" * 300])
    assert gone == (b"gone", errno.ENOENT, *ZEROS)
    assert file[:4] == (b"file", 0, False, Kind.FILE)
    assert long == (b"x" * 300, errno.ENAMETOOLONG, *ZEROS)


def test_what_is_no_folder_fails_each_name(folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    handle = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        assert native.listing(handle, [b"a", b"b"]) == [
            (b"a", errno.ENOTDIR, *ZEROS),
            (b"b", errno.ENOTDIR, *ZEROS),
        ]
    finally:
        os.close(handle)


def test_what_is_open_is_described_as_by_its_name(folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "folder").mkdir(mode=0o2710)
    os.setxattr(tmp_path / "file", "user.note", b"\0value")
    for name in (b"file", b"folder"):
        handle = os.open(name, os.O_RDONLY, dir_fd=folder)
        assert native.described(handle) == (b"", *one_after_the_other(folder, [name])[0][1:])
        assert entry_of(handle, name) == read_entry(folder, name)[0]
        os.close(handle)
    with pytest.raises(OSError) as raised:
        native.described(handle)
    assert raised.value.errno == errno.EBADF


def test_a_step_leads_into_folders_alone(folder: int, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("below")
    handle, device = native.step(folder, b"below")
    assert os.path.samestat(os.fstat(handle), (tmp_path / "below").stat())
    assert not os.get_inheritable(handle)
    assert device == (tmp_path / "below").stat().st_dev
    os.close(handle)
    for name, wrong in ((b"file", errno.ENOTDIR), (b"link", errno.ENOTDIR), (b"gone", errno.ENOENT)):
        with pytest.raises(OSError) as raised:
            native.step(folder, name)
        assert (raised.value.errno, raised.value.filename) == (wrong, name)
    with pytest.raises(ValueError, match="NUL"):
        native.step(folder, b"below\0")


def test_nothing_is_listed_of_no_names(folder: int) -> None:
    assert native.listing(folder, []) == []


def test_listing_leaves_no_handle_open(folder: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "below").mkdir()
    (tmp_path / "link").symlink_to("x")
    names = [*native.names(folder), b"gone"]
    items = [(0, b"", read_entry(folder, name)[0]) for name in (b"file", b"below", b"link")]
    parcel = native.Parcel(10, 10)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        native.survey(folder)
        native.listing(folder, names)
        parcel.read(folder, items, 0, 0)
        parcel.clear()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
