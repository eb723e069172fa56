"""What of a job may change after it was made, and in which of its states (service-facts, 1.2)."""

from collections.abc import Collection
from enum import Enum

import msgspec
from sqlalchemy import update

from smc.base.errors import UserError
from smc.center.bell import Bell
from smc.center.store import tags
from smc.center.store.database import Database
from smc.center.store.job_refusals import require_status, require_syncing
from smc.center.store.jobs import locked, refuse_taken_name
from smc.center.store.tables import jobs as table
from smc.center.store.tags import Tagged
from smc.center.store.values import Job, JobRequest, Tag
from smc.model.codec import encode
from smc.model.job import JobStatus
from smc.model.plan import Plan

ALIVE = (
    JobStatus.READY,
    JobStatus.RUNNING,
    JobStatus.STOPPED,
    JobStatus.IN_ERROR,
    JobStatus.WAITING,
)


class When(Enum):
    """The states in which something of a job may change."""

    ANY_TIME = "any time"
    ALIVE = "while it is Ready, Running, Stopped, InError or Waiting"
    SYNCING = "the same, and Running only while Syncing"
    WAITING = "before its first run, and in Waiting"
    BEFORE_RUN = "before its first run"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The job as it is to be; None: that was not touched."""

    name: str
    description: str
    valid_until: float
    request: JobRequest
    plan: Plan | None = None
    tags: tuple[Tag, ...] | None = None


class JobChanges:
    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    def apply(self, job: Job, change: Change, when: Collection[When]) -> bool:
        """All of it or nothing; who waits for orders is woken. False when `job` was changed meanwhile.

        Raises `UserError`: `InvalidJobId.NotFound`, `ReplicationJob.InvalidStatus`,
        `ReplicationJob.InvalidBusinessStatus`, `ReplicationJobName.Duplicate`.
        """
        with self._database.write() as connection:
            found = locked(connection, job.id)
            for time in when:
                _require(found, time)
            if _attributes(found) != _attributes(job):
                return False
            if change.name != found.name:
                refuse_taken_name(connection, change.name, job.id)
            connection.execute(update(table).where(table.c.id == job.id).values(**_columns(change)))
            if change.tags is not None:
                tags.forget(connection, Tagged.JOB, [job.id])
                tags.add(connection, Tagged.JOB, [job.id], change.tags)
        self._bell.ring()
        return True


def _require(job: Job, when: When) -> None:
    """Raises `UserError` (`ReplicationJob.InvalidStatus`, `ReplicationJob.InvalidBusinessStatus`)."""
    match when:
        case When.ANY_TIME:
            return
        case When.ALIVE:
            require_status(job, ALIVE)
        case When.SYNCING:
            require_status(job, ALIVE)
            require_syncing(job, "Changing ReplicationParameters")
        case When.WAITING:
            if job.run_number or job.status is not JobStatus.READY:
                require_status(job, (JobStatus.WAITING,))
        case When.BEFORE_RUN:
            require_status(job, (JobStatus.READY,))
            if job.run_number:
                raise UserError(
                    "The replication job has run: what it moves, where and how cannot change any more.",
                    code="ReplicationJob.InvalidStatus",
                    hint="Delete the job and create it again.",
                )


def _attributes(job: Job) -> tuple[object, ...]:
    """What an operator changes."""
    return job.name, job.description, job.valid_until, job.request


def _columns(change: Change) -> dict[str, object]:
    columns: dict[str, object] = {
        "name": change.name,
        "description": change.description,
        "valid_until": change.valid_until,
        "request": encode(change.request).decode(),
    }
    if change.plan is not None:
        columns["plan"] = encode(change.plan).decode()
    return columns
