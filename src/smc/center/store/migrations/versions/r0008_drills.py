"""Reports of drills, and how far a source's clock is off."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("clock_ahead", sa.Float(), nullable=False, server_default="0"))
    op.create_table(
        "drills",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_drills_job_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "run", name=op.f("pk_drills")),
    )
