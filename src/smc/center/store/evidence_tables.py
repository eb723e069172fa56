"""The tables of what proves something: verifications, and the logs of runs."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text

from smc.center.store.tables import HASH, ID, METADATA, TIME, jobs

verifications = Table(  # no foreign key: each is kept, also when its job is deleted
    "verifications",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("job", ID, nullable=False, index=True),
    Column("source", ID, nullable=False),
    Column("image", ID, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("wish", Text, nullable=False),
    Column("instance", ID, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", Text, nullable=False),  # "" while it runs
    Column("console", HASH, nullable=False),
    Column("screenshot", HASH, nullable=False),
    Column("created", TIME, nullable=False),
    Column("ended", TIME),
)

run_logs = Table(  # what agent, receiver and instance of a run said; it goes with the job
    "run_logs",
    METADATA,
    Column("job", ID, ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("sender", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("blob", HASH, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("time", TIME, nullable=False),
)
