"""Reports of drills, one a run."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from smc.center.store.database import Database
from smc.center.store.tables import drills as table
from smc.model.codec import decode, encode
from smc.model.drill import DrillReport


class Drills:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, job: str, run: int, report: DrillReport) -> None:
        """The report of this run, in place of an earlier state of it."""
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.job == job, table.c.run == run))
            connection.execute(insert(table).values(job=job, run=run, report=encode(report).decode()))

    def find(self, job: str, run: int) -> DrillReport | None:
        query = select(table.c.report).where(table.c.job == job, table.c.run == run)
        with self._database.read() as connection:
            text = connection.execute(query).scalar()
        return decode(text, DrillReport) if text else None

    def of_job(self, job: str) -> Sequence[DrillReport]:
        """Newest first."""
        query = select(table.c.report).where(table.c.job == job).order_by(table.c.run.desc())
        with self._database.read() as connection:
            return [decode(text, DrillReport) for text in connection.execute(query).scalars()]
