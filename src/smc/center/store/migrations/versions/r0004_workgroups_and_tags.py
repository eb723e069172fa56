"""Workgroups, resource groups, and tags in a table of their own."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workgroups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created", sa.Float(precision=53), nullable=False),
        sa.Column("client_token", sa.String(length=64), nullable=True),
        sa.Column("client_token_hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workgroups")),
        sa.UniqueConstraint("client_token", name=op.f("uq_workgroups_client_token")),
    )
    op.create_index(
        "uq_workgroups_name",
        "workgroups",
        ["name"],
        unique=True,
        sqlite_where=sa.text("name <> ''"),
        postgresql_where=sa.text("name <> ''"),
    )
    op.create_table(
        "workgroup_sources",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("workgroup", sa.String(length=64), nullable=False),
        sa.Column("joined", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(
            ["source"],
            ["sources.id"],
            name=op.f("fk_workgroup_sources_source_sources"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workgroup"], ["workgroups.id"], name=op.f("fk_workgroup_sources_workgroup_workgroups")
        ),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_workgroup_sources")),
    )
    op.create_index(op.f("ix_workgroup_sources_workgroup"), "workgroup_sources", ["workgroup"], unique=False)
    tags = op.create_table(
        "tags",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("kind", "resource", "key", name=op.f("pk_tags")),
    )
    op.create_index("ix_tags_kind_key_value", "tags", ["kind", "key", "value"], unique=False)
    for table, column in (
        ("activation_codes", "workgroup"),
        ("sources", "resource_group"),
        ("jobs", "resource_group"),
    ):
        op.add_column(table, sa.Column(column, sa.String(length=64), nullable=False, server_default=""))
    _move_tags(tags)


def _move_tags(tags: sa.Table) -> None:
    """Tags of jobs were in their requests; of a key that was given twice the last one stays."""
    connection = op.get_bind()
    for job, request in connection.execute(sa.text("SELECT id, request FROM jobs")).fetchall():
        found = {tag["key"]: tag["value"] for tag in json.loads(request).get("tags", [])}
        rows = [
            {"kind": "replicationjob", "resource": job, "key": key, "value": value}
            for key, value in found.items()
        ]
        if rows:
            connection.execute(tags.insert(), rows)
