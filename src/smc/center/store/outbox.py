"""The outbox: what is still to be told to whom. It outlives the center: all is told at least once."""

from collections.abc import Sequence
from enum import Enum

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from smc.center.store.database import Database
from smc.center.store.event_tables import notifications as table
from smc.center.store.event_tables import subscriptions

UNASKED = ("Audit",)  # kinds that only a subscription which names them is told


class Delivery(Enum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts` counts those before this one."""

    subscription: str
    event: int
    attempts: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Of one subscription; `error` is why the newest that is not delivered was not."""

    waiting: int = 0
    delivered: int = 0
    given_up: int = 0
    last_delivered: float | None = None
    error: str = ""


def add(connection: Connection, now: float, event: int, *, kind: str, level: str) -> None:
    """A row for each subscription that wants the event, within the transaction that writes it."""
    wanting = select(subscriptions.c.id, subscriptions.c.kinds, subscriptions.c.level)
    for row in connection.execute(wanting.where(subscriptions.c.enabled)):
        if wants(kind, level, kinds=row.kinds.split(), least=row.level):
            connection.execute(
                insert(table).values(
                    subscription=row.id,
                    event=event,
                    state=Delivery.WAITING.value,
                    attempts=0,
                    due=now,
                    error="",
                )
            )


def wants(kind: str, level: str, *, kinds: Sequence[str], least: str) -> bool:
    """`kinds` empty: all but UNASKED. A kind `Job` stands for all that begin with `Job.`."""
    levels = ("info", "warning", "error")
    if levels.index(level) < levels.index(least):
        return False
    if not kinds:
        return kind not in UNASKED
    return kind in kinds or kind.split(".", maxsplit=1)[0] in kinds


class Outbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, now: float, *, busy_until: float, most: int) -> Sequence[Notification]:
        """What is due, oldest first. Nobody else takes it before `busy_until`, when it should have ended."""
        due = (table.c.state == Delivery.WAITING.value) & (table.c.due <= now)
        with self._database.read() as connection:  # mostly there is nothing: no lock for that
            if connection.execute(select(table.c.event).where(due).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            rows = connection.execute(
                select(table.c.subscription, table.c.event, table.c.attempts)
                .where(due)
                .order_by(table.c.event)
                .limit(most)
                .with_for_update(skip_locked=True)
            ).fetchall()
            taken = [Notification(**row._mapping) for row in rows]
            for one in taken:
                connection.execute(update(table).where(_here(one)).values(due=busy_until))
            return taken

    def delivered(self, one: Notification, now: float) -> None:
        self._write(one, state=Delivery.DELIVERED.value, attempts=one.attempts + 1, ended=now, error="")

    def failed(self, one: Notification, error: str, *, again: float) -> None:
        """Nothing is told to this subscription before `again`: who is away holds up nobody else."""
        mine = (table.c.subscription == one.subscription) & (table.c.state == Delivery.WAITING.value)
        with self._database.write() as connection:
            connection.execute(update(table).where(mine, table.c.due < again).values(due=again))
            done = update(table).where(_here(one)).values(attempts=one.attempts + 1, due=again, error=error)
            connection.execute(done)

    def give_up(self, one: Notification, error: str, now: float) -> None:
        self._write(one, state=Delivery.GIVEN_UP.value, attempts=one.attempts + 1, ended=now, error=error)

    def tally(self, subscription: str) -> Tally:
        mine = table.c.subscription == subscription
        counts = select(table.c.state, func.count(), func.max(table.c.ended)).where(mine)
        wrong = select(table.c.error).where(mine, table.c.error != "").order_by(table.c.event.desc())
        with self._database.read() as connection:
            found = {row[0]: (row[1], row[2]) for row in connection.execute(counts.group_by(table.c.state))}
            error = connection.execute(wrong.limit(1)).scalar() or ""
        done = found.get(Delivery.DELIVERED.value, (0, None))
        return Tally(
            waiting=found.get(Delivery.WAITING.value, (0, None))[0],
            delivered=done[0],
            given_up=found.get(Delivery.GIVEN_UP.value, (0, None))[0],
            last_delivered=done[1],
            error=error,
        )

    def forget(self, before: float) -> None:
        """What ended before; what still waits stays."""
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.ended < before))

    def _write(self, one: Notification, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(update(table).where(_here(one)).values(**values))


def _here(one: Notification) -> ColumnElement[bool]:
    return (table.c.subscription == one.subscription) & (table.c.event == one.event)
