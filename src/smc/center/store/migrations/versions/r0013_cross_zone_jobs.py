"""A job may have no source: it moves an instance of the cloud into another zone."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UNFINISHED = sa.text("status IN ('Expired', 'InError', 'Ready', 'Running', 'Stopped', 'Waiting')")


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("source_id", existing_type=sa.String(length=64), nullable=True)
        jobs.add_column(sa.Column("moved_instance", sa.String(length=64), nullable=True))
    op.create_index(
        "uq_jobs_moved_instance",
        "jobs",
        ["moved_instance"],
        unique=True,
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_table(
        "crossings",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_crossings_job_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_crossings")),
    )
