"""The one place where the status of a job is written, so that none changes without its event."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, insert, select, update

from smc.center.store.events import EventKind, EventLevel, NewEvent, note
from smc.center.store.tables import jobs as table
from smc.model.codec import encode
from smc.model.job import DrillStatus, JobStatus
from smc.model.progress import Failure

KINDS: Mapping[JobStatus, tuple[EventKind, EventLevel, str]] = {
    JobStatus.READY: (EventKind.JOB_READY, EventLevel.INFO, "is ready to be started"),
    JobStatus.RUNNING: (EventKind.JOB_STARTED, EventLevel.INFO, "was started"),
    JobStatus.STOPPED: (EventKind.JOB_STOPPED, EventLevel.INFO, "was stopped"),
    JobStatus.WAITING: (EventKind.JOB_WAITING, EventLevel.INFO, "waits for its next round"),
    JobStatus.FINISHED: (EventKind.JOB_FINISHED, EventLevel.INFO, "has finished"),
    JobStatus.IN_ERROR: (EventKind.JOB_IN_ERROR, EventLevel.ERROR, "is in error"),
    JobStatus.EXPIRED: (EventKind.JOB_EXPIRED, EventLevel.WARNING, "has expired"),
    JobStatus.DELETING: (EventKind.JOB_DELETING, EventLevel.INFO, "is being deleted"),
}
UNSET = ("business_status", "note", "failure", "image_id", "transition_instance_id")  # texts of a new job


def add(connection: Connection, now: float, job: str, **values: object) -> None:
    """A job that has not been started."""
    fresh: dict[str, object] = dict.fromkeys(UNSET, "")
    fresh |= {"run_number": 0, "progress": 0.0, "drill": DrillStatus.NOT_RUN.value}
    made = insert(table).values(id=job, status=JobStatus.READY.value, created=now, **fresh, **values)
    connection.execute(made)
    tell(connection, now, job, EventKind.JOB_CREATED, "was created")


def turn(
    connection: Connection,
    now: float,
    job: str,
    status: JobStatus,
    *conditions: ColumnElement[bool],
    failure: Failure | None = None,
    **values: object,
) -> bool:
    """The job is `status` now, for `failure` or none, with `values` in other columns; an event says so.

    False, and nothing changes, when one of the `conditions` does not hold.
    """
    here = update(table).where(table.c.id == job, *conditions)
    values |= {"status": status.value, "failure": encode(failure).decode() if failure else ""}
    if not connection.execute(here.values(**values)).rowcount:
        return False
    kind, level, words = KINDS[status]
    tell(connection, now, job, kind, words, level=level, failure=failure)
    return True


def tell(
    connection: Connection,
    now: float,
    job: str,
    kind: EventKind,
    words: str,
    *,
    level: EventLevel = EventLevel.INFO,
    failure: Failure | None = None,
) -> None:
    """An event of a job that exists: `words` go on after its name."""
    query = select(table.c.name, table.c.source_id, table.c.run_number, table.c.image_id)
    row = connection.execute(query.where(table.c.id == job)).one()
    named = f"{job} ({row.name})" if row.name else job
    because = f": {failure.message}" if failure else "."
    image = f" with the image {row.image_id}" if kind is EventKind.JOB_FINISHED and row.image_id else ""
    note(
        connection,
        now,
        NewEvent(
            kind=kind,
            level=level,
            job=job,
            source=row.source_id or "",
            run=row.run_number,
            code=failure.code if failure else "",
            message=f"The job {named} {words}{image}{because}",
            hint=failure.hint if failure else "",
        ),
    )
