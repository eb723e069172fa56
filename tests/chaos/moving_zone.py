"""As center.py, with a job that moves an instance of the memory cloud into another zone.

    python -m tests.chaos.moving_zone FOLDER STORY [WHEN CALL NUMBER]

The first start makes the instance and notes in FOLDER/before.json what it was. Prints `finished` at the end.
"""

import sys
from pathlib import Path

import msgspec
from tests.chaos.center import SECONDS, kill_at
from tests.chaos.taking_over import NOTES
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.crossing import crossing

from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus


def main(folder: Path, story: str, moment: list[str]) -> None:
    cloud = MemoryCloud(folder / "cloud.json")
    known = (folder / NOTES).exists()
    if moment and known:
        kill_at(cloud, *moment)
    center = Center(folder, cloud, story=story)
    if known:
        (job,) = [found.id for found in center.store.jobs.in_status(*JobStatus)]
    else:
        job, before = crossing(center)
        (folder / NOTES).write_bytes(msgspec.json.encode(before))
        if moment:
            kill_at(cloud, *moment)
        center.start(job)
    until(lambda: center.job(job).status is not JobStatus.RUNNING, SECONDS)
    done = center.job(job)
    center.close()
    print(done.status.value.lower(), done.failure or "", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
