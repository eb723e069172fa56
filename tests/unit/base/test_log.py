"""A log never fills a disk, and its echo can be left out."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from smc.base import log as logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_log_keeps_one_older_part_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.base.log.FILE_BYTES", 1000)
    logs.set_up(file=tmp_path / "agent.log", echo=False)
    for number in range(200):
        logging.getLogger("smc.test").info("line %d", number)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"agent.log", "agent.log.1"}
    assert max(sizes.values()) <= 1000
    assert "line 199" in (tmp_path / "agent.log").read_text()


@pytest.mark.parametrize("echo", [True, False])
def test_only_an_echo_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str], echo: bool) -> None:
    logs.set_up(file=tmp_path / "a.log", echo=echo)
    logging.getLogger("smc.test").warning("a line")
    assert ("a line" in capsys.readouterr().err) is echo
    assert "a line" in (tmp_path / "a.log").read_text()
