"""The log of a job, for a person."""

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.tables import job_log as table
from smc.center.store.values import LogLine
from smc.model.progress import Failure

INFO, WARNING, ERROR = "info", "warning", "error"


class JobLog:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, job: str, message: str, *, level: str = INFO, code: str = "", hint: str = "") -> None:
        with self._database.write() as connection:
            connection.execute(
                insert(table).values(
                    job=job, time=self._clock.now(), level=level, code=code, message=message, hint=hint
                )
            )

    def add_failure(self, job: str, failure: Failure) -> None:
        self.add(job, failure.message, level=ERROR, code=failure.code, hint=failure.hint)

    def page(self, job: str, *, offset: int, limit: int) -> tuple[int, Sequence[LogLine]]:
        """How many lines there are, and one page of them, oldest first."""
        mine = table.c.job == job
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(table).where(mine)).scalar_one()
            rows = connection.execute(
                select(table).where(mine).order_by(table.c.id).offset(offset).limit(limit)
            )
            return total, [LogLine(**row._mapping) for row in rows]
