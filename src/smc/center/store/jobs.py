"""Replication jobs: what was asked for, and where each stands."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, update

from smc.base.errors import UserError
from smc.center.bell import Bell
from smc.center.clock import Clock
from smc.center.quotas import Quota, Quotas, exceeded
from smc.center.store import presence, runs, tags
from smc.center.store.database import Database
from smc.center.store.events import EventKind, EventLevel
from smc.center.store.idempotence import made_before
from smc.center.store.ids import new_id
from smc.center.store.job_filter import JobFilter, conditions_of
from smc.center.store.job_refusals import begun_meanwhile, no_such_job, require_status, require_syncing
from smc.center.store.job_status import add, tell, turn
from smc.center.store.tables import jobs as table
from smc.center.store.tables import sources
from smc.center.store.tags import Tagged
from smc.center.store.values import Job, JobRequest, Run, Tag
from smc.center.trust.run_ca import Authority
from smc.model.codec import decode, encode
from smc.model.job import UNFINISHED, BusinessStatus, DrillStatus, JobStatus, RunAim, RunType
from smc.model.plan import Plan
from smc.model.progress import Failure

STARTABLE = (JobStatus.READY, JobStatus.STOPPED, JobStatus.IN_ERROR, JobStatus.WAITING)


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """`client_token` makes a repeated request the same job; `token_hash` is of the request's parameters.

    It has a `source_id`, or the `moved_instance` of a cross-zone job.
    """

    name: str
    description: str
    region_id: str
    source_id: str = ""
    moved_instance: str = ""
    request: JobRequest
    plan: Plan
    valid_until: float
    client_token: str = ""
    token_hash: str = ""
    resource_group: str = ""
    tags: tuple[Tag, ...] = ()


DRILL_LEVELS = {
    DrillStatus.PASSED: EventLevel.INFO,
    DrillStatus.WARNING: EventLevel.WARNING,
    DrillStatus.CRITICAL: EventLevel.ERROR,
    DrillStatus.FAILED: EventLevel.ERROR,
}


class Jobs:
    def __init__(self, database: Database, region: str, bell: Bell, clock: Clock, quotas: Quotas) -> None:
        self._database = database
        self._quotas = quotas
        self._clock = clock
        self._region = region
        self._bell = bell

    def create(self, new: NewJob) -> str:
        """The id of the job, of the one made before when the client token is known.

        Raises `UserError`: `IdempotentParameterMismatch`, `ReplicationJobName.Duplicate`,
        `SourceServerState.Invalid` (it has an unfinished job), `CrossZone.InstanceInUse` (the same),
        `QuotaExceeded.ReplicationJob`.
        """
        with self._database.write() as connection:
            made = made_before(connection, table, new.client_token, new.token_hash)
            if made:
                return made
            _refuse_conflicts(connection, new)
            if _count(connection) >= self._quotas.jobs:
                raise exceeded(Quota.JOBS, self._quotas.jobs)
            job_id = new_id("j", self._region)
            add(
                connection,
                self._clock.now(),
                job_id,
                name=new.name,
                description=new.description,
                region_id=new.region_id,
                source_id=new.source_id or None,
                moved_instance=new.moved_instance or None,
                request=encode(new.request).decode(),
                plan=encode(new.plan).decode(),
                valid_until=new.valid_until,
                client_token=new.client_token or None,
                client_token_hash=new.token_hash or None,
                resource_group=new.resource_group,
            )
            tags.add(connection, Tagged.JOB, [job_id], new.tags)
        return job_id

    def made_before(self, client_token: str, token_hash: str) -> str:
        """The id of the job that was made with this client token, "" when there is none.

        Raises `UserError` (`IdempotentParameterMismatch`) when it was made with other parameters.
        """
        with self._database.read() as connection:
            return made_before(connection, table, client_token, token_hash)

    def find(self, job_id: str) -> Job | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == job_id)).one_or_none()
        return _value(row) if row else None

    def page(self, wanted: JobFilter, *, offset: int, limit: int) -> tuple[int, Sequence[Job]]:
        """How many there are, and one page of them, newest first."""
        conditions = conditions_of(wanted)
        query = select(table).where(*conditions).order_by(table.c.created.desc(), table.c.id)
        with self._database.read() as connection:
            total = connection.execute(
                select(func.count()).select_from(table).where(*conditions)
            ).scalar_one()
            return total, [_value(row) for row in connection.execute(query.offset(offset).limit(limit))]

    def in_status(self, *statuses: JobStatus) -> Sequence[Job]:
        """All of them: what a starting center has to look after."""
        query = select(table).where(table.c.status.in_([status.value for status in statuses]))
        with self._database.read() as connection:
            return [_value(row) for row in connection.execute(query.order_by(table.c.created))]

    def begin_run(
        self,
        job_id: str,
        kind: RunType,
        authority: Authority,
        *,
        allowed: Sequence[JobStatus] = STARTABLE,
        aim: RunAim | None = None,
        after: int | None = None,
    ) -> Run:
        """One more run, and the job is Running; `aim` None: what comes next.

        Raises `UserError`: `QuotaExceeded.ConcurrentReplicationJob`; `ReplicationJob.InvalidStatus` in
        another status than the `allowed`, or when another run than `after` is the latest.
        """
        with self._database.write() as connection:
            job = locked(connection, job_id)
            require_status(job, allowed)
            if after not in (None, job.run_number):
                raise begun_meanwhile(job)
            course = runs.next_course(connection, job, aim)
            if _count(connection, JobStatus.RUNNING) >= self._quotas.concurrent_jobs:
                raise exceeded(Quota.CONCURRENT_JOBS, self._quotas.concurrent_jobs)
            number = job.run_number + 1
            now = self._clock.now()
            turn(
                connection,
                now,
                job_id,
                JobStatus.RUNNING,
                business_status=BusinessStatus.PREPARING.value,
                run_number=number,
                progress=0.0,
                note="",
                started=job.started or now,
                ended=None,
            )
            return runs.add(connection, job_id, number, kind, course, now, authority)

    def continue_run(self, run: Run, authority: Authority, course: runs.Course | None = None) -> Run | None:
        """One more run in place of this one, in one transaction: the job stays Running.

        With the same `course`, as after an interruption, or another one. A wish to stop goes over to it.
        None when a newer run has begun or the job is not Running.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            if not _update_current(connection, run, {"run_number": run.number + 1}):
                return None
            runs.end(connection, run.job, run.number, now)
            stop = runs.is_stop_wanted(connection, run.job, run.number)
            course = course or runs.Course(run.aim, run.round)
            return runs.add(
                connection, run.job, run.number + 1, run.type, course, now, authority, stop_wanted=stop
            )

    def want_stop(self, job_id: str) -> None:
        """Wish the current run to stop; its workflow answers with `end`. Raises `UserError` as Stop does."""
        with self._database.write() as connection:
            job = locked(connection, job_id)
            require_status(job, (JobStatus.RUNNING,))
            require_syncing(job, "Stop")
            runs.want_stop(connection, job_id, job.run_number)

    def end_syncing(self, run: Run) -> bool:
        """The run goes on to Processing, where Stop is refused. False when Stop was wished before that.

        Both lock the job's row, so a wish that was accepted is always seen.
        """
        with self._database.write() as connection:
            locked(connection, run.job)
            if runs.is_stop_wanted(connection, run.job, run.number):
                return False
            return _update_current(connection, run, {"business_status": BusinessStatus.PROCESSING.value})

    def begin_deleting(self, job_id: str) -> None:
        """Raises `UserError` (`ReplicationJob.InvalidStatus`) while it is Running."""
        allowed = tuple(status for status in JobStatus if status is not JobStatus.RUNNING)
        with self._database.write() as connection:
            job = locked(connection, job_id)
            require_status(job, allowed)
            if job.status is not JobStatus.DELETING:
                turn(connection, self._clock.now(), job_id, JobStatus.DELETING, business_status="", note="")

    def remove(self, job_id: str) -> None:
        """Forget the job with its runs and log, and its source when that is Deleting and has no other job.

        What was made for the job stays known in `Resources`.
        """
        with self._database.write() as connection:
            here = table.c.id == job_id
            row = connection.execute(select(table.c.source_id).where(here)).one_or_none()
            if row is None:
                return
            now = self._clock.now()
            tell(connection, now, job_id, EventKind.JOB_DELETED, "was deleted")
            connection.execute(delete(table).where(here))
            tags.forget(connection, Tagged.JOB, [job_id])
            if row.source_id:
                other = select(table.c.id).where(table.c.source_id == row.source_id).exists()
                presence.leave(connection, now, row.source_id, sources.c.deleting, ~other)

    # What a run tells about itself; each is False, and changes nothing, when a newer run has begun.

    def reach(
        self, run: Run, stage: BusinessStatus, *, note: str = "", progress: float | None = None
    ) -> bool:
        """The run is now in `stage`; `progress` is in percent of the whole job."""
        values: dict[str, object] = {"business_status": stage.value, "note": note}
        if progress is not None:
            values["progress"] = progress
        return self._write_current(run, values)

    def set_plan(self, run: Run, plan: Plan) -> bool:
        """The plan with what the run found out: the serial numbers of the target disks."""
        return self._write_current(run, {"plan": encode(plan).decode()})

    def set_drill(self, run: Run, status: DrillStatus) -> bool:
        """How the job's migration test stands; its end is an event."""
        with self._database.write() as connection:
            if not _update_current(connection, run, {"drill": status.value}):
                return False
            if status in DRILL_LEVELS:
                words = f"was tested: {status.value}"
                level = DRILL_LEVELS[status]
                tell(connection, self._clock.now(), run.job, EventKind.DRILL_ENDED, words, level=level)
        return True

    def room(self) -> int:
        """How many more jobs may run at once."""
        with self._database.read() as connection:
            return max(self._quotas.concurrent_jobs - _count(connection, JobStatus.RUNNING), 0)

    def hold_instance(self, run: Run, instance: str) -> bool:
        """`instance` is its intermediate instance; "" when that is released."""
        return self._write_current(run, {"transition_instance_id": instance})

    def deliver(self, run: Run, image: str) -> bool:
        """`image` is what the run made."""
        with self._database.write() as connection:
            if not _update_current(connection, run, {"image_id": image}):
                return False
            if runs.set_image(connection, run.job, run.number, image):
                now = self._clock.now()
                tell(connection, now, run.job, EventKind.IMAGE_MADE, f"made the image {image}")
        return True

    def end(self, run: Run, status: JobStatus, *, failure: Failure | None = None, note: str = "") -> bool:
        """The run is over: the job is `status` now; `failure` says why it is InError."""
        now = self._clock.now()
        values: dict[str, object] = {
            "business_status": "",
            "note": note,
        }
        if status is JobStatus.FINISHED:
            values |= {"progress": 100.0, "ended": now}
        with self._database.write() as connection:
            if not turn(connection, now, run.job, status, *_current(run), failure=failure, **values):
                return False
            runs.end(connection, run.job, run.number, now, status)
        self._bell.ring()
        return True

    def _write_current(self, run: Run, values: dict[str, object]) -> bool:
        with self._database.write() as connection:
            return _update_current(connection, run, values)


