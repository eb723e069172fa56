"""A center for the command line, and the command line as a function of its words."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.center.running import Center, center

from smc.cli.main import main
from smc.cli.output import err, out
from smc.client.api import Login

WIDE = 200  # columns: no table is folded, whatever the terminal says
Smc = Callable[..., tuple[int, str, str]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path, agents=False) as started:
        yield started


@pytest.fixture
def smc(
    running: Center, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Smc:
    """Run `smc WORDS`: exit status, standard output, standard error."""
    login = tmp_path / "login.json"
    login.write_bytes(
        msgspec.json.encode(
            Login(
                endpoint=f"http://127.0.0.1:{running.api_port}",
                access_key_id=running.admin.access_key_id,
                access_key_secret=running.admin.access_key_secret,
            )
        )
    )
    monkeypatch.setenv("SMC_LOGIN", str(login))
    for console in (out, err):
        monkeypatch.setattr(console, "width", WIDE)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["smc", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
            sys.exit(0)
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call
