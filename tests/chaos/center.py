"""A center as a process of its own, which kills itself at a given call of the cloud.

    python -m tests.chaos.center FOLDER STORY [WHEN CALL NUMBER | copied BYTES]

Prints `finished <image>` at the end of the job, or dies by SIGKILL when its moment has come.
"""

import os
import signal
import sys
import time
from pathlib import Path

from tests.unit.jobs.center import Center, until
from tests.unit.jobs.ends import Ends

from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus

SECONDS = 60.0


def main(folder: Path, story: str, moment: list[str]) -> None:
    cloud = MemoryCloud(folder / "cloud.json")
    copied_at = int(moment[1]) if moment[:1] == ["copied"] else 0
    if moment and not copied_at:
        kill_at(cloud, *moment)
    center = Center(folder, cloud, story=story, before_open=remember)
    jobs = center.store.jobs.in_status(*JobStatus)
    if not jobs:
        job = center.new_job()
        center.start(job)
    else:
        job = jobs[0].id
    if copied_at:
        center.ends.hold_at = copied_at
        until(lambda: center.ends.copied >= copied_at, SECONDS)
        time.sleep(0.05)  # let the step see it
        die()
    until(lambda: center.job(job).status is not JobStatus.RUNNING, SECONDS)
    done = center.job(job)
    center.close()
    print(done.status.value.lower(), done.image_id or done.failure, flush=True)


def kill_at(cloud: MemoryCloud, when: str, call: str, number: str) -> None:
    left = [int(number)]

    def hook(now: str, name: str) -> None:
        if (now, name) == (when, call):
            left[0] -= 1
            if left[0] == 0:
                die()

    cloud.hook = hook


def remember(ends: Ends) -> None:
    """What is on the disks of the intermediate instance outlives the center."""
    for job in ends.store.jobs.in_status(*JobStatus):
        said = [run.progress for run in ends.store.runs.of_job(job.id) if run.progress]
        ends.copied = max((progress.done for progress in said), default=0)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
