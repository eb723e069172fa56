"""Reading and removing what is odd, on any filesystem and without root."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from smc.base.errors import UserError, WireError
from smc.transfer.files.content import hash_content, read_blocks
from smc.transfer.files.folders import Folders, check_name, check_path
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.place import remove
from smc.transfer.files.walk import PART, count, walk
from smc.transfer.verify import BLOCK, hash_bytes

NOTHING = Excludes(())


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    with Folders(tmp_path) as opened:
        yield opened


def unreadable(path: bytes, error: OSError) -> None:
    raise AssertionError(f"{path!r}: {error}")


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


def test_a_tree_deeper_than_a_path_is_walked_and_removed(tmp_path: Path, folders: Folders) -> None:
    dig(tmp_path, 1500)
    parts = list(walk(folders, NOTHING, unreadable))
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
    for number in range(300):
        folders.open(f"{number}/below".encode())
    assert len(list(Path("/proc/self/fd").iterdir())) < 150


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
    for number in range(2 * PART + 1):
        (tmp_path / f"{number:05}").touch()
    parts = list(walk(folders, NOTHING, unreadable))
    assert [(len(part.entries), part.first, part.last) for part in parts] == [
        (PART, True, False),
        (PART, False, False),
        (1, False, True),
    ]
    assert count(folders, NOTHING, lambda: None).files == 2 * PART + 1


def test_of_hard_links_the_first_in_the_walk_is_the_file(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "z").write_bytes(b"x" * 100)
    (tmp_path / "a").mkdir()
    os.link(tmp_path / "z", tmp_path / "a" / "first")
    found = {entry.name: entry.link for part in walk(folders, NOTHING, unreadable) for entry in part.entries}
    assert found == {b"a": b"", b"z": b"", b"first": b"z"}
    assert count(folders, NOTHING, lambda: None).files == 1


def test_what_is_excluded_is_neither_listed_nor_counted(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "keep").write_bytes(b"1")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "scratch").write_bytes(b"22")
    excludes = Excludes(["/tmp/*"])
    names = [entry.name for part in walk(folders, excludes, unreadable) for entry in part.entries]
    assert names == [b"keep", b"tmp"]
    assert count(folders, excludes, lambda: None).files == 1


def test_an_include_pattern_is_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="includes"):
        Excludes(["+ /keep"])
    assert not Excludes(["", "# comment", "; comment", "  "])


def test_blocks_leave_out_holes_and_their_hash_is_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.seek(3 * BLOCK + 4096)
        file.write(b"island")
        file.truncate(6 * BLOCK + 10)
    handle = os.open(path, os.O_RDONLY)
    try:
        blocks = list(read_blocks(handle, 6 * BLOCK + 10))
        assert [block.offset for block in blocks] == [3 * BLOCK]
        assert len(blocks[0].data) == BLOCK
        assert len(blocks[0].stored()) <= BLOCK
        assert hash_content(handle, 6 * BLOCK + 10, lambda: None).digest(6 * BLOCK + 10) == hash_bytes(
            path.read_bytes()
        )
    finally:
        os.close(handle)
