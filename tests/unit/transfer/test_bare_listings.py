"""Attributes that a listing leaves out come with the contents, in whatever way these come."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.transfer.two_folders import TwoFolders

from smc.transfer import native
from smc.transfer.large import RUN
from smc.transfer.memory import Memory
from smc.transfer.small import SMALL
from smc.wire.messages import PIECE

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
