"""How far a job was over its last 24 hours: its counters, one point each half minute."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, func, insert, select

from smc.center.store.database import Database
from smc.center.store.tables import jobs
from smc.center.store.tables import progress_points as table

SLOT_SECONDS = 30.0
KEPT_SECONDS = 24 * 3600.0  # at most 2,881 points a job


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of run number `run` at `time`, seconds since the epoch; bytes of content and on the wire."""

    run: int
    time: float
    done: int
    wire: int
    files_done: int


def slot_of(moment: float) -> int:
    return int(moment // SLOT_SECONDS)


class History:
    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, points: Sequence[tuple[str, Point]]) -> None:
        """By job, in one transaction; the newest point of a slot stays. What is older than a day goes."""
        if not points:
            return
        with self._database.write() as connection:
            named = {job for job, _ in points}
            alive = set(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(named))).scalars())
            for job, point in points:
                if job not in alive:
                    continue  # it was deleted meanwhile
                slot = slot_of(point.time)
                here = (table.c.job == job) & (table.c.run == point.run) & (table.c.slot == slot)
                old = (table.c.job == job) & (table.c.time < point.time - KEPT_SECONDS)
                connection.execute(delete(table).where(here | old))
                values = msgspec.structs.asdict(point)
                connection.execute(insert(table).values(job=job, slot=slot, **values))

    def of_job(self, job: str, *, most: int) -> Sequence[Point]:
        """At most `most` of them, oldest first, as evenly spread as they are; the newest is always there."""
        mine = table.c.job == job
        query = select(table).where(mine).order_by(table.c.run, table.c.slot)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(table).where(mine)).scalar_one()
            step = max(1, -(-total // most))
            rows = connection.execute(query).fetchall()
        return [
            Point(run=row.run, time=row.time, done=row.done, wire=row.wire, files_done=row.files_done)
            for row in rows[(total - 1) % step :: step]
        ]
