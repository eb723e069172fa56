"""The command line manages keys and users."""

import io
import json
import stat
from pathlib import Path

import pytest
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc


def test_a_key_file_of_a_reader_is_written_and_used(
    smc: Smc, running: Center, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "reader.json"
    status, printed, _ = smc("key", "create", "watcher", "--role", "reader", "--into", str(file))
    assert status == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = json.loads(file.read_text())["access_key_id"]
    assert key in printed
    monkeypatch.setenv("SMC_LOGIN", str(file))
    assert "this one" in smc("key", "list")[1]
    status, _, said = smc("token", "create")
    assert status == 1
    assert "Forbidden.RAM" in said


def test_a_key_whose_file_cannot_be_written_is_not_left_behind(smc: Smc, tmp_path: Path) -> None:
    status, _, said = smc("key", "create", "lost", "--into", str(tmp_path / "no-folder" / "key.json"))
    assert status == 1
    assert "File.NotWritable" in said
    assert "lost" not in smc("key", "list")[1]


def test_a_key_is_shown_once_disabled_enabled_and_deleted(smc: Smc) -> None:
    made = json.loads(smc("key", "create", "robot", "--json")[1])
    key = made["UserAccessKeyId"]
    assert made["UserAccessKeySecret"] not in smc("key", "list", "--json")[1]
    assert smc("key", "disable", key)[1] == f"disabled {key}\n"
    assert "Inactive" in smc("key", "list")[1]
    assert smc("key", "enable", key)[1] == f"enabled {key}\n"
    assert smc("key", "delete", key)[1] == f"deleted {key}\n"
    assert smc("key", "delete", key)[0] == 1


def test_a_user_gets_a_password_from_standard_input(
    smc: Smc, running: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert smc("user", "create", "ann", "--role", "reader")[1] == "created ann\n"
    assert running.parts.store.users.authenticate("ann", "correct horse")
    monkeypatch.setattr("sys.stdin", io.StringIO("another horse\n"))
    assert smc("user", "password", "ann")[0] == 0
    assert running.parts.store.users.authenticate("ann", "another horse")
    assert "ann" in smc("user", "list")[1]
    assert smc("user", "delete", "ann")[0] == 0
