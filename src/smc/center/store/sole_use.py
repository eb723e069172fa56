"""One center at a time on a PostgreSQL: a lock of the server, held for as long as the center lives.

A second one would take the same jobs up again, and answer agents with keys that are not theirs. Who shares a
SQLite file is kept off by the lock of its data folder (`cli/serve.py`).
"""

import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from smc.base.errors import UserError

CENTER = 0x736D6363  # "smcc": the advisory lock
PATIENCE_SECONDS = 10.0  # the server may still be ending the session of a center that was killed just now
PAUSE_SECONDS = 0.2
LOOK_SECONDS = 5.0  # how late it is noticed that the connection, and the lock with it, is gone
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
# Milliseconds for what is sent and not answered; seconds.
TIMEOUTS = {"tcp_user_timeout": 25_000, "connect_timeout": 10}
log = logging.getLogger(__name__)


class SoleUse:
    """Held from its making on, until `close`; of a SQLite there is nothing to hold.

    Raises `UserError` (`Center.InUse`), SQLAlchemy's error when the server cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._engine: Engine | None = None
        if url.startswith("postgresql"):
            self._engine = create_engine(
                url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=KEEPALIVE | TIMEOUTS
            )
        self._connection = self._take()

    def look(self, lost: Callable[[], None]) -> None:
        """Take the lock again when its connection broke. `lost` is called when another center has it.

        Raises SQLAlchemyError while the server cannot be reached: look again.
        """
        if self._engine is None or self._holds():
            return
        try:
            self._connection = self._take()
        except UserError as e:
            log.critical("%s", e.message)
            lost()

    def _holds(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute(select(1))
        except SQLAlchemyError as e:
            log.warning("the connection that keeps other centers off the database broke: %s", e)
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        return self._connection is not None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._engine is not None:
            self._engine.dispose()

    def _take(self) -> Connection | None:
        if self._engine is None:
            return None
        end = time.monotonic() + PATIENCE_SECONDS
        connection = self._engine.connect()
        for name, value in KEEPALIVE.items():  # else the server misses a machine that is gone after two hours
            connection.execute(text(f"SET tcp_{name} = {value}"))
        while not connection.execute(select(func.pg_try_advisory_lock(CENTER))).scalar():
            if time.monotonic() > end:
                place = self._engine.url.render_as_string(hide_password=True)
                connection.close()
                raise UserError(
                    f"another center uses the database {place}",
                    code="Center.InUse",
                    hint="Use that one, or end it first: one center at a time works on a database. When its "
                    "machine is gone, the server lets go of it within half a minute.",
                )
            time.sleep(PAUSE_SECONDS)
        return connection
