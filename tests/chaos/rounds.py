"""A center with an incremental job, as a process of its own that kills itself at a given moment.

    python -m tests.chaos.rounds FOLDER [before|after CALL NUMBER | begun NUMBER]

The job starts at its time, has three rounds by the timetable and a cutover with data. `begun`: a run is in
the store and its workflow is not. Each process begins an hour after the one before. Prints `finished` at its
end, and the rounds that made an image.
"""

import sys
from pathlib import Path

from tests.chaos.center import SECONDS, die, kill_at, remember
from tests.unit.jobs.center import Center, until

from smc.center.api.context import Context
from smc.center.api.start_job import begin
from smc.center.app import context_of, open_parts
from smc.center.clock import HandClock
from smc.center.jobs.runner import Runner
from smc.center.settings import Settings
from smc.center.store.sources import Sign, SourceFilter
from smc.center.timetable import look
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus, RunAim, RunType

ROUNDS = 3
HOUR = 3600.0


class Dying:
    """A `JobsPort` that dies when it is to begin a run for the NUMBER-th time."""

    def __init__(self, runner: Runner, number: int) -> None:
        self._runner, self._left = runner, number

    def start(self, job_id: str) -> None:
        self._left -= 1
        if self._left == 0:
            die()
        self._runner.start(job_id)

    def stop(self, job_id: str) -> None:
        self._runner.stop(job_id)

    def delete(self, job_id: str) -> None:
        self._runner.delete(job_id)

    def release(self, job_id: str) -> None:
        self._runner.release(job_id)

    def verify(self, verification_id: str) -> None:
        self._runner.verify(verification_id)


def main(folder: Path, moment: list[str]) -> None:
    cloud = MemoryCloud(folder / "cloud.json")
    begun = int(moment[1]) if moment[:1] == ["begun"] else 0
    if moment and not begun:
        kill_at(cloud, *moment)
    clock = HandClock(now=1_800_000_000.0 + HOUR * starts(folder))
    parts = open_parts(Settings(data_dir=folder), clock)
    center = Center(folder, cloud, clock=clock, store=parts.store, before_open=remember)
    context = context_of(parts, cloud, Dying(center.runner, begun))
    jobs = center.store.jobs.in_status(*JobStatus)
    job = jobs[0].id if jobs else an_incremental_job(center)
    while center.job(job).status not in (JobStatus.FINISHED, JobStatus.IN_ERROR):
        go_on(center, context, clock, job)
    done = center.job(job)
    rounds = [run.round for run in center.store.runs.of_job(job) if run.image_id]
    center.close()
    print(done.status.value.lower(), rounds, done.failure or "", flush=True)


def an_incremental_job(center: Center) -> str:
    now = center.store.clock.now()
    return center.new_job(run_once=False, frequency_hours=1, images_to_keep=1, scheduled_at=now)


def go_on(center: Center, context: Context, clock: HandClock, job: str) -> None:
    beat(center, clock)
    found = center.job(job)
    run = center.store.runs.current(job)
    match found.status:
        case JobStatus.RUNNING:
            until(lambda: center.job(job).status is not JobStatus.RUNNING, SECONDS)
        case JobStatus.WAITING if run and run.round == ROUNDS:
            begin(context, found, RunType.MANUAL, (JobStatus.WAITING,), RunAim.LAST)
        case _:
            clock.jump(HOUR)
            beat(center, clock)
            look(context)


def beat(center: Center, clock: HandClock) -> None:
    """The source is there whenever the center is."""
    _, sources = center.store.sources.page(SourceFilter(), offset=0, limit=1)
    sign = Sign(time=clock.now(), address="198.51.100.7")
    center.store.sources.beat({source.id: sign for source in sources})


def starts(folder: Path) -> int:
    """How often this program was started before."""
    file = folder / "starts"
    with file.open("a") as noted:
        noted.write("x")
    return len(file.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
