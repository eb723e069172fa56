"""Made-up trees and histories of change, synced round by round: after each, rsync finds nothing to do."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernel.copying import Ends, differences, ext4, tool

from smc.transfer.memory import Memory

pytestmark = pytest.mark.kernel

SINGLE = ["a", "b", "c", "\udcff", ".smc~e6c632b61e964e1f"]  # the last is formed as a temporary name
NAMES = st.lists(st.sampled_from(SINGLE), min_size=1, max_size=3).map("/".join)
SIZES = st.sampled_from([0, 1, 100, 4096, 70_000, 300_000, 1 << 20, (1 << 20) + 1, 2_500_000])


class Change(NamedTuple):
    """What happens to `path`; `other` and `number` mean what `how` makes of them."""

    how: str
    path: str
    other: str
    number: int


CHANGES = st.builds(
    Change,
    how=st.sampled_from(
        [
            "write",
            "write",
            "append",
            "patch",
            "hole",
            "folder",
            "folder",
            "link",
            "link",
            "symlink",
            "fifo",
            "rename",
            "remove",
            "mode",
            "owner",
            "attribute",
            "time",
        ]
    ),
    path=NAMES,
    other=NAMES,
    number=SIZES,
)
ROUNDS = st.lists(st.lists(CHANGES, min_size=1, max_size=12), min_size=2, max_size=4)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("histories")
    with ext4(folder / "s.img") as source, ext4(folder / "t.img") as target:
        yield source, target


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(rounds=ROUNDS, forgetful=st.booleans())
def test_every_round_ends_equal(
    places: tuple[Path, Path], rounds: list[list[Change]], *, forgetful: bool
) -> None:
    source, target = places
    for place in places:
        empty(place)
    ends = Ends(source, target)
    for changes in rounds:
        for change in changes:
            with suppress(OSError):  # what cannot be done to this tree is not done
                apply(source, change)
        if forgetful:
            ends.memory.close()
            ends.memory = Memory()
        ends.copy()
        assert differences(source, target) == ""
        assert links(source) == links(target)


def apply(root: Path, change: Change) -> None:
    path, other = root / change.path, root / change.other
    if (
        change.how in {"write", "append", "patch", "hole"} and path.is_fifo()
    ):  # to open one waits for its other end
        path.unlink()
    match change.how:
        case "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(change.number))
        case "append":
            with path.open("ab") as file:
                file.write(os.urandom(change.number))
        case "patch":
            with path.open("r+b") as file:
                file.seek(change.number // 2)
                file.write(b"patched")
        case "hole":
            with path.open("ab") as file:
                file.truncate(path.stat().st_size + change.number)
        case "folder":
            path.mkdir(parents=True)
        case "link":
            os.link(other, path, follow_symlinks=False)
        case "symlink":
            path.symlink_to(change.other)
        case "fifo":
            os.mkfifo(path)
        case "rename":
            path.rename(other)
        case "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        case "mode":
            path.chmod(0o600 | change.number & 0o7777)
        case "owner":
            os.chown(path, change.number % 1000, 7, follow_symlinks=False)
        case "attribute":
            os.setxattr(path, f"trusted.{change.number}", b"value", follow_symlinks=False)
        case "time":
            os.utime(path, ns=(1, change.number), follow_symlinks=False)
        case unknown:
            raise AssertionError(unknown)


def empty(root: Path) -> None:
    for path in root.iterdir():
        shutil.rmtree(path) if stat.S_ISDIR(path.lstat().st_mode) else path.unlink()


def links(root: Path) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for line in tool("find", root, "!", "-type", "d", "-printf", "%i %P\\n").splitlines():
        inode, _, path = line.partition(" ")
        groups.setdefault(inode, []).append(path)
    return sorted(sorted(group) for group in groups.values())
