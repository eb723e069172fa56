"""Attributes that a listing leaves out come with the contents, in whatever way these come."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.transfer.faults import failing
from tests.unit.transfer.two_folders import TwoFolders

from smc.transfer import large, native
from smc.transfer.contents import Contents, News
from smc.transfer.large import RUN
from smc.transfer.ledger import Ledger
from smc.transfer.memory import Memory
from smc.transfer.sender import Sent
from smc.transfer.small import SMALL
from smc.wire.messages import PIECE, Entry

SIZES = {"empty": 0, "small": 100, "large": SMALL + 1, "runs": (RUN + 1) * PIECE}
NAME = "user.origin"


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[TwoFolders]:
    ends = TwoFolders(tmp_path / "source", tmp_path / "target")
    for root in (ends.source, ends.target):
        root.mkdir()
    for name, size in SIZES.items():
        (ends.source / name).write_bytes(b"x" * size)
    yield ends
    ends.memory.close()


def attributes(root: Path) -> dict[str, bytes]:
    """Of the files that have some."""
    return {name: os.getxattr(root / name, NAME) for name in SIZES if NAME in os.listxattr(root / name)}


def test_of_a_new_copy(ends: TwoFolders) -> None:
    for name in SIZES:
        os.setxattr(ends.source / name, NAME, name.encode())
    assert ends.copy().is_right
    assert attributes(ends.target) == {name: name.encode() for name in SIZES}


@pytest.mark.parametrize("here", [True, False])
def test_of_contents_that_are_there_already(ends: TwoFolders, here: bool) -> None:
    """Of equal size and time, so they are compared; the source alone has attributes, or the target alone."""
    assert ends.copy().is_right
    for name in SIZES:
        os.setxattr((ends.source if here else ends.target) / name, NAME, b"value")
    ends.memory.close()
    ends.memory = Memory()
    assert ends.copy().is_right
    assert attributes(ends.target) == (dict.fromkeys(SIZES, b"value") if here else {})


@pytest.mark.parametrize("labelled", [True, False])
def test_in_a_folder_that_has_some_files_are_listed_with_theirs(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch, labelled: bool
) -> None:
    os.setxattr(ends.source / "small", NAME, b"value")
    if labelled:
        os.setxattr(ends.source, NAME, b"value")
    asked: list[bool] = []
    real = native.listing

    def listing(folder: int, names: list[bytes], bare: bool) -> "list[native.Listed]":
        asked.append(bare)
        return real(folder, names, bare)

    monkeypatch.setattr(native, "listing", listing)
    assert ends.copy().is_right
    assert asked[0] is not labelled
    assert attributes(ends.target) == {"small": b"value"}


def test_contents_come_without_attributes_that_cannot_be_read(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry_of(*_: object) -> Entry:
        raise failing(errno.EIO)

    monkeypatch.setattr(large, "entry_of", entry_of)
    outcome = ends.copy()
    assert outcome.is_right and isinstance(outcome.sent, Sent)
    assert {Path(file.path).name for file in outcome.sent.unreadable} == {"large", "runs"}
    assert {path.name: path.stat().st_size for path in ends.target.iterdir()} == SIZES


def test_attributes_alone_do_not_make_a_file_another_than_was_listed(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of it waits for the whole listing: attributes can be 64 KiB each."""
    for name in SIZES:
        os.setxattr(ends.source / name, NAME, b"value")
    found: list[News] = []
    real = Contents.news

    def news(contents: Contents, ledger: Ledger) -> News:
        found.append(real(contents, ledger))
        return found[-1]

    monkeypatch.setattr(Contents, "news", news)
    assert ends.copy().is_right
    assert found
    assert [entry for _, newer in found for entry in newer.values()] == []
