"""Logs of runs: which blob holds what agent, receiver or instance said."""

import re
from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, func, insert, select

from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.evidence_tables import run_logs as table
from smc.center.store.tables import jobs
from smc.wire.run_logs import MOST_FILES

AGENT, RECEIVER, INSTANCE = "agent", "receiver", "instance"
UNWANTED = re.compile(r"[^A-Za-z0-9._-]+|^\.+")  # names become paths in a bundle
LONGEST_NAME = 60


class RunLog(msgspec.Struct, frozen=True, kw_only=True):
    """`blob` is its hash, `size` in bytes."""

    job: str
    run: int
    sender: str
    name: str
    blob: str
    size: int
    time: float


class RunLogTable:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def keep(self, job: str, run: int, sender: str, name: str, blob: str, size: int) -> None:
        """The newest of a name stays; of a job that is gone, nothing, or too many names, none is kept."""
        name = UNWANTED.sub("_", name)[:LONGEST_NAME] or "log"
        if not blob:
            return
        key = {"job": job, "run": run, "sender": sender, "name": name}
        with self._database.write() as connection:
            if connection.execute(select(jobs.c.id).where(jobs.c.id == job)).first() is None:
                return
            here = [table.c[column] == value for column, value in key.items()]
            connection.execute(delete(table).where(*here))
            others = [table.c[column] == key[column] for column in ("job", "run", "sender")]
            if connection.execute(select(func.count()).where(*others)).scalar_one() >= MOST_FILES:
                return
            values = {**key, "blob": blob, "size": size, "time": self._clock.now()}
            connection.execute(insert(table).values(**values))

    def of_job(self, job: str) -> Sequence[RunLog]:
        order = table.c.run, table.c.sender, table.c.name
        with self._database.read() as connection:
            rows = connection.execute(select(table).where(table.c.job == job).order_by(*order))
            return [RunLog(**row._mapping) for row in rows]

    def blobs(self) -> set[str]:
        with self._database.read() as connection:
            return set(connection.execute(select(table.c.blob)).scalars())
