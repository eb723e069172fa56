"""The tables of the center's store; `migrations` makes them, a test compares the two.

Times are seconds since the epoch, UTC. Columns that hold JSON hold one frozen value of `smc.model`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from smc.model.job import UNFINISHED

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID = String(64)
NAME = String(256)
TIME = Float(53)
HASH = String(64)  # SHA-256 in hexadecimal

IS_NAMED = text("name <> ''")
IS_UNFINISHED = text(f"status IN ({', '.join(sorted(repr(status.value) for status in UNFINISHED))})")


def _unique_where(name: str, column: str, condition: object) -> Index:
    return Index(name, column, unique=True, sqlite_where=condition, postgresql_where=condition)


access_keys = Table(
    "access_keys",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("secret", String(128), nullable=False),  # readable: signatures are computed with it
    Column("name", NAME, nullable=False),
    Column("created", TIME, nullable=False),
    Column("role", String(16), nullable=False, server_default="admin"),
    Column("disabled", Boolean, nullable=False, server_default=false()),
)

users = Table(
    "users",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("created", TIME, nullable=False),
)

workgroups = Table(
    "workgroups",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("description", Text, nullable=False),
    Column("created", TIME, nullable=False),
    Column("client_token", ID, unique=True),
    Column("client_token_hash", HASH),
    _unique_where("uq_workgroups_name", "name", IS_NAMED),
)

templates = Table(
    "templates",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("created", TIME, nullable=False),
    Column("changed", TIME, nullable=False),
    Column("client_token", ID, unique=True),
    Column("client_token_hash", HASH),
)

activation_codes = Table(
    "activation_codes",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("description", Text, nullable=False),
    Column("code_hash", HASH, nullable=False),
    Column("count", Integer, nullable=False),
    Column("registered", Integer, nullable=False),
    Column("ttl_days", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", TIME, nullable=False),
    Column("workgroup", ID, nullable=False, server_default=""),  # which its servers join
)

sources = Table(
    "sources",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("description", Text, nullable=False),
    Column("fingerprint", String(128), nullable=False, unique=True),
    Column("server", Text, nullable=False),
    Column("credential_hash", HASH, nullable=False, unique=True),
    Column("csr", Text, nullable=False),
    Column("address", String(64), nullable=False),  # as the center saw it last
    Column("created", TIME, nullable=False),
    Column("last_beat", TIME, nullable=False),
    Column("clock_ahead", Float, nullable=False, server_default="0"),  # seconds before the center's
    Column("cpu_usage", Float, nullable=False),
    Column("memory_usage", Float, nullable=False),
    Column("deleting", Boolean, nullable=False),
    Column("resource_group", ID, nullable=False, server_default=""),
    _unique_where("uq_sources_name", "name", IS_NAMED),
)

workgroup_sources = Table(  # a source is in one workgroup at most
    "workgroup_sources",
    METADATA,
    Column("source", ID, ForeignKey(sources.c.id, ondelete="CASCADE"), primary_key=True),
    Column("workgroup", ID, ForeignKey(workgroups.c.id), nullable=False, index=True),
    Column("joined", TIME, nullable=False),
)

tags = Table(  # `kind` says of which table `resource` is a row; they go with it: store/tags.py
    "tags",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("resource", ID, primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(128), nullable=False),
    Index("ix_tags_kind_key_value", "kind", "key", "value"),
)

jobs = Table(
    "jobs",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("description", Text, nullable=False),
    Column("region_id", ID, nullable=False),
    Column("source_id", ID, ForeignKey(sources.c.id), index=True),  # NULL in a cross-zone job
    Column("request", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("business_status", String(16), nullable=False),
    Column("progress", Float, nullable=False),
    Column("note", Text, nullable=False),
    Column("failure", Text, nullable=False),
    Column("run_number", Integer, nullable=False),
    Column("image_id", ID, nullable=False),
    Column("transition_instance_id", ID, nullable=False),
    Column("created", TIME, nullable=False),
    Column("started", TIME),
    Column("ended", TIME),
    Column("valid_until", TIME, nullable=False),
    Column("drill", String(16), nullable=False),
    Column("client_token", ID, unique=True),
    Column("client_token_hash", HASH),
    Column("resource_group", ID, nullable=False, server_default=""),
    _unique_where("uq_jobs_name", "name", IS_NAMED),
    Column("moved_instance", ID),  # of a cross-zone job, NULL in all others
    _unique_where("uq_jobs_unfinished", "source_id", IS_UNFINISHED),
    _unique_where("uq_jobs_moved_instance", "moved_instance", IS_UNFINISHED),
)


def _job_column(*, primary: bool = False, indexed: bool = False) -> Column[str]:
    return Column(
        "job",
        ID,
        ForeignKey(jobs.c.id, ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
        index=indexed,
    )


takeovers = Table(
    "takeovers",
    METADATA,
    _job_column(primary=True),
    Column("document", Text, nullable=False),
    Column("user_data", Text, nullable=False),
)

crossings = Table(
    "crossings",
    METADATA,
    _job_column(primary=True),
    Column("document", Text, nullable=False),
)

runs = Table(
    "runs",
    METADATA,
    _job_column(primary=True),
    Column("number", Integer, primary_key=True),
    Column("type", String(16), nullable=False),
    Column("aim", String(16), nullable=False),
    Column("round", Integer, nullable=False),
    Column("ending", String(16), nullable=False),  # the status it left its job in; "" while it runs
    Column("started", TIME, nullable=False),
    Column("ended", TIME),
    Column("image_id", ID, nullable=False),
    Column("stop_wanted", Boolean, nullable=False),
    Column("ca", Text, nullable=False),
    Column("ca_key", Text, nullable=False),
    Column("agent_certificate", Text, nullable=False),
    Column("receiver_certificate", Text, nullable=False),
    Column("host", String(256), nullable=False),
    Column("port", Integer, nullable=False),
    Column("receiver_task", String(16), nullable=False),
    Column("agent_ordered", Boolean, nullable=False),
    Column("progress", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("agent_state", Text, nullable=False),
)

progress_points = Table(  # the counters of a run as they were, one row each time slot: store/history.py
    "progress_points",
    METADATA,
    _job_column(primary=True),
    Column("run", Integer, primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("wire", BigInteger, nullable=False),
    Column("files_done", BigInteger, nullable=False),
)

receivers = Table(  # one a job: it lives on the job's intermediate instance and outlives a run
    "receivers",
    METADATA,
    _job_column(primary=True),
    Column("ticket_hash", HASH, nullable=False, unique=True),
    Column("ticket_expires", TIME, nullable=False),
    Column("csr", Text, nullable=False),  # "" until the ticket was used
    Column("credential_hash", HASH, unique=True),
    Column("last_seen", TIME),
)

resources = Table(  # no foreign key: an image outlives the job that made it
    "resources",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("job", ID, nullable=False, index=True),
    Column("run", Integer, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("parent", ID, nullable=False),
    Column("created", TIME, nullable=False),
    Column("released", TIME),
)

job_log = Table(
    "job_log",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _job_column(indexed=True),
    Column("time", TIME, nullable=False),
    Column("level", String(16), nullable=False),
    Column("code", String(128), nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
)

drills = Table(  # a row for each run that was a drill
    "drills",
    METADATA,
    _job_column(primary=True),
    Column("run", Integer, primary_key=True),
    Column("report", Text, nullable=False),
)