def _refuse_conflicts(connection: Connection, new: NewJob) -> None:
    mine = table.c.source_id == new.source_id
    what, code = f"The migration source {new.source_id}", "SourceServerState.Invalid"
    if new.moved_instance:
        mine = table.c.moved_instance == new.moved_instance
        what, code = f"The instance {new.moved_instance}", "CrossZone.InstanceInUse"
    unfinished = table.c.status.in_([status.value for status in UNFINISHED])
    busy = connection.execute(select(table.c.id).where(mine, unfinished).limit(1)).scalar()
    if busy:
        raise UserError(
            f"{what} already has the unfinished job {busy}.",
            code=code,
            hint=f"Finish or delete {busy} first.",
        )
    refuse_taken_name(connection, new.name)


def _count(connection: Connection, *statuses: JobStatus) -> int:
    """Jobs in these, without any: all jobs."""
    query = select(func.count()).select_from(table)
    if statuses:
        query = query.where(table.c.status.in_([status.value for status in statuses]))
    return connection.execute(query).scalar_one()


def refuse_taken_name(connection: Connection, name: str, job_id: str = "") -> None:
    """Raises `UserError` (`ReplicationJobName.Duplicate`) when another job than `job_id` has this name."""
    taken = select(table.c.id).where(table.c.name == name, table.c.id != job_id)
    if name and connection.execute(taken).first():
        raise UserError(
            f"A replication job is already named {name}.",
            code="ReplicationJobName.Duplicate",
            hint="Choose another name.",
        )


