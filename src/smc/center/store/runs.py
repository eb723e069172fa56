"""Runs of a job: what receiver and agent should do, and what they said."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Column, Connection, Row, Select, insert, select, update

from smc.base.secret import Secret
from smc.center.bell import Bell
from smc.center.store.database import Database
from smc.center.store.tables import jobs
from smc.center.store.tables import runs as table
from smc.center.store.values import AgentState, Job, Run
from smc.center.trust.run_ca import Authority
from smc.model.codec import decode, encode
from smc.model.job import JobStatus, RunAim, RunType
from smc.model.progress import Progress
from smc.model.report import Report
from smc.wire.orders import TaskKind

_QUERY: Select[tuple[object, ...]] = select(  # all but the report, which may have megabytes
    *[column for column in table.c if column.name != "report"], (table.c.report != "").label("reported")
)


REHEARSED = ("TestOnly", "TestAndMigrate")  # ExecutionMethod: jobs that begin with a drill


class Runs:
    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    def find(self, job: str, number: int) -> Run | None:
        with self._database.read() as connection:
            query = _QUERY.where(table.c.job == job, table.c.number == number)
            row = connection.execute(query).one_or_none()
        return _value(row) if row else None

    def current(self, job: str) -> Run | None:
        """The latest run of a job, None before the first."""
        query = _QUERY.where(table.c.job == job).order_by(table.c.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _value(row) if row else None

    def of_job(self, job: str) -> Sequence[Run]:
        with self._database.read() as connection:
            rows = connection.execute(_QUERY.where(table.c.job == job).order_by(table.c.number))
            return [_value(row) for row in rows]

    def next_course(self, job: Job) -> "Course":
        """Of a run that would begin now."""
        with self._database.read() as connection:
            return next_course(connection, job)

    def delivered(self, job: str, round_number: int = 0) -> Sequence[str]:
        """Ids of the images of a job, or of one of its rounds, oldest first; some may be gone since."""
        return [run.image_id for run in self.of_job(job) if run.image_id and round_number in (0, run.round)]

    def ordered_for(self, source_id: str) -> Run | None:
        """The run that the agent of this source should work on now."""
        query = _QUERY.join(jobs, (jobs.c.id == table.c.job) & (jobs.c.run_number == table.c.number)).where(
            jobs.c.source_id == source_id,
            jobs.c.status == JobStatus.RUNNING.value,
            table.c.agent_ordered,
            table.c.ended.is_(None),
        )
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return _value(row) if row else None

    def ports_in_use(self) -> Sequence[int]:
        """Ports of receivers of jobs that are not at their end."""
        ended = (JobStatus.FINISHED.value, JobStatus.DELETING.value)
        query = select(table.c.port).join(jobs).where(table.c.port > 0, jobs.c.status.not_in(ended))
        with self._database.read() as connection:
            return sorted(set(connection.execute(query).scalars()))

    def set_endpoint(self, run: Run, host: str, port: int) -> None:
        """Where the agent reaches the receiver."""
        self._write(run.job, run.number, host=host, port=port)
        self._bell.ring()

    def order_receiver(self, run: Run, task: TaskKind) -> None:
        """What the receiver should do from its next report on."""
        self._write(run.job, run.number, receiver_task=task.value)

    def order_agent(self, run: Run, *, on: bool) -> None:
        """Whether the agent should replicate now."""
        self._write(run.job, run.number, agent_ordered=on)
        self._bell.ring()

    def keep_agent_certificate(self, run: Run, certificate: str) -> str:
        """The certificate of the run's agent: the first that was issued stays."""
        return self._keep_first(run, table.c.agent_certificate, certificate)

    def keep_receiver_certificate(self, run: Run, certificate: str) -> str:
        """As above: a receiver that is shown another one would begin anew."""
        return self._keep_first(run, table.c.receiver_certificate, certificate)

    def record_progress(self, latest: Mapping[tuple[str, int], Progress]) -> None:
        """By job and number, in one transaction; the caller sees to it that counters only grow."""
        if not latest:
            return
        with self._database.write() as connection:
            for (job, number), progress in latest.items():
                _update(connection, job, number, progress=encode(progress).decode())

    def record_report(self, job: str, number: int, report: Report) -> None:
        self._write(job, number, report=encode(report).decode())

    def record_agent(self, job: str, number: int, change: Callable[[AgentState], AgentState]) -> None:
        """Replace what the agent said about the run; nothing happens when there is no such run."""
        with self._database.write() as connection:
            here = (table.c.job == job) & (table.c.number == number)
            text = connection.execute(select(table.c.agent_state).where(here).with_for_update()).scalar()
            if text is not None:
                state = change(decode(text, AgentState))
                _update(connection, job, number, agent_state=encode(state).decode())

    def report(self, job: str, number: int) -> Report | None:
        query = select(table.c.report).where(table.c.job == job, table.c.number == number)
        with self._database.read() as connection:
            text = connection.execute(query).scalar()
        return decode(text, Report) if text else None

    def _keep_first(self, run: Run, column: Column[str], text: str) -> str:
        here = (table.c.job == run.job) & (table.c.number == run.number)
        with self._database.write() as connection:
            connection.execute(update(table).where(here, column == "").values({column: text}))
            return connection.execute(select(column).where(here)).scalar() or ""

    def _write(self, job: str, number: int, **values: object) -> None:
        with self._database.write() as connection:
            _update(connection, job, number, **values)


