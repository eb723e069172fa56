"""Small files are read together, as they were listed; what is another thing is left to the caller."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc.transfer import native
from smc.transfer.files.entry import read_bare_entry, read_entry
from smc.transfer.ledger import Item
from smc.transfer.verify import hash_piece

LARGE = 1 << 20
FAR = 1 << 62  # ns: no file changed since
FOLDER = b"folder"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def items_of(folder: int, names: list[bytes]) -> list[Item]:
    return [(index, FOLDER, read_entry(folder, name)[0]) for index, name in enumerate(names)]


def taken(parcel: native.Parcel) -> list[tuple[int, bytes]]:
    """Index and content of each file in it, whose hash is right."""
    data, at, found = bytes(memoryview(parcel)), 0, []
    for index, size, sha in parcel.results():
        content = data[at : at + size]
        assert sha == hash_piece(content)
        found.append((index, content))
        at += size
    assert at == len(data)
    return found


def test_contents_come_one_after_another(folder: int, tmp_path: Path) -> None:
    contents = {b"a": b"first", b"b": b"", b"c": os.urandom(300_000), b"d": b"last"}
    for name, content in contents.items():
        (tmp_path / os.fsdecode(name)).write_bytes(content)
    parcel = native.Parcel(LARGE, 100)
    for _ in range(2):
        assert parcel.read(folder, items_of(folder, list(contents)), 0, FAR) == (4, [], [], [])
        assert taken(parcel) == list(enumerate(contents.values()))
        parcel.clear()
        assert taken(parcel) == []


def test_what_is_no_full_file_as_it_was_listed_is_not_taken(folder: int, tmp_path: Path) -> None:
    names = [b"large", b"gone", b"fits", b"fifo", b"hole", b"longer", b"older", b"another", b"link"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x" * 50)
    (tmp_path / "large").write_bytes(b"x" * 101)
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(40)
    items = items_of(folder, names)
    (tmp_path / "longer").write_bytes(b"x" * 51)
    os.utime(tmp_path / "older", ns=(1, 1))
    (tmp_path / "new").write_bytes(b"x" * 50)
    (tmp_path / "new").rename(tmp_path / "another")
    for gone in ("gone", "fifo", "link"):
        (tmp_path / gone).unlink()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fits")
    parcel = native.Parcel(100, 100)
    assert parcel.read(folder, items, 0, FAR) == (9, [0, 1, 3, 4, 5, 6, 7, 8], [], [])
    assert taken(parcel) == [(2, b"x" * 50)]


def test_what_cannot_be_hashed_at_once_is_not_taken(folder: int, tmp_path: Path) -> None:
    for name, size in (("fits", LARGE), ("large", LARGE + 1)):
        (tmp_path / name).write_bytes(bytes(size))
    parcel = native.Parcel(4 * LARGE, 100)
    assert parcel.read(folder, items_of(folder, [b"fits", b"large"]), 0, FAR) == (2, [1], [], [])
    assert taken(parcel) == [(0, bytes(LARGE))]


def test_a_reading_ends_where_the_next_has_no_room(folder: int, tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).write_bytes(name.encode() * 40)
    items = items_of(folder, [b"a", b"b", b"c", b"d", b"e"])
    for parcel in (native.Parcel(100, 9), native.Parcel(LARGE, 2)):
        got: list[list[bytes]] = []
        at = 0
        while at < len(items):
            at, *_ = parcel.read(folder, items, at, FAR)
            got.append([content[:1] for _, content in taken(parcel)])
            if at < len(items):
                assert parcel.read(folder, items, at, FAR)[0] == at
            parcel.clear()
        assert got == [[b"a", b"b"], [b"c", b"d"], [b"e"]]


def test_a_reading_ends_with_the_folder(folder: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    [(_, _, entry)] = items_of(folder, [b"a"])
    items = [(5, FOLDER, entry), (6, FOLDER, entry), (7, b"another", entry)]
    parcel = native.Parcel(LARGE, 100)
    assert parcel.read(folder, items, 0, FAR)[0] == 2
    assert parcel.read(folder, items, 2, FAR)[0] == 3
    assert taken(parcel) == [(5, b"a"), (6, b"a"), (7, b"a")]


def test_what_changed_lately_is_told(folder: int, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode())
    items = items_of(folder, [b"a", b"b", b"c"])
    changed = [entry.changed_ns for *_, entry in items]
    parcel = native.Parcel(LARGE, 100)
    for old in (0, *changed, changed[-1] + 1):
        recent = [place for place, at in enumerate(changed) if at >= old]
        assert parcel.read(folder, items, 0, old) == (3, [], recent, [])


def test_attributes_that_the_listing_leaves_out_are_told(folder: int, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode())
    os.setxattr(tmp_path / "b", "user.what", b"value")
    names = [b"a", b"b", b"c"]
    bare = [(index, FOLDER, read_bare_entry(folder, name)[0]) for index, name in enumerate(names)]
    parcel = native.Parcel(LARGE, 100)
    told = [(1, 0, ((b"user.what", b"value"),))]
    assert parcel.read(folder, bare, 0, FAR) == (3, [], [], told)
    assert parcel.read(folder, items_of(folder, names), 0, FAR) == (3, [], [], [])


def test_attributes_take_room_too(folder: int, tmp_path: Path) -> None:
    """256 files of a listing can have 16 MiB of them, and no frame has a head of more than 8."""
    value, names = b"v" * 3800, [b"%03d" % number for number in range(150)]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
        os.setxattr(tmp_path / os.fsdecode(name), "user.large", value)
    bare = [(index, FOLDER, read_bare_entry(folder, name)[0]) for index, name in enumerate(names)]
    parcel = native.Parcel(LARGE, 512)
    end, _, _, told = parcel.read(folder, bare, 0, FAR)
    assert len(told) == end < len(bare)
    assert 512 << 10 <= end * (len(value) + len("user.large")) < 520 << 10
    assert parcel.read(folder, bare, end, FAR)[0] == end
    parcel.clear()
    assert parcel.read(folder, bare, end, FAR)[0] == len(bare)


def test_a_file_that_changes_meanwhile_is_not_taken_in_parts(folder: int, tmp_path: Path) -> None:
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
    parcel = native.Parcel(LARGE, 100)
    try:
        for _ in range(300):
            items = items_of(folder, [b"moving"])
            parcel.read(folder, items, 0, FAR)
            for _, content in taken(parcel):
                assert len(content) == items[0][2].size
            parcel.clear()
    finally:
        stop.set()
        mover.join()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12), st.integers(0, 9000), st.integers(1, 5))
def test_every_file_comes_once(tmp_path: Path, sizes: list[int], room: int, most: int) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        names = [b"%d" % index for index in range(len(sizes))]
        for index, size in enumerate(sizes):
            (tmp_path / str(index)).write_bytes(bytes([index + 1]) * size)
        items = items_of(folder, names)
        parcel = native.Parcel(room, most)
        at, got, left = 0, list[int](), list[int]()
        while at < len(items):
            end, otherwise, _, _ = parcel.read(folder, items, at, FAR)
            assert end > at
            got += [index for index, content in taken(parcel) if content == bytes([index + 1]) * sizes[index]]
            left += otherwise
            parcel.clear()
            at = end
        assert got == [index for index, size in enumerate(sizes) if size <= room]
        assert left == [index for index, size in enumerate(sizes) if size > room]
    finally:
        os.close(folder)


def test_what_is_looked_at_does_not_change(folder: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    items = items_of(folder, [b"a"])
    parcel = native.Parcel(LARGE, 100)
    parcel.read(folder, items, 0, FAR)
    with memoryview(parcel) as content:
        assert content.readonly
        for call in (lambda: parcel.read(folder, items, 0, FAR), parcel.clear):
            with pytest.raises(ValueError, match="looked at"):
                call()
        assert len(parcel.results()) == 1
    parcel.clear()


@pytest.mark.parametrize(("room", "most"), [(-1, 1), (1, -1), (1 << 64, 1)])
def test_sizes_that_cannot_be_are_refused(room: int, most: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        native.Parcel(room, most)


def test_more_than_all_memory_is_an_error() -> None:
    for sizes in (((1 << 63) - 1, 1), (1, (1 << 63) - 1)):
        with pytest.raises(MemoryError):
            native.Parcel(*sizes)


class Undecided:
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise ZeroDivisionError


def test_what_are_no_items_is_refused(folder: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    [good] = items_of(folder, [b"a"])
    parcel = native.Parcel(LARGE, 100)
    for wrong, error in (
        ((good,), TypeError), ([()], TypeError), ([], IndexError), ([(0, b"", None)], AttributeError),
        ([(-1, b"", good[2])], ValueError),
        ([(0, b"", msgspec.structs.replace(good[2], name=b"a/b"))], ValueError),
        ([(0, b"", msgspec.structs.replace(good[2], size=-1))], ValueError),
        ([(0, b"", msgspec.structs.replace(good[2], mtime_ns=1 << 200))], ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            parcel.read(folder, cast("list[Item]", wrong), 0, FAR)
    with pytest.raises(ZeroDivisionError):
        parcel.read(folder, [(0, b"", msgspec.structs.replace(good[2], flags=Undecided()))], 0, FAR)
    with pytest.raises(IndexError):
        parcel.read(folder, [good], 1, FAR)
    assert taken(parcel) == []