def locked(connection: Connection, job_id: str) -> Job:
    """The job, which nobody else changes before the end of the transaction. Raises `UserError`."""
    row = connection.execute(select(table).where(table.c.id == job_id).with_for_update()).one_or_none()
    if row is None:
        raise no_such_job(job_id)
    return _value(row)


def is_current(connection: Connection, run: Run) -> bool:
    """Whether it is the newest run of its job, and at work."""
    here = select(table.c.id).where(table.c.id == run.job, *_current(run))
    return connection.execute(here).first() is not None


def _update_current(connection: Connection, run: Run, values: dict[str, object]) -> bool:
    current = update(table).where(table.c.id == run.job, *_current(run))
    return connection.execute(current.values(**values)).rowcount > 0


def _current(run: Run) -> tuple[ColumnElement[bool], ...]:
    return table.c.run_number == run.number, table.c.status == JobStatus.RUNNING.value


def _value(row: Row[tuple[object, ...]]) -> Job:
    columns = dict(row._mapping)
    for name in ("client_token", "client_token_hash"):
        columns.pop(name)
    stage = columns["business_status"]
    columns |= {
        "source_id": columns["source_id"] or "",
        "moved_instance": columns["moved_instance"] or "",
        "request": decode(columns["request"], JobRequest),
        "plan": decode(columns["plan"], Plan),
        "status": JobStatus(columns["status"]),
        "drill": DrillStatus(columns["drill"]),
        "business_status": BusinessStatus(stage) if stage else None,
        "failure": decode(columns["failure"], Failure) if columns["failure"] else None,
    }
    return Job(**columns)
