"""A database that writes while its server is copied: with the owner's scripts its copy starts clean."""

import shlex
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from tests.kernel.copying import Ends, differences
from tests.kernel.postgres import Cluster
from tests.kernel.scripts import Scripts

pytestmark = pytest.mark.kernel

ROWS = 20_000  # there before: 8 MB of pages and their log
RUNNING = 100  # rows that are written before the copy begins


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's: the database's user must get into it."""
    with tempfile.TemporaryDirectory(prefix="smc-db-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def disks(folder: Path) -> Path:
    return folder


@pytest.fixture
def scripts(folder: Path) -> Scripts:
    return Scripts(folder)


class Writer:
    """Commits row after row, from a thread of its own, until the database is gone or `stop` is called."""

    def __init__(self, cluster: Cluster) -> None:
        self.committed = 0
        self._enough = threading.Event()
        self._stopping = threading.Event()
        self._engine = create_engine(cluster.url("postgres"), poolclass=NullPool)
        with self._engine.begin() as connection:
            connection.execute(text("CREATE TABLE rows (id bigint PRIMARY KEY, filling text)"))
            many = f"INSERT INTO rows SELECT -n, repeat(md5(n::text), 10) FROM generate_series(1, {ROWS}) n"
            connection.execute(text(many))
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        assert self._enough.wait(60)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._engine.dispose()

    def _write(self) -> None:
        try:
            with self._engine.connect() as connection:
                while not self._stopping.is_set():
                    row = {"id": self.committed + 1}
                    connection.execute(text("INSERT INTO rows VALUES (:id, repeat('x', 500))"), row)
                    connection.commit()
                    self.committed += 1
                    if self.committed == RUNNING:
                        self._enough.set()
        except DBAPIError:
            pass  # it was stopped


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    cluster.make("--data-checksums")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop("immediate")


def rows(cluster: Cluster) -> tuple[int, int]:
    """How many were written one by one, and the newest of them."""
    engine = create_engine(cluster.url("postgres"), poolclass=NullPool)
    with engine.connect() as connection:
        counted = connection.execute(text("SELECT count(*), max(id) FROM rows WHERE id > 0")).one()
        assert connection.execute(text("SELECT count(*) FROM rows WHERE id < 0")).scalar() == ROWS
    engine.dispose()
    return counted[0], counted[1]


def test_a_database_that_writes_until_its_script_stops_it_starts_clean_on_the_copy(
    ends: Ends, scripts: Scripts
) -> None:
    with running(ends.source / "postgres") as cluster:
        stop = shlex.join(map(str, cluster.words(*cluster.control("-m", "fast", "stop"))))
        scripts.add("before", "10-postgresql", stop)
        writer = Writer(cluster)
        ends.quiet = scripts.quiet
        _, received = ends.copy()
        writer.stop()
    assert received.proof[0].equal
    assert differences(ends.source, ends.target) == ""
    copy = Cluster(ends.target / "postgres")
    copy.call("pg_checksums", "--check", "-D", copy.data)  # refuses one that was not shut down
    copy.log.unlink()
    try:
        copy.start()
        count, newest = rows(copy)
    finally:
        copy.stop()
    told = copy.log.read_text()
    assert "database system was shut down at" in told
    assert "interrupted" not in told and "redo" not in told
    # What was answered is there; one more may have been committed when the answer was cut off.
    assert count == newest
    assert writer.committed <= newest <= writer.committed + 1


def test_a_database_that_was_not_stopped_has_to_be_recovered_at_best(ends: Ends) -> None:
    with running(ends.source / "postgres") as cluster:
        writer = Writer(cluster)
        ends.copy()
        writer.stop()
    copy = Cluster(ends.target / "postgres")
    state = copy.call("pg_controldata", "-D", copy.data)
    assert "in production" in state, "it was running when it was copied"
