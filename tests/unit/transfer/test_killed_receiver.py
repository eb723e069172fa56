"""In a folder that was empty a file gets its name at once; what a kill leaves there is not taken for one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.transfer.faults import Faulty
from tests.unit.transfer.two_folders import TwoFolders, picture

from smc.base.errors import Transient
from smc.transfer import native
from smc.transfer.memory import Memory

FILES = 5


@pytest.fixture
def ends(tmp_path: Path) -> TwoFolders:
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    for folder in (source, source / "folder", source / "folder" / "deep"):
        folder.mkdir()
        for number in range(FILES):
            (folder / f"file {number}").write_bytes(b"content %d\n" % number * 10 ** (number % 4))
    return TwoFolders(source, target, Memory(tmp_path / "index"))


@pytest.mark.parametrize("own_disk", [True, False], ids=["index", "no index"])
@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize("kept", [0, 1, -1], ids=["empty", "a byte", "zeros"])
def test_what_a_killed_receiver_left_of_a_file_is_replaced(
    ends: TwoFolders, *, kept: int, dated: bool, own_disk: bool
) -> None:
    """Killed at each call; with the right date and size, but zeros, a file is what a power cut leaves."""
    left: list[bytes] = []

    def die(
        real: Callable[..., object], folder: int, files: "list[native.ToWrite]", data: memoryview
    ) -> list[tuple[int, int]]:
        real(folder, files[:-1], data)
        temporary, entry, offset = files[-1]
        if temporary == entry.name:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=folder)
            os.write(handle, bytes(entry.size) if kept < 0 else bytes(data[offset : offset + kept]))
            if dated:
                os.utime(handle, ns=(entry.mtime_ns, entry.mtime_ns))
            os.close(handle)
            left.append(temporary)
        raise Transient("killed", code="Test.Killed")

    for number in (2, 1, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "write_files", Faulty(native.write_files, {number: die}))
            ends.copy()
        ends.memory.close()
        ends.memory = Memory(ends.target.parent / "index" if own_disk else None)
    assert left
    assert ends.copy().is_right
    assert picture(ends.target) == picture(ends.source)
    ends.memory.close()


def test_nothing_is_renamed_in_a_folder_that_was_empty(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one that had something a file is whole before it gets its name."""
    at_once: list[bool] = []

    def write(
        real: Callable[..., list[tuple[int, int]]],
        folder: int,
        files: "list[native.ToWrite]",
        data: memoryview,
    ) -> list[tuple[int, int]]:
        at_once.extend(temporary == entry.name for temporary, entry, _ in files)
        return real(folder, files, data)

    monkeypatch.setattr(native, "write_files", Faulty(native.write_files, dict.fromkeys(range(99), write)))
    assert ends.copy().is_right
    assert at_once == [True] * 3 * FILES
    at_once.clear()
    (ends.source / "folder" / "new").write_text("new")
    assert ends.copy().is_right
    assert at_once == [False]
    assert picture(ends.target) == picture(ends.source)
    ends.memory.close()
