"""How far a run was over the time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "progress_points",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.Float(precision=53), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("wire", sa.BigInteger(), nullable=False),
        sa.Column("files_done", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job"], ["jobs.id"], name=op.f("fk_progress_points_job_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job", "run", "slot", name=op.f("pk_progress_points")),
    )
