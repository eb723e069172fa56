"""Instances that jobs move into another zone: what they were, and what has become of them."""

from msgspec import structs
from sqlalchemy import delete, insert, select, update

from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.events import EventKind
from smc.center.store.job_status import tell
from smc.center.store.jobs import is_current
from smc.center.store.tables import crossings as table
from smc.center.store.values import Crossing, Run
from smc.model.codec import decode, encode


class Crossings:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def find(self, job: str) -> Crossing | None:
        with self._database.read() as connection:
            row = connection.execute(select(table.c.document).where(table.c.job == job)).scalar()
        return decode(row, Crossing) if row else None

    def put(self, run: Run, crossing: Crossing) -> bool:
        """In place of what was known before. False, and nothing changes, when a newer run has begun."""
        with self._database.write() as connection:
            if not is_current(connection, run):
                return False
            connection.execute(delete(table).where(table.c.job == run.job))
            connection.execute(insert(table).values(job=run.job, document=encode(crossing).decode()))
        return True

    def deliver(self, run: Run, crossing: Crossing, words: str) -> None:
        """It has arrived, and an event says so once, with `words` after the name of the job."""
        with self._database.write() as connection:
            here = table.c.job == run.job
            row = connection.execute(select(table.c.document).where(here).with_for_update()).scalar()
            if not row or decode(row, Crossing).delivered or not is_current(connection, run):
                return
            connection.execute(update(table).where(here).values(document=encode(crossing).decode()))
            tell(connection, self._clock.now(), run.job, EventKind.INSTANCE_MOVED, words)

    def note_home(self, job: str) -> None:
        """The instance is again what it was."""
        with self._database.write() as connection:
            here = table.c.job == job
            row = connection.execute(select(table.c.document).where(here).with_for_update()).scalar()
            if row:
                home = structs.replace(decode(row, Crossing), home=True)
                connection.execute(update(table).where(here).values(document=encode(home).decode()))
