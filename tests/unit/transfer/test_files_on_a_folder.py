"""Reading and removing what is odd, on any filesystem and without root."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smc.base.errors import UserError, WireError
from smc.transfer.files.entry import read_entry
from smc.transfer.files.folders import Folders, check_name, check_path
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.pieces import Pieces
from smc.transfer.files.place import remove
from smc.transfer.files.walk import MOST_ENTRIES, list_folder, look_over
from smc.transfer.listing import count
from smc.transfer.verify import hash_bytes, hash_of_pieces, hash_piece
from smc.wire.messages import PIECE, Folder, Kind

NOTHING = Excludes(())


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    with Folders(tmp_path) as opened:
        yield opened


def unreadable(path: bytes, error: OSError) -> None:
    raise AssertionError(f"{path!r}: {error}")


def walk(folders: Folders, excludes: Excludes) -> Iterator[Folder]:
    """Every folder listed, in its parts."""
    for seen in look_over(folders, excludes, lambda: None):
        for part in list_folder(folders, seen, excludes, unreadable):
            yield part.folder


def dig(root: Path, depth: int) -> None:
    """Folders below each other, far beyond what a path can name; a file at the bottom."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_entries_tell_their_inode_however_they_are_read(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").mkdir()
    inodes = [(tmp_path / name).stat().st_ino for name in ("a", "b")]
    (part, _) = walk(folders, NOTHING)
    assert [entry.inode for entry in part.entries] == inodes
    assert [read_entry(folders.open(b""), name)[0].inode for name in (b"a", b"b")] == inodes


def test_a_tree_deeper_than_a_path_is_walked_and_removed(tmp_path: Path, folders: Folders) -> None:
    dig(tmp_path, 1500)
    parts = list(walk(folders, NOTHING))
    assert len(parts) == 1501
    assert [entry.name for entry in parts[-1].entries] == [b"bottom"]
    gone: list[bytes] = []
    remove(folders.open(b""), b"", b"deep", gone.append)
    assert len(gone) == 1501
    assert max(gone, key=len) == b"/".join([b"deep"] * 1500) + b"/bottom"
    assert list(tmp_path.iterdir()) == []


def test_few_handles_are_open_however_many_folders_are_used(tmp_path: Path, folders: Folders) -> None:
    for number in range(300):
        (tmp_path / str(number) / "below").mkdir(parents=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(300):
        folders.open(f"{number}/below".encode())
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 50


def test_a_forgotten_folder_is_opened_anew(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    folders.open(b"a/b")
    (tmp_path / "a").rename(tmp_path / "other")
    (tmp_path / "a").mkdir()
    folders.forget(b"a")
    with pytest.raises(FileNotFoundError):
        folders.open(b"a/b")


def test_no_step_follows_a_symlink(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "link").symlink_to("/")
    for path in (b"link", b"link/etc"):
        with pytest.raises(OSError) as raised:
            folders.open(path)
        assert raised.value.errno in (errno.ELOOP, errno.ENOTDIR)


def test_names_and_paths_of_a_peer_are_checked() -> None:
    assert check_name(b"\xff ...") == b"\xff ..."
    assert check_path(b"a/b") == b"a/b"
    assert check_path(b"") == b""
    for path in (b"/", b"a/", b"/a", b"a//b", b"..", b"a/..", b"."):
        with pytest.raises(WireError):
            check_path(path)


def test_a_large_folder_comes_in_parts(tmp_path: Path, folders: Folders) -> None:
    for number in range(2 * MOST_ENTRIES + 1):
        (tmp_path / f"{number:05}").touch()
    parts = list(walk(folders, NOTHING))
    assert [(len(part.entries), part.first, part.last) for part in parts] == [
        (MOST_ENTRIES, True, False),
        (MOST_ENTRIES, False, False),
        (1, False, True),
    ]
    assert count(folders, NOTHING, lambda: None).files == 2 * MOST_ENTRIES + 1


def test_of_hard_links_the_first_in_the_walk_is_the_file(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "z").write_bytes(b"x" * 100)
    (tmp_path / "a").mkdir()
    os.link(tmp_path / "z", tmp_path / "a" / "first")
    found = {entry.name: entry.link for part in walk(folders, NOTHING) for entry in part.entries}
    assert found == {b"a": b"", b"z": b"", b"first": b"z"}
    assert count(folders, NOTHING, lambda: None).files == 1


def test_what_is_excluded_is_neither_listed_nor_counted(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "keep").write_bytes(b"1")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "scratch").write_bytes(b"22")
    excludes = Excludes(["/tmp/*"])
    names = [entry.name for part in walk(folders, excludes) for entry in part.entries]
    assert names == [b"keep", b"tmp"]
    assert count(folders, excludes, lambda: None).files == 1


def test_an_include_pattern_is_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="includes"):
        Excludes(["+ /keep"])
    assert not Excludes(["", "# comment", "; comment"])


ISLAND = 3 * PIECE + 4096
SPARSE = 6 * PIECE + 10


