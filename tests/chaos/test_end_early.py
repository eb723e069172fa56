"""A center that is told to end before it serves: its local cloud ends with it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smc.base.process import start_time
from smc.cli.embedded import CloudLogin, read_cloud_login

SECONDS = 60.0
ARGUMENTS = ("--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0")


@pytest.mark.chaos
def test_a_center_that_is_ended_while_it_starts_leaves_no_cloud_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "smc.cli.main", "serve", "--data-dir", str(tmp_path), *ARGUMENTS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as center:
        try:
            cloud = _when_started(tmp_path / "cloud" / "login.json")
            center.send_signal(signal.SIGTERM)
            assert center.wait(SECONDS) != 0, "it never served"
        finally:
            center.kill()
    assert start_time(cloud.pid) != cloud.start_time, "the cloud goes on"


def _when_started(file: Path) -> CloudLogin:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        login = read_cloud_login(file)
        if login is not None and login.pid:
            return login
        time.sleep(0.01)
    raise AssertionError("no cloud was started")
