"""The look back finds what changed since the pass began, by several hands at once."""

import errno
import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from smc.base.errors import SourceReadError, Transient
from smc.transfer import closing
from smc.transfer.closing import find_moved
from smc.transfer.files.folders import Folders
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import glance
from smc.transfer.troubles import Troubles

HANDS = 3


def look_back(root: Path, troubles: Troubles, *excludes: str) -> int:
    with ExitStack() as opened:
        hands = [[opened.enter_context(Folders(root))] for _ in range(HANDS)]
        return find_moved(hands, [Excludes(excludes)], troubles, lambda: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folders wide and deep; all is old enough when a pass begins."""
    root = tmp_path / "root"
    for number in range(40):
        (root / f"{number}" / "a" / "b" / f"c{number}").mkdir(parents=True)
        (root / f"{number}" / "a" / "file").touch()
    return root


def begin_pass(root: Path) -> Troubles:
    """What is there is older than the pass, what changes from now on is not."""
    clock, deadline = root.parent / "clock", time.monotonic() + 10
    clock.touch()
    before = clock.stat().st_ctime_ns
    while clock.stat().st_ctime_ns == before:
        assert time.monotonic() < deadline
        clock.touch()
    troubles = Troubles(["/"])
    troubles.recent_ns = clock.stat().st_ctime_ns
    return troubles


def test_of_a_tree_that_held_still_nothing_is_found(root: Path) -> None:
    troubles = begin_pass(root)
    assert look_back(root, troubles) == 0
    assert troubles.moving() == ()


def test_what_changed_is_found_wherever_it_is(root: Path) -> None:
    troubles = begin_pass(root)
    for number in (0, 7, 39):
        (root / f"{number}" / "a" / "file").write_text("changed")
    (root / "3" / "a" / "b" / "c3" / "new").touch()
    (root / "left out").mkdir()
    assert look_back(root, troubles, "/left out") == 6
    assert [moving.path for moving in troubles.moving()] == [
        "/",
        "/0/a/file",
        "/3/a/b/c3",
        "/3/a/b/c3/new",
        "/39/a/file",
        "/7/a/file",
    ]


def test_a_folder_that_vanishes_meanwhile_ends_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def glance_and_remove(folders: Folders, path: bytes, excludes: Excludes) -> tuple[int, list[bytes]]:
        if path == b"5/a/b":
            found = glance(folders, path, excludes)
            (root / "5" / "a" / "b" / "c5").rmdir()
            return found
        return glance(folders, path, excludes)

    monkeypatch.setattr(closing, "glance", glance_and_remove)
    troubles = begin_pass(root)
    assert look_back(root, troubles) == 0  # its parent was seen before: the next round knows


def test_a_tree_that_cannot_be_read_any_more_ends_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> tuple[int, list[bytes]]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(closing, "glance", broken)
    with pytest.raises(SourceReadError):
        look_back(root, Troubles(["/"]))


@pytest.mark.parametrize("after", [0, 1, 5, 50])
def test_a_wish_to_stop_ends_all_hands(root: Path, after: int) -> None:
    left = iter(range(after))

    def check() -> None:
        if next(left, None) is None:
            raise Transient("stopped", code="Transfer.Stopped")

    with ExitStack() as opened, pytest.raises(Transient):
        hands = [[opened.enter_context(Folders(root))] for _ in range(HANDS)]
        find_moved(hands, [Excludes(())], Troubles(["/"]), check)
