"""Everything the center made in the cloud, for whom, and whether it is still there."""

from collections.abc import Sequence

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.events import EventKind, NewEvent, note
from smc.center.store.tables import resources as table
from smc.center.store.values import Made
from smc.cloud.driver import Kind

TEMPORARY = "temporary"  # goes with the job
IMAGE = "image"  # what a job delivers
ROLLBACK = "rollback"  # brings a target instance back to what it was
MOVED = "moved"  # an instance that a job makes in another zone, in place of one that is there
INSTANCE = "instance"  # made from a delivered image, and what was made for it
VERIFICATION = "verification"  # tries a delivered image; a tag only, for it goes by itself


class Resources:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(
        self, kind: Kind, resource: str, *, name: str, job: str, run: int, purpose: str, parent: str = ""
    ) -> None:
        """Repeating it changes nothing."""
        values = {
            "kind": kind.value,
            "id": resource,
            "name": name,
            "job": job,
            "run": run,
            "purpose": purpose,
            "parent": parent,
            "created": self._clock.now(),
        }
        with self._database.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())
            else:
                connection.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())

    def released(self, kind: Kind, resource: str) -> None:
        here = (table.c.kind == kind.value) & (table.c.id == resource) & table.c.released.is_(None)
        now = self._clock.now()
        with self._database.write() as connection:
            gone = (
                update(table)
                .where(here)
                .values(released=now)
                .returning(table.c.name, table.c.job, table.c.purpose)
            )
            for row in connection.execute(gone).fetchall():
                if kind is Kind.IMAGE and row.purpose == IMAGE:
                    message = f"The image {resource} ({row.name}) is gone."
                    note(
                        connection, now, NewEvent(kind=EventKind.IMAGE_DROPPED, job=row.job, message=message)
                    )

    def find(self, kind: Kind, resource: str) -> Made | None:
        """What still exists, as far as the center knows."""
        here = (table.c.kind == kind.value) & (table.c.id == resource) & table.c.released.is_(None)
        with self._database.read() as connection:
            row = connection.execute(select(table).where(here)).one_or_none()
        return _value(row) if row else None

    def kept(
        self, *, job: str = "", purpose: str = "", parent: str = "", kind: Kind | None = None
    ) -> Sequence[Made]:
        """What was not released, newest first; all that is given must hold."""
        query = select(table).where(table.c.released.is_(None)).order_by(table.c.created.desc(), table.c.id)
        for column, value in (
            (table.c.job, job),
            (table.c.purpose, purpose),
            (table.c.parent, parent),
            (table.c.kind, kind.value if kind else ""),
        ):
            if value:
                query = query.where(column == value)
        with self._database.read() as connection:
            return [_value(row) for row in connection.execute(query)]


def _value(row: Row[tuple[object, ...]]) -> Made:
    columns = dict(row._mapping)
    columns["kind"] = Kind(columns["kind"])
    return Made(**columns)
