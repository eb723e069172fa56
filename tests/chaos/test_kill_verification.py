"""`kill -9` of the center at any moment of a verification leaves nothing behind and boots nothing twice."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smc.cloud.driver import TAG_PURPOSE
from smc.cloud.memory import MemoryCloud

pytestmark = pytest.mark.chaos

ROOT = Path(__file__).parents[2]
MOMENTS = (  # in the order of the story: each start gets one further
    "after create_vpc 1",
    "after create_vswitch 1",
    "after create_security_group 1",
    "after isolate_group 1",
    "after launch 1",
    "after instance 1",
    "before delete 1",
    "after delete 1",
    "after delete 2",
)


def center(folder: Path, moment: str = "") -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "tests.chaos.verifying", str(folder), *moment.split()]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_center_killed_at_any_call_ends_the_verification_once(tmp_path: Path) -> None:
    for moment in MOMENTS:
        ended = center(tmp_path, moment)
        assert ended.returncode == -signal.SIGKILL, f"{moment}: {ended.stdout}{ended.stderr[-2000:]}"
    ended = center(tmp_path)
    assert ended.stdout.split() == ["Verified", "2"], "the job's and one more"
    assert MemoryCloud(tmp_path / "cloud.json").find({TAG_PURPOSE: "verification"}) == []
