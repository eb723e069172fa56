"""Events: what happened to jobs, sources and images, and who did what, each written with what it tells."""

from collections.abc import Sequence
from enum import Enum

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select

from smc.center.clock import Clock
from smc.center.store import outbox
from smc.center.store.database import Database
from smc.center.store.event_tables import events as table
from smc.center.store.tables import jobs, workgroup_sources


class EventKind(Enum):
    JOB_CREATED = "Job.Created"
    JOB_STARTED = "Job.Started"
    JOB_STOPPED = "Job.Stopped"
    JOB_WAITING = "Job.Waiting"
    JOB_FINISHED = "Job.Finished"
    JOB_IN_ERROR = "Job.InError"
    JOB_EXPIRED = "Job.Expired"
    JOB_RELEASED = "Job.Released"  # an expired one, of all that it kept in the cloud
    JOB_READY = "Job.Ready"  # again, after a test or a rollback
    JOB_DELETING = "Job.Deleting"
    JOB_DELETED = "Job.Deleted"
    DRILL_ENDED = "Drill.Ended"
    IMAGE_MADE = "Image.Made"
    IMAGE_DROPPED = "Image.Dropped"
    INSTANCE_MOVED = "Instance.Moved"
    SOURCE_IMPORTED = "Source.Imported"
    SOURCE_OFFLINE = "Source.Offline"
    SOURCE_BACK = "Source.Back"
    SOURCE_DELETED = "Source.Deleted"
    VERIFICATION_ENDED = "Verification.Ended"
    NOTIFICATION_FAILED = "Notification.Failed"
    AUDIT = "Audit"


class EventLevel(Enum):
    """In the order of weight: a filter takes a level and all above it."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def and_above(self) -> tuple[str, ...]:
        values = [level.value for level in EventLevel]
        return tuple(values[values.index(self.value) :])


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`actor` is the access key that caused it, "" for the center itself; `run` 0: of no run."""

    kind: EventKind
    message: str
    level: EventLevel = EventLevel.INFO
    job: str = ""
    source: str = ""
    workgroup: str = ""
    run: int = 0
    actor: str = ""
    code: str = ""
    hint: str = ""


class Event(NewEvent, frozen=True, kw_only=True):
    id: int
    time: float


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All that is given must hold; `level` and those above it."""

    jobs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    workgroups: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    level: EventLevel = EventLevel.INFO
    since: float | None = None
    until: float | None = None
    after: int | None = None  # events with a larger id, oldest first


def note(connection: Connection, now: float, new: NewEvent) -> int:
    """The event, within the caller's transaction, and a notification for each subscription that wants it.

    Where it names no source or workgroup, those that the job or the source has now are put in.
    """
    source = new.source or _source_of(connection, new.job)
    values = msgspec.structs.asdict(new) | {
        "kind": new.kind.value,
        "level": new.level.value,
        "time": now,
        "source": source,
        "workgroup": new.workgroup or _workgroup_of(connection, source),
    }
    made: int = connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    if new.kind is not EventKind.NOTIFICATION_FAILED:  # one that fails must not cause the next
        outbox.add(connection, now, made, kind=new.kind.value, level=new.level.value)
    return made


def _source_of(connection: Connection, job: str) -> str:
    query = select(jobs.c.source_id).where(jobs.c.id == job)
    return (connection.execute(query).scalar() or "") if job else ""


def _workgroup_of(connection: Connection, source: str) -> str:
    query = select(workgroup_sources.c.workgroup).where(workgroup_sources.c.source == source)
    return (connection.execute(query).scalar() or "") if source else ""


class Events:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, new: NewEvent) -> int:
        """For what changes nothing else in the store; all others are noted with the change itself."""
        with self._database.write() as connection:
            return note(connection, self._clock.now(), new)

    def page(self, wanted: EventFilter, *, offset: int, limit: int) -> tuple[int, Sequence[Event]]:
        """How many there are, and one page of them: newest first, or oldest first after an event."""
        conditions = _conditions(wanted)
        order = table.c.id.desc() if wanted.after is None else table.c.id
        query = select(table).where(*conditions).order_by(order).offset(offset).limit(limit)
        with self._database.read() as connection:
            total = connection.execute(
                select(func.count()).select_from(table).where(*conditions)
            ).scalar_one()
            return total, [_value(row) for row in connection.execute(query)]

    def find(self, event: int) -> Event | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == event)).one_or_none()
        return _value(row) if row else None

    def forget(self, before: float) -> int:
        """How many were older than `before` and are gone now."""
        with self._database.write() as connection:
            return connection.execute(delete(table).where(table.c.time < before)).rowcount


def _value(row: Row[tuple[object, ...]]) -> Event:
    columns = dict(row._mapping)
    columns |= {"kind": EventKind(row.kind), "level": EventLevel(row.level)}
    return Event(**columns)


def _conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, values in (
        (table.c.job, wanted.jobs),
        (table.c.source, wanted.sources),
        (table.c.workgroup, wanted.workgroups),
        (table.c.kind, tuple(kind.value for kind in wanted.kinds)),
    ):
        if values:
            conditions.append(column.in_(values))
    if wanted.level is not EventLevel.INFO:
        conditions.append(table.c.level.in_(wanted.level.and_above))
    if wanted.since is not None:
        conditions.append(table.c.time >= wanted.since)
    if wanted.until is not None:
        conditions.append(table.c.time < wanted.until)
    if wanted.after is not None:
        conditions.append(table.c.id > wanted.after)
    return conditions
