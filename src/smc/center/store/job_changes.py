"""What of a job may change after it was made, and in which of its states (service-facts, 1.2)."""

from collections.abc import Callable

import msgspec
from sqlalchemy import update

from smc.base.errors import UserError
from smc.center.bell import Bell
from smc.center.store.database import Database
from smc.center.store.jobs import locked, refuse_taken_name, require_status, require_syncing
from smc.center.store.tables import jobs as table
from smc.center.store.values import Job
from smc.model.codec import encode
from smc.model.job import JobStatus
from smc.model.plan import Plan
from smc.wire.orders import TransferSettings

ALIVE = (
    JobStatus.READY,
    JobStatus.RUNNING,
    JobStatus.STOPPED,
    JobStatus.IN_ERROR,
    JobStatus.WAITING,
)


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """`text` as it was sent, and what it means."""

    text: str
    settings: TransferSettings


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """None: as it was. `plan` makes the new plan out of the old one."""

    name: str | None = None
    description: str | None = None
    valid_until: float | None = None
    replication: Replication | None = None
    image_name: str | None = None
    plan: Callable[[Plan], Plan] | None = None


class JobChanges:
    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    def apply(self, job_id: str, change: Change) -> None:
        """All of it or nothing; who waits for orders is woken.

        Raises `UserError`: `InvalidJobId.NotFound`, `ReplicationJob.InvalidStatus`,
        `ReplicationJob.InvalidBusinessStatus`, `ReplicationJobName.Duplicate`, what `change.plan` raises.
        """
        with self._database.write() as connection:
            job = locked(connection, job_id)
            _require_allowed(job, change)
            if change.name:
                refuse_taken_name(connection, change.name, job_id)
            values = _values(job, change)
            if values:
                connection.execute(update(table).where(table.c.id == job_id).values(**values))
        self._bell.ring()


def _require_allowed(job: Job, change: Change) -> None:
    if change.valid_until is not None or change.replication is not None:
        require_status(job, ALIVE)
    if change.replication is not None:
        require_syncing(job, "Changing ReplicationParameters")
    if change.image_name is not None or change.plan is not None:
        require_status(job, (JobStatus.READY,))
        if job.run_number:
            raise UserError(
                "The replication job has run: its image name and what it leaves out cannot change any more.",
                code="ReplicationJob.InvalidStatus",
                hint="Delete the job and create it again.",
            )


def _values(job: Job, change: Change) -> dict[str, object]:
    """Columns with their new values."""
    given = {"name": change.name, "description": change.description, "valid_until": change.valid_until}
    values: dict[str, object] = {column: value for column, value in given.items() if value is not None}
    request = job.request
    if change.image_name is not None:
        request = msgspec.structs.replace(request, image_name=change.image_name)
    if change.replication is not None:
        request = msgspec.structs.replace(
            request, replication_parameters=change.replication.text, settings=change.replication.settings
        )
    if request != job.request:
        values["request"] = encode(request).decode()
    if change.plan is not None:
        values["plan"] = encode(change.plan(job.plan)).decode()
    return values
