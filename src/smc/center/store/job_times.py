"""What time does to a job: its rounds pause, it waits for its source, it expires."""

from collections.abc import Sequence

from sqlalchemy import update

from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.events import EventKind
from smc.center.store.job_status import tell, turn
from smc.center.store.jobs import locked
from smc.center.store.tables import jobs as table
from smc.center.store.values import Job, Run
from smc.model.job import JobStatus

HOUR = 3600.0
EXPIRING = (JobStatus.READY, JobStatus.STOPPED, JobStatus.IN_ERROR, JobStatus.WAITING)  # service-facts, 2.2


def next_start(job: Job, runs: Sequence[Run]) -> float | None:
    """When it starts by itself, None when it does not; `runs` are all of its own, oldest first."""
    match job.status:
        case JobStatus.READY if not job.run_number:
            return job.request.scheduled_at
        case JobStatus.WAITING if runs:
            began = min(run.started for run in runs if run.round == runs[-1].round)
            return began + job.request.frequency_hours * HOUR
        case _:
            return None


class JobTimes:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def pause(self, job_id: str) -> bool:
        """A Waiting job is Stopped: no round begins. False in any other status. Raises `UserError`."""
        with self._database.write() as connection:
            locked(connection, job_id)
            waiting = table.c.status == JobStatus.WAITING.value
            return turn(connection, self._clock.now(), job_id, JobStatus.STOPPED, waiting, note="")

    def expire(self, job_id: str) -> bool:
        """Once its time is over; False when it is not, or while the job runs."""
        now = self._clock.now()
        with self._database.write() as connection:
            return turn(
                connection,
                now,
                job_id,
                JobStatus.EXPIRED,
                table.c.status.in_([status.value for status in EXPIRING]),
                table.c.valid_until <= now,
                business_status="",
                note="",
            )

    def released(self, job_id: str, *, told: bool) -> bool:
        """An expired job keeps nothing in the cloud now; `told` by an event. False when it is not one."""
        expired = (table.c.id == job_id) & (table.c.status == JobStatus.EXPIRED.value)
        with self._database.write() as connection:
            gone = update(table).where(expired).values(transition_instance_id="")
            if not connection.execute(gone).rowcount:
                return False
            if told:
                words = "keeps nothing in the cloud any more"
                tell(connection, self._clock.now(), job_id, EventKind.JOB_RELEASED, words)
        return True

    def tell(self, job_id: str, note: str) -> bool:
        """Why a job that should have begun by itself has not. False when that is known already."""
        with self._database.write() as connection:
            here = (table.c.id == job_id) & (table.c.note != note)
            return connection.execute(update(table).where(here).values(note=note)).rowcount > 0