@pytest.fixture
def sparse(tmp_path: Path) -> Iterator[int]:
    """A hole with an island."""
    with (tmp_path / "sparse").open("wb+") as file:
        file.seek(ISLAND)
        file.write(b"island")
        file.truncate(SPARSE)
        file.flush()
        yield file.fileno()


def test_pieces_leave_out_holes_and_their_hash_is_of_the_whole(sparse: int) -> None:
    pieces = Pieces(sparse, SPARSE)
    assert list(pieces.numbers()) == [3]
    data, extents = pieces.read(3)
    assert len(data) == PIECE
    assert sum(length for _, length in extents) < PIECE
    assert b"island" in b"".join(data[start : start + length] for start, length in extents)
    expected = hash_bytes(bytes(ISLAND) + b"island" + bytes(SPARSE - ISLAND - 6))
    assert hash_of_pieces(SPARSE, {3: hash_piece(data)}) == expected


def test_a_piece_in_a_hole_is_zeros(sparse: int) -> None:
    data, extents = Pieces(sparse, SPARSE).read(1)
    assert data == bytes(PIECE)
    assert extents == ((0, PIECE),)


def test_a_file_that_became_shorter_is_padded(sparse: int) -> None:
    pieces = Pieces(sparse, SPARSE)
    assert list(pieces.numbers()) == [3]
    os.ftruncate(sparse, ISLAND + 2)
    data, _ = pieces.read(3)
    assert data == bytes(4096) + b"is" + bytes(PIECE - 4098)


def test_behind_a_piece_is_what_follows_it_as_far_as_there_is(sparse: int) -> None:
    """In data, at its border, in a hole, at the end of the file."""
    os.pwrite(sparse, b"d" * (PIECE + 100), 0)
    os.pwrite(sparse, b"the end", SPARSE - 7)
    content = os.pread(sparse, SPARSE, 0)
    pieces = Pieces(sparse, SPARSE)
    for number in range(7):
        piece = content[number * PIECE : (number + 1) * PIECE]
        for ahead in (0, 1, 4096, 2 * PIECE):
            data, extents = pieces.read(number, ahead)
            assert data == content[number * PIECE : (number + 1) * PIECE + ahead]
            assert pieces.read(number) == (piece, extents)
            assert pieces.length(number) == len(piece)


@pytest.mark.parametrize("first", range(8))
def test_pieces_are_numbered_from_anywhere(tmp_path: Path, first: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (6 * PIECE + 1))
    handle = os.open(path, os.O_RDONLY)
    try:
        assert list(Pieces(handle, 6 * PIECE + 1).numbers(first)) == list(range(first, 7))
    finally:
        os.close(handle)


def test_a_folder_that_vanished_since_it_was_seen_is_listed_as_not_complete(
    tmp_path: Path, folders: Folders
) -> None:
    (tmp_path / "a").mkdir()
    seen = list(look_over(folders, NOTHING, lambda: None))
    folders.forget(b"a")
    (tmp_path / "a").rmdir()
    (part,) = list_folder(folders, seen[1], NOTHING, unreadable)
    assert part.folder == Folder(b"a", (), complete=False)


def test_a_survey_tells_whether_anything_changed(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"1")
    (tmp_path / "other").mkdir()

    def look() -> dict[bytes, bytes]:
        _wait_until_settled(folders)
        return {seen.path: seen.digest for seen in look_over(folders, NOTHING, lambda: None)}

    before = look()
    assert look() == before
    (tmp_path / "a" / "file").chmod(0o600)
    after = look()
    assert {path for path, digest in after.items() if digest != before[path]} == {b"a"}


def _wait_until_settled(folders: Folders) -> None:
    deadline = time.monotonic() + 10
    while not all(seen.digest for seen in look_over(folders, NOTHING, lambda: None)):
        assert time.monotonic() < deadline


def test_what_changed_a_moment_ago_has_no_survey(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "new").touch()
    (seen,) = look_over(folders, NOTHING, lambda: None)
    assert seen.digest == b""
    assert seen.files == 1


def test_a_folder_comes_before_those_in_it_and_these_by_name(tmp_path: Path, folders: Folders) -> None:
    for path in ("a/b/c", "a-b", "a/a", "Z", "é"):
        (tmp_path / path).mkdir(parents=True)
    paths = [seen.path.decode() for seen in look_over(folders, NOTHING, lambda: None)]
    assert paths == ["", "Z", "a", "a/a", "a/b", "a/b/c", "a-b", "é"]


def test_every_kind_of_entry_is_listed_as_it_is(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("to/nowhere")
    os.mkfifo(tmp_path / "pipe")
    (folder, _) = walk(folders, NOTHING)
    assert [(entry.name, entry.kind) for entry in folder.entries] == [
        (b"file", Kind.FILE),
        (b"folder", Kind.FOLDER),
        (b"link", Kind.SYMLINK),
        (b"pipe", Kind.FIFO),
    ]
    assert folder.entries[0].size == 5
    assert folder.entries[2].target == b"to/nowhere"
    assert folder.own is not None
    assert folder.own.kind is Kind.FOLDER
