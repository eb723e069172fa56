"""The trees of benchmarks are the same each time, and change by as much as they say."""

import os
from pathlib import Path

import pytest
from benchmarks import changes, stuff, trees

SCALE = 0.01


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody copies here, so nobody has to tell two states apart by their times."""
    monkeypatch.setattr(changes, "SETTLE_SECONDS", 0.0)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_content_is_the_same_each_time_and_other_for_another_seed() -> None:
    assert stuff.noise("a", 1000) == stuff.noise("a", 1000) != stuff.noise("b", 1000)
    assert len(stuff.text()) == len(stuff.program()) == stuff.POOL


def test_noise_has_the_size_that_it_says(tmp_path: Path) -> None:
    size = trees.make("B", tmp_path / "tree", 0.001)
    assert len(list((tmp_path / "tree").iterdir())) == 40
    assert abs(size - 4 * 2**30 * 0.001) < 40 * 4096


def test_the_database_changes_in_one_page_of_a_hundred(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    trees.make("D", root, SCALE)
    before = (root / "ibdata").read_bytes()
    count = changes.change_one_file(root, 1)
    after = (root / "ibdata").read_bytes()
    assert len(after) == len(before)
    starts = range(0, len(before), changes.PAGE)
    changed = [at for at in starts if before[at : at + changes.PAGE] != after[at : at + changes.PAGE]]
    assert len(changed) == count == len(before) // changes.PAGE // 100


def test_files_change_by_content_and_keep_their_modes(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / str(number)).write_bytes(b"content" * 100)
        (tmp_path / str(number)).chmod(0o640)
    os.link(tmp_path / "0", tmp_path / "same")
    before = contents(tmp_path)
    count = changes.change_files(tmp_path, 1)
    after = contents(tmp_path)
    assert before.keys() == after.keys()
    assert 0 < sum(before[name] != after[name] for name in before) <= count < 30
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
