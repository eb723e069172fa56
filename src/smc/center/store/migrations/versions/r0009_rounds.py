"""Rounds of a job, and whether its migration test was passed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("drill", sa.String(length=16), nullable=False, server_default="NotRun"))
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("drill", server_default=None)
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("aim", sa.String(length=16), nullable=False, server_default="last"))
        runs.add_column(sa.Column("round", sa.Integer(), nullable=False, server_default="1"))
        runs.add_column(sa.Column("ending", sa.String(length=16), nullable=False, server_default=""))
    with op.batch_alter_table("runs") as runs:
        for column in ("aim", "round", "ending"):
            runs.alter_column(column, server_default=None)
