"""Alembic's environment: runs the revisions on the connection that the center hands over."""

from alembic import context

from smc.center.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
