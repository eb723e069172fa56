"""The cloud's memory: one SQLite file, each thing a JSON document under its kind and id."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from smc.base.errors import Broken
from smc.model import codec

VERSION = 1
TOKEN_DAYS = 30  # how long a ClientToken is remembered
_SCHEMA = """
CREATE TABLE thing (number INTEGER PRIMARY KEY, kind TEXT, id TEXT, document BLOB, UNIQUE (kind, id));
CREATE TABLE token (action TEXT, token TEXT, parameters TEXT, answer BLOB, created REAL,
                    PRIMARY KEY (action, token));
"""


class Kept(Protocol):
    @property
    def id(self) -> str: ...


K = TypeVar("K", bound=Kept)


class Store:
    """Every call is a transaction of its own or part of the one around it; threads take turns."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            self._database.close()
            raise Broken(f"{path} has version {version}; this program knows {VERSION}.")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is read and written inside is one step; an exception undoes it."""
        with self._lock:
            if self._depth == 0:
                self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._database.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._database.execute("COMMIT")

    def get(self, kind: type[K], name: str) -> K | None:
        with self._lock:
            row = self._database.execute(
                "SELECT document FROM thing WHERE kind = ? AND id = ?", (kind.__name__, name)
            ).fetchone()
        return codec.decode(row[0], kind) if row else None

    def all(self, kind: type[K]) -> list[K]:
        """In the order in which they were made."""
        with self._lock:
            rows = self._database.execute(
                "SELECT document FROM thing WHERE kind = ? ORDER BY number", (kind.__name__,)
            ).fetchall()
        return [codec.decode(document, kind) for (document,) in rows]

    def put(self, *things: Kept) -> None:
        """Add or replace."""
        with self.transaction():
            for thing in things:
                self._database.execute(
                    "INSERT INTO thing (kind, id, document) VALUES (?, ?, ?)"
                    " ON CONFLICT (kind, id) DO UPDATE SET document = excluded.document",
                    (type(thing).__name__, thing.id, codec.encode(thing)),
                )

    def remove(self, *things: Kept) -> None:
        with self.transaction():
            for thing in things:
                self._database.execute(
                    "DELETE FROM thing WHERE kind = ? AND id = ?", (type(thing).__name__, thing.id)
                )

    def recall(self, action: str, token: str) -> tuple[str, bytes] | None:
        """The parameters' hash and the answer of the request that used this ClientToken first."""
        with self._lock:
            row = self._database.execute(
                "SELECT parameters, answer FROM token WHERE action = ? AND token = ?", (action, token)
            ).fetchone()
        return (str(row[0]), bytes(row[1])) if row else None

    def remember(self, action: str, token: str, parameters: str, answer: bytes, now: float) -> None:
        with self.transaction():
            self._database.execute("DELETE FROM token WHERE created < ?", (now - TOKEN_DAYS * 86400,))
            self._database.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?)", (action, token, parameters, answer, now)
            )
