"""What cannot be read at the source: a tree's own folder ends the run, anything else is listed and stays."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.unit.transfer.faults import failing
from tests.unit.transfer.two_folders import TwoFolders, picture

from smc.base.errors import SourceReadError
from smc.transfer import native
from smc.transfer.sender import Sent

ERRORS = [errno.EIO, errno.EACCES, errno.ESTALE, errno.ENOENT]
MANY = 300  # entries, more than are described at once


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoFolders:
    """The target is a copy of the source as it was, which had one file more in each folder."""
    monkeypatch.setattr(native, "sync_filesystem", lambda handle: None)
    for name in ("source", "target"):
        (tmp_path / name / "below").mkdir(parents=True)
        for path in ("a", "below/b"):
            (tmp_path / name / path).write_bytes(b"content")
    ends = TwoFolders(tmp_path / "source", tmp_path / "target")
    for path in ("gone", "below/gone"):
        (ends.target / path).write_bytes(b"gone")
    return ends


def is_at(path: Path, handle: int) -> bool:
    return os.path.sameopenfile(handle, _opened(path))


_handles: dict[Path, int] = {}


def _opened(path: Path) -> int:
    if path not in _handles:
        _handles[path] = os.open(path, os.O_RDONLY)
    return _handles[path]


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    while _handles:
        os.close(_handles.popitem()[1])


def _after_a_look(
    looks: list[int], real: Callable[..., object], broken: Callable[..., object]
) -> Callable[..., object]:
    def call(*arguments: object) -> object:
        return broken(*arguments) if len(looks) > 1 else real(*arguments)

    return call


def break_at(monkeypatch: pytest.MonkeyPatch, path: Path, code: int, *calls: str) -> None:
    """These calls of `native` fail about the folder `path`."""
    for call in calls:
        monkeypatch.setattr(native, call, _broken(getattr(native, call), path, code))


def _broken(real: Callable[..., object], path: Path, code: int) -> Callable[..., object]:
    def call(folder: int, *args: object) -> object:
        if is_at(path, folder):
            raise failing(code)
        return real(folder, *args)

    return call


@pytest.mark.parametrize("code", ERRORS)
@pytest.mark.parametrize("excludes", [(), ("/nothing",)])
@pytest.mark.parametrize("calls", [("name_parts",), ("names", "name_parts", "survey")])
def test_a_tree_whose_own_names_cannot_be_read_ends_the_run_and_nothing_is_removed(
    ends: TwoFolders,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    excludes: tuple[str, ...],
    calls: Sequence[str],
) -> None:
    ends.excludes = excludes
    before = picture(ends.target)
    break_at(monkeypatch, ends.source, code, *calls)
    outcome = ends.copy()
    for end in (outcome.sent, outcome.received):
        assert isinstance(end, SourceReadError)
        assert end.message == f"/srv cannot be read: {os.strerror(code)}"
    assert picture(ends.target) == before


def test_a_tree_that_cannot_be_read_in_the_look_back_ends_the_run(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = native.survey

    def survey(folder: int, names: Sequence[bytes] | None = None) -> "native.Survey":
        if is_at(ends.source, folder):
            looks.append(folder)
            if len(looks) > 1:
                raise failing(errno.EIO)
        return real(folder, names)

    monkeypatch.setattr(native, "survey", survey)
    for call in ("names", "name_parts"):
        real_names = getattr(native, call)
        broken = _broken(real_names, ends.source, errno.EIO)
        monkeypatch.setattr(native, call, _after_a_look(looks, real_names, broken))
    outcome = ends.copy()
    assert isinstance(outcome.sent, SourceReadError)
    assert "cannot be read" in outcome.sent.message


def test_a_folder_whose_names_cannot_be_read_is_listed_and_its_copy_stays(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, ends.source / "below", errno.EIO, "names", "name_parts", "survey")
    outcome = ends.copy()
    assert isinstance(outcome.sent, Sent)
    assert [each.path for each in outcome.sent.unreadable] == ["/srv/below"]
    assert sorted(path.name for path in ends.target.iterdir()) == ["a", "below"]
    assert sorted(path.name for path in (ends.target / "below").iterdir()) == ["b", "gone"]


@pytest.mark.parametrize("after", [0, 1])
def test_a_folder_that_cannot_be_described_is_listed_as_not_complete(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Also when the call for some of its entries succeeded and that for the others fails."""
    below = ends.source / "below"
    for number in range(MANY):
        (below / f"{number:03}").write_bytes(b"1")
    calls: list[int] = []
    real = native.listing

    def listing(folder: int, names: Sequence[bytes], bare: bool) -> list["native.Listed"]:
        if is_at(below, folder):
            calls.append(folder)
            if len(calls) > after:
                raise failing(errno.EIO)
        return real(folder, names, bare)

    monkeypatch.setattr(native, "listing", listing)
    outcome = ends.copy()
    assert isinstance(outcome.sent, Sent), outcome
    assert [each.path for each in outcome.sent.unreadable] == ["/srv/below"]
    there = {path.name for path in (ends.target / "below").iterdir()}
    assert {"b", "gone"} <= there
    assert len(there) in (2, 2 + after * 256)


def test_a_tree_whose_entries_cannot_be_described_ends_the_run(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture(ends.target)
    break_at(monkeypatch, ends.source, errno.EIO, "listing")
    outcome = ends.copy()
    assert isinstance(outcome.sent, SourceReadError)
    assert picture(ends.target) == before
