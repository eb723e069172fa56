"""Whatever names a source has, none of them is one under which a content is written before it is whole."""

import os
from pathlib import Path

import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.transfer.faults import Fault
from tests.unit.transfer.two_folders import TwoFolders, picture

from smc.transfer import native
from smc.transfer.memory import Memory

MIB = 1 << 20
SIZES = st.sampled_from([0, 1, 5000, MIB + 7])


def shaped(name: bytes) -> bytes:
    """As other programs, earlier ones of ours or a hostile user would make it."""
    return b".smc~" + xxhash.xxh3_64_hexdigest(name).encode()


NAMES = [b"x", b"y", shaped(b"x"), shaped(b"y"), shaped(shaped(b"x")), b".smc~", b".smc~" + b"0" * 32]


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "sync_filesystem", lambda handle: None)


def write(root: Path, name: bytes, size: int) -> None:
    (root / os.fsdecode(name)).write_bytes(os.urandom(size))


def two(place: Path, memory: Memory | None = None) -> TwoFolders:
    for name in ("source", "target"):
        (place / name).mkdir()
    return TwoFolders(place / "source", place / "target", memory or Memory())


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_file_that_is_named_as_a_temporary_one_is_copied(tmp_path: Path, size: int) -> None:
    ends = two(tmp_path)
    for name in NAMES:
        write(ends.source, name, size)
    assert ends.copy().is_right
    assert picture(ends.target) == picture(ends.source)


def test_a_folder_that_is_named_as_a_temporary_file_is_copied(tmp_path: Path) -> None:
    ends = two(tmp_path)
    for name in (b"x", b"y"):
        write(ends.source, name, 10)
        below = ends.source / os.fsdecode(shaped(name))
        below.mkdir()
        write(below, shaped(name), 10)
    assert ends.copy().is_right
    assert picture(ends.target) == picture(ends.source)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    before=st.dictionaries(st.sampled_from(NAMES), SIZES),
    after=st.dictionaries(st.sampled_from(NAMES), SIZES, min_size=1),
    cut=st.none() | st.builds(Fault, st.integers(0, 4), st.integers(0, 50_000), st.just(0), st.booleans()),
    forgetful=st.booleans(),
)
def test_names_of_that_shape_come_and_go_as_others_do(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[bytes, int],
    after: dict[bytes, int],
    cut: Fault | None,
    *,
    forgetful: bool,
) -> None:
    place = tmp_path_factory.mktemp("names")
    ends = two(place, Memory(place / "index"))
    for names in (before, after):
        for path in ends.source.iterdir():
            path.unlink()
        for name, size in names.items():
            write(ends.source, name, size)
        if cut is not None:
            ends.copy(cut)
        if forgetful:
            ends.memory.close()
            ends.memory = Memory(place / "index")
        assert ends.copy().is_right
        assert picture(ends.target) == picture(ends.source)
    ends.memory.close()


def test_a_receiver_that_is_started_again_knows_its_temporary_names_and_no_other_does(tmp_path: Path) -> None:
    name = Memory(tmp_path).temporary_name(b"x")
    assert Memory(tmp_path).temporary_name(b"x") == name
    assert Memory(tmp_path).temporary_name(b"y") != name
    assert Memory(tmp_path / "other").temporary_name(b"x") != name
    assert Memory().temporary_name(b"x") != Memory().temporary_name(b"x")
    (key,) = tmp_path.glob("*.key")
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_key_that_was_cut_is_made_anew(tmp_path: Path) -> None:
    name = Memory(tmp_path).temporary_name(b"x")
    (key,) = tmp_path.glob("*.key")
    key.write_bytes(key.read_bytes()[:5])
    assert Memory(tmp_path).temporary_name(b"x") != name
    assert len(key.read_bytes()) == 32


def test_a_disk_that_keeps_no_key_is_needed_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()
    memory = Memory(tmp_path / "no folder" / "index")
    assert memory.temporary_name(b"x") == memory.temporary_name(b"x")
