"""A center as a process of its own that verifies an image, and kills itself at a given call of the cloud.

    python -m tests.chaos.verifying FOLDER [WHEN CALL NUMBER]

Prints `<state> <instances made>` at the end of the verification, or dies by SIGKILL when its moment has come.
"""

import sys
from pathlib import Path

from msgspec import structs
from tests.chaos.center import kill_at
from tests.unit.jobs.center import FAST, Center, until
from tests.unit.jobs.ends import Ends

from smc.center.store.verifications import VerificationState, Wish
from smc.center.verification.probe import Answer
from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus

SECONDS = 60.0
SETTINGS = structs.replace(FAST, center_cidr="203.0.113.9/32")


def main(folder: Path, moment: list[str]) -> None:
    cloud = MemoryCloud(folder / "cloud.json")

    def before_open(ends: Ends) -> None:
        if moment and ends.store.verifications.running():
            kill_at(cloud, *moment)

    center = Center(
        folder,
        cloud,
        settings=SETTINGS,
        do_probe=lambda _host, _port: (Answer.ANSWERS, "SSH"),
        before_open=before_open,
    )
    verifications = center.store.verifications
    _, found = verifications.page()
    if not found:
        job = center.new_job()
        center.start(job)
        done = center.ends_as(job, JobStatus.FINISHED)
        wish = Wish(ports=(22,), timeout=600.0)
        verifications.create(job=job, source=done.source_id, image=done.image_id, wish=wish)
        _, found = verifications.page()
        if moment:
            kill_at(cloud, *moment)
        center.runner.verify(found[0].id)
    until(lambda: verifications.page()[1][0].state is not VerificationState.RUNNING, SECONDS)
    print(verifications.page()[1][0].state.value, cloud.made[Kind.INSTANCE], flush=True)
    center.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
