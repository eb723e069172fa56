"""As center.py, with a job onto an instance of the memory cloud.

    python -m tests.chaos.taking_over FOLDER STORY [WHEN CALL NUMBER | copied BYTES]

The first start makes the instance and notes in FOLDER/before.json what it was. Prints `finished` at the end.
"""

import sys
import time
from pathlib import Path

import msgspec
from tests.chaos.center import SECONDS, die, kill_at, remember
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.onto_instance import Before, onto

from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus

NOTES = "before.json"


def main(folder: Path, story: str, moment: list[str]) -> None:
    cloud = MemoryCloud(folder / "cloud.json")
    copied_at = int(moment[1]) if moment[:1] == ["copied"] else 0
    known = (folder / NOTES).exists()
    if moment and not copied_at and known:
        kill_at(cloud, *moment)
    center = Center(folder, cloud, story=story, before_open=remember)
    if known:
        (job,) = [found.id for found in center.store.jobs.in_status(*JobStatus)]
    else:
        job, before = onto(center)
        (folder / NOTES).write_bytes(msgspec.json.encode(before))
    if moment and not copied_at and not known:
        kill_at(cloud, *moment)
    if not known:
        center.start(job)
    if copied_at:
        center.ends.hold_at = copied_at
        until(lambda: center.ends.copied >= copied_at, SECONDS)
        time.sleep(0.05)  # let the step see it
        die()
    until(lambda: center.job(job).status is not JobStatus.RUNNING, SECONDS)
    done = center.job(job)
    center.close()
    print(done.status.value.lower(), done.failure or "", flush=True)


def before(folder: Path) -> Before:
    return msgspec.json.decode((folder / NOTES).read_bytes(), type=Before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
