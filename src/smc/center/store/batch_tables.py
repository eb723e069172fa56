"""The tables of batches: what is wished for many jobs at once."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text

from smc.center.store.tables import ID, METADATA, TIME, jobs

batches = Table(
    "batches",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("workgroup", ID, nullable=False, index=True),  # as it was then: it may be gone
    Column("kind", String(16), nullable=False),
    Column("most_at_once", Integer, nullable=False),
    Column("sync_data", Boolean, nullable=False),
    Column("created", TIME, nullable=False),
    Column("ended", TIME),
)

batch_jobs = Table(
    "batch_jobs",
    METADATA,
    Column("batch", ID, ForeignKey(batches.c.id, ondelete="CASCADE"), primary_key=True),
    Column("job", ID, ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("run_number", Integer, nullable=False),  # of the job when it was wished
    Column("state", String(16), nullable=False),
    Column("code", String(128), nullable=False),
    Column("message", Text, nullable=False),
)
