"""The process that copies lets everything else on the source go first."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

LOOK = """
import os
from smc.agent.worker import give_way
give_way()
print(os.nice(0), open("/proc/self/oom_score_adj").read().strip())
"""


def test_the_copying_has_low_priority_and_is_the_first_to_end_when_memory_runs_out() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=20
    )
    niceness, score = map(int, done.stdout.split())
    assert (niceness >= 10, score) == (True, 500)
