"""Files are never half written, sizes read well, secrets do not print, errors keep their code."""

from pathlib import Path

import pytest

from smc.base import files, units
from smc.base.errors import Broken, CommandFailed, SmcError, Transient, UserError
from smc.base.secret import Secret


def test_an_atomic_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "key"
    target.write_bytes(b"old")
    files.write_atomic(target, b"new", mode=0o600)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_an_atomic_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "key"
    target.write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")],
)
def test_sizes_read_well(size: int, text: str) -> None:
    assert units.readable_size(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "0:05"), (65, "1:05"), (3725, "1:02:05")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert units.readable_seconds(seconds) == text


def test_a_part_of_a_gib_takes_a_whole_one() -> None:
    assert units.gib_rounded_up(units.GIB) == 1
    assert units.gib_rounded_up(units.GIB + 1) == 2


def test_a_secret_does_not_print() -> None:
    secret = Secret("swordfish")
    assert "swordfish" not in f"{secret} {secret!r}"
    assert secret.reveal() == "swordfish"


def test_the_class_of_an_error_decides_and_its_code_can_be_named() -> None:
    error = UserError("the disk is too small", code="Disk.TooSmall", hint="Choose at least 12 GiB.")
    assert (error.code, error.hint, str(error)) == (
        "Disk.TooSmall",
        "Choose at least 12 GiB.",
        "the disk is too small",
    )
    assert issubclass(CommandFailed, Broken)
    assert {kind.code for kind in (UserError, Transient, Broken, SmcError)} == {
        "InvalidRequest",
        "TryAgain",
        "InternalError",
        "smc",
    }
