"""Verifications of delivered images: what was wished, and what was found."""

from collections.abc import Sequence
from enum import Enum

import msgspec
from sqlalchemy import ColumnElement, Row, func, insert, select, update

from smc.base.errors import UserError
from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.events import EventKind, EventLevel, NewEvent, note
from smc.center.store.evidence_tables import verifications as table
from smc.center.store.ids import new_id
from smc.model.codec import decode, encode


class VerificationState(Enum):
    RUNNING = "Running"
    VERIFIED = "Verified"
    NOT_VERIFIED = "NotVerified"
    NOT_RUN = "NotRun"  # no instance could be booted: nothing is known of the image


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """`timeout` in seconds from the wish on; `instance_type` and `vswitch` "" : the center's choice."""

    ports: tuple[int, ...]
    timeout: float
    instance_type: str = ""
    vswitch: str = ""
    keep: bool = False


class PortFound(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: answers, closed or silent; `banner` is the beginning of what it said."""

    port: int
    state: str
    banner: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`code` says why it is not verified, "" when it is; `seconds` from launch to the end of the looking."""

    code: str = ""
    message: str
    hint: str = ""
    powered_on: bool = False
    network_up: bool = False
    ports: tuple[PortFound, ...] = ()
    seconds: float = 0.0


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """`console` and `screenshot` are hashes of blobs; `attempt` counts the workflows that worked on it."""

    id: str
    job: str
    source: str
    image: str
    state: VerificationState
    wish: Wish
    instance: str
    attempt: int
    outcome: Outcome | None
    console: str
    screenshot: str
    created: float
    ended: float | None


class Verifications:
    def __init__(self, database: Database, region: str, clock: Clock) -> None:
        self._database = database
        self._region = region
        self._clock = clock

    def create(self, *, job: str, source: str, image: str, wish: Wish) -> str:
        """Raises `UserError` (`Verification.Running`): one at a time a job."""
        made = new_id("v", self._region)
        running = (table.c.job == job) & (table.c.state == VerificationState.RUNNING.value)
        with self._database.write() as connection:
            busy = connection.execute(select(table.c.id).where(running).limit(1)).scalar()
            if busy:
                raise UserError(
                    f"The verification {busy} of the job {job} has not ended.",
                    code="Verification.Running",
                    hint="Wait until it has: DescribeVerifications shows it.",
                )
            connection.execute(
                insert(table).values(
                    id=made,
                    job=job,
                    source=source,
                    image=image,
                    state=VerificationState.RUNNING.value,
                    wish=encode(wish).decode(),
                    instance="",
                    attempt=1,
                    outcome="",
                    console="",
                    screenshot="",
                    created=self._clock.now(),
                )
            )
        return made

    def find(self, verification: str) -> Verification | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == verification)).one_or_none()
        return _value(row) if row else None

    def page(
        self, *, ids: Sequence[str] = (), jobs: Sequence[str] = (), offset: int = 0, limit: int = 50
    ) -> tuple[int, Sequence[Verification]]:
        """How many there are, and one page of them, newest first."""
        conditions: list[ColumnElement[bool]] = []
        if ids:
            conditions.append(table.c.id.in_(ids))
        if jobs:
            conditions.append(table.c.job.in_(jobs))
        query = select(table).where(*conditions).order_by(table.c.created.desc(), table.c.id)
        with self._database.read() as connection:
            total = connection.execute(
                select(func.count()).select_from(table).where(*conditions)
            ).scalar_one()
            return total, [_value(row) for row in connection.execute(query.offset(offset).limit(limit))]

    def running(self) -> Sequence[Verification]:
        query = select(table).where(table.c.state == VerificationState.RUNNING.value)
        with self._database.read() as connection:
            return [_value(row) for row in connection.execute(query.order_by(table.c.created))]

    def is_busy(self, image: str) -> bool:
        return any(one.image == image for one in self.running())

    def blobs(self) -> set[str]:
        with self._database.read() as connection:
            rows = connection.execute(select(table.c.console, table.c.screenshot))
            return {name for row in rows for name in row if name}

    def hold_instance(self, verification: str, instance: str) -> None:
        self._write(verification, instance=instance)

    def begin_anew(self, verification: str, attempt: int) -> None:
        """Another workflow works on it now."""
        self._write(verification, attempt=attempt)

    def keep(self, verification: str, outcome: Outcome, *, console: str, screenshot: str) -> None:
        """What was found, before the instance is released."""
        text = encode(outcome).decode()
        self._write(verification, outcome=text, console=console, screenshot=screenshot)

    def end(self, verification: str, state: VerificationState) -> None:
        """It is over, and an event says so; once."""
        now = self._clock.now()
        here = (table.c.id == verification) & (table.c.state == VerificationState.RUNNING.value)
        with self._database.write() as connection:
            ended = update(table).where(here).values(state=state.value, ended=now)
            if connection.execute(ended).rowcount:
                row = connection.execute(select(table).where(table.c.id == verification)).one()
                note(connection, now, _event(_value(row)))

    def _write(self, verification: str, **values: object) -> None:
        here = (table.c.id == verification) & (table.c.state == VerificationState.RUNNING.value)
        with self._database.write() as connection:
            connection.execute(update(table).where(here).values(**values))


WORDS = {
    VerificationState.RUNNING: "is being verified",
    VerificationState.VERIFIED: "is verified",
    VerificationState.NOT_VERIFIED: "is not verified",
    VerificationState.NOT_RUN: "could not be tried",
}


def _event(one: Verification) -> NewEvent:
    good = one.state is VerificationState.VERIFIED
    return NewEvent(
        kind=EventKind.VERIFICATION_ENDED,
        level=EventLevel.INFO if good else EventLevel.WARNING,
        job=one.job,
        source=one.source,
        code=one.outcome.code if one.outcome else "",
        message=f"The image {one.image} {WORDS[one.state]}: {one.outcome.message if one.outcome else ''}",
        hint=one.outcome.hint if one.outcome else "",
    )


def _value(row: Row[tuple[object, ...]]) -> Verification:
    columns = dict(row._mapping)
    columns |= {
        "state": VerificationState(row.state),
        "wish": decode(row.wish, Wish),
        "outcome": decode(row.outcome, Outcome) if row.outcome else None,
    }
    return Verification(**columns)
