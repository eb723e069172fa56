"""Opens the store: any SQLAlchemy URL, brought to the newest revision before the first use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from smc.base.errors import Broken

BUSY_SECONDS = 20  # writers of one store wait for each other; transactions here take milliseconds
WRITERS = 0x736D63  # "smc": the advisory lock of PostgreSQL that a writer holds
MIGRATIONS = Path(__file__).with_name("migrations")


class Database:
    """Short transactions on one engine; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, undone when it raises.

        One at a time, on PostgreSQL too: what is looked up in it is still so when it is written.
        """
        with self._engine.connect().execution_options(smc_write=True) as connection, connection.begin():
            _take_turn(connection)
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def url_of(data_dir: Path) -> str:
    """The default store of a data folder."""
    return f"sqlite:///{data_dir / 'center.db'}"


def open_database(url: str) -> Database:
    """Raises SQLAlchemy's or Alembic's error when the store cannot be reached or is of a newer version."""
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), connect_args=_patience(url))
    if engine.dialect.name == "sqlite":
        _create_private(make_url(url).database)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    _upgrade(engine)
    return Database(engine)


def _create_private(file: str | None) -> None:
    """The file holds secrets: only its owner may read it (SQLite gives the WAL the same mode)."""
    if file and file != ":memory:":
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        Path(file).chmod(0o600)


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock first: a reader that became a writer could not wait for it (SQLITE_BUSY)."""
    writes = connection.get_execution_options().get("smc_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _patience(url: str) -> dict[str, str]:
    """PostgreSQL waits for ever for a lock unless it is told; SQLite is told for each connection below."""
    if not url.startswith("postgresql"):
        return {}
    return {"options": f"-c lock_timeout={BUSY_SECONDS * 1000}"}


def _take_turn(connection: Connection) -> None:
    """SQLite has the lock by BEGIN IMMEDIATE; this one is let go at the end of the transaction as well."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(WRITERS)))


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with (
        engine.connect().execution_options(smc_write=True) as connection,
        _references_at_rest(connection),
        connection.begin(),
    ):
        _take_turn(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _check_references(connection)


@contextmanager
def _references_at_rest(connection: Connection) -> Iterator[None]:
    """SQLite changes a column by making its table anew: dropping the old one would delete what refers to it.

    The order is that of SQLite's documentation ("Making Other Kinds Of Table Schema Changes"); within a
    transaction the pragma has no effect, so it is set on the connection below.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.cursor()
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")
        raw.close()


def _check_references(connection: Connection) -> None:
    """Raises `Broken`, and so nothing is changed, when a revision has left a reference to nothing."""
    if connection.dialect.name == "sqlite":
        dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if dangling:
            raise Broken(
                f"The store refers to what is not there: {dangling[:3]}.",
                code="Store.Dangling",
                hint="Nothing was changed: start the version that you had before, and report this.",
            )
