"""Other programs end with their time, in a known environment, and their failure says why."""

import time
from pathlib import Path

import pytest

from smc.base.errors import CommandFailed
from smc.base.run import run

pytestmark = pytest.mark.kernel


def test_output_and_input_pass_through() -> None:
    assert run("cat", timeout=10, stdin="naïve\n").stdout == "naïve\n"


def test_the_environment_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere")
    assert "LD_LIBRARY_PATH" not in run("env", timeout=10).stdout


def test_a_failure_carries_the_programs_words() -> None:
    with pytest.raises(CommandFailed, match="sh: exit status 3") as caught:
        run("sh", "-c", "echo no such luck >&2; exit 3", timeout=10)
    assert caught.value.hint == "no such luck"


def test_a_status_may_be_expected() -> None:
    assert run("sh", "-c", "exit 3", timeout=10, ok=(0, 3)).status == 3


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandFailed, match="no-such-program: No such file"):
        run("no-such-program", timeout=10)


def test_a_timeout_ends_the_children_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(CommandFailed, match=r"no end after 0\.5 s"):
        run("sh", "-c", f"sleep 60 & echo $! > {note}; wait", timeout=0.5)
    assert time.monotonic() - started < 10
    child = int(note.read_text())
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
