"""The tables of what happened and of who is told: events, presence, subscriptions, notifications."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from smc.center.store.tables import ID, METADATA, NAME, TIME, sources

events = Table(  # no foreign keys: what happened outlives the job and the source it happened to
    "events",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", TIME, nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("job", ID, nullable=False, index=True),
    Column("source", ID, nullable=False, index=True),
    Column("workgroup", ID, nullable=False),
    Column("run", Integer, nullable=False),
    Column("actor", NAME, nullable=False),
    Column("code", String(128), nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, so who follows by ids misses nothing
)

presence = Table(  # what was last told of a source: a state that is computed has no moment of its own
    "presence",
    METADATA,
    Column("source", ID, ForeignKey(sources.c.id, ondelete="CASCADE"), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("since", TIME, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("url", Text, nullable=False),  # readable: what is in it is shown to the receiver of the message
    Column("kinds", Text, nullable=False),
    Column("level", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created", TIME, nullable=False),
)

notifications = (
    Table(  # the outbox: a row is written with its event and stays until it is delivered or given up
        "notifications",
        METADATA,
        Column("subscription", ID, ForeignKey(subscriptions.c.id, ondelete="CASCADE"), primary_key=True),
        Column("event", Integer, ForeignKey(events.c.id, ondelete="CASCADE"), primary_key=True),
        Column("state", String(16), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("due", TIME, nullable=False),  # when it is tried next; while it is tried, when another may
        Column("ended", TIME),
        Column("error", Text, nullable=False),
        Index("ix_notifications_state_due", "state", "due"),
    )
)