class Course(NamedTuple):
    """What a run is there for, and in which of the job's rounds it is."""

    aim: RunAim
    round: int


def next_course(connection: Connection, job: Job, aim: RunAim | None = None) -> Course:
    """Of the run after the job's latest: the same round goes on until a run has left the job Waiting.

    What was begun is ended: a cutover that failed or was stopped stays one.
    """
    query = select(table.c.aim, table.c.round, table.c.ending).where(table.c.job == job.id)
    latest = connection.execute(query.order_by(table.c.number.desc()).limit(1)).one_or_none()
    if latest is None and job.request.execution_method in REHEARSED:
        return Course(aim or RunAim.DRILL, 1)
    if latest is not None and (latest.aim, latest.ending) == (RunAim.DRILL.value, JobStatus.READY.value):
        return Course(aim or _usual(job), 1)
    if latest is not None and latest.ending != JobStatus.WAITING.value:
        return Course(aim or RunAim(latest.aim), latest.round)
    return Course(aim or _usual(job), latest.round + 1 if latest is not None else 1)


def _usual(job: Job) -> RunAim:
    return RunAim.LAST if job.request.run_once else RunAim.ROUND


def add(
    connection: Connection,
    job: str,
    number: int,
    kind: RunType,
    course: Course,
    now: float,
    authority: Authority,
    *,
    stop_wanted: bool = False,
) -> Run:
    """A new run within the caller's transaction; receiver and agent rest."""
    run = Run(
        job=job,
        number=number,
        type=kind,
        aim=course.aim,
        round=course.round,
        ending=None,
        started=now,
        ended=None,
        image_id="",
        stop_wanted=stop_wanted,
        ca=authority.certificate,
        ca_key=authority.key,
        agent_certificate="",
        receiver_certificate="",
        host="",
        port=0,
        receiver_task=TaskKind.REST,
        agent_ordered=False,
        progress=None,
        reported=False,
        agent=AgentState(),
    )
    columns = msgspec.structs.asdict(run)
    columns.pop("reported")
    columns |= {
        "type": run.type.value,
        "aim": run.aim.value,
        "ending": "",
        "receiver_task": run.receiver_task.value,
        "ca_key": run.ca_key.reveal(),
        "progress": "",
        "report": "",
        "agent_state": encode(columns.pop("agent")).decode(),
    }
    connection.execute(insert(table).values(**columns))
    return run


def want_stop(connection: Connection, job: str, number: int) -> None:
    _update(connection, job, number, stop_wanted=True)


def is_stop_wanted(connection: Connection, job: str, number: int) -> bool:
    query = select(table.c.stop_wanted).where(table.c.job == job, table.c.number == number)
    return bool(connection.execute(query).scalar())


def set_image(connection: Connection, job: str, number: int, image: str) -> bool:
    """False when it has this image already: a step that was cut off is taken again."""
    other = (table.c.job == job) & (table.c.number == number) & (table.c.image_id != image)
    return connection.execute(update(table).where(other).values(image_id=image)).rowcount > 0


def forget_agent_certificates(connection: Connection, source_id: str) -> None:
    """The agent of this source has another key now."""
    mine = select(jobs.c.id).where(jobs.c.source_id == source_id)
    connection.execute(update(table).where(table.c.job.in_(mine)).values(agent_certificate=""))


def forget_receiver_certificates(connection: Connection, job: str) -> None:
    """The receiver of this job has another key now."""
    connection.execute(update(table).where(table.c.job == job).values(receiver_certificate=""))


def end(connection: Connection, job: str, number: int, now: float, ending: JobStatus | None = None) -> None:
    """Nobody works on the run any more, and its key is forgotten: certificates end with the run."""
    _update(
        connection,
        job,
        number,
        ended=now,
        ending=ending.value if ending else "",
        agent_ordered=False,
        receiver_task=TaskKind.REST.value,
        ca_key="",
    )


def _update(connection: Connection, job: str, number: int, **values: object) -> None:
    here = (table.c.job == job) & (table.c.number == number)
    connection.execute(update(table).where(here).values(**values))


def _value(row: Row[tuple[object, ...]]) -> Run:
    columns = dict(row._mapping)
    columns |= {
        "type": RunType(columns["type"]),
        "aim": RunAim(columns["aim"]),
        "ending": JobStatus(columns["ending"]) if columns["ending"] else None,
        "ca_key": Secret(columns["ca_key"]),
        "receiver_task": TaskKind(columns["receiver_task"]),
        "progress": decode(columns["progress"], Progress) if columns["progress"] else None,
        "reported": bool(columns["reported"]),
        "agent": decode(columns.pop("agent_state"), AgentState),
    }
    return Run(**columns)
