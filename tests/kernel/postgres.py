"""Debian's PostgreSQL for a test: a cluster in a temporary folder, on a unix socket alone, not as root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

HOME = Path("/usr/lib/postgresql")  # a folder for each version, whose bin is not in PATH
NOBODY = "postgres"  # the user that the package makes; the programs refuse to run as root
SECONDS = 60.0


class Postgres:
    """`fresh` makes an empty database and gives its URL, as `smc serve --database-url` takes it."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._made = 0

    def fresh(self) -> str:
        self._made += 1
        name = f"test{self._made}"
        engine = create_engine(
            self._cluster.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._cluster.url(name)


class Cluster:
    """One in a folder, which goes with it when it is copied; `options` as initdb takes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "log"
        self._user = NOBODY if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def make(self, *options: str) -> None:
        self.folder.mkdir(exist_ok=True)
        shutil.chown(self.folder, self._user)
        self.call("initdb", "-D", self.data, "-U", "smc", "-A", "trust", "-E", "UTF8", *options)

    def start(self, *settings: str) -> None:
        options = " ".join(f"-c {setting}" for setting in ("listen_addresses=''", *settings))
        self.call(*self.control("-l", self.log, "-o", f"-k {self.folder} {options}", "start"))

    def stop(self, mode: str = "fast") -> None:
        """Nothing happens when it does not run."""
        if (self.data / "postmaster.pid").exists():
            self.call(*self.control("-m", mode, "stop"))

    def control(self, *words: str | Path) -> list[str | Path]:
        return ["pg_ctl", "-D", self.data, "-w", "-t", str(int(SECONDS)), *words]

    def words(self, program: str | Path, *words: str | Path) -> list[str | Path]:
        """How to call one of its programs as its user."""
        line: list[str | Path] = [_programs() / program, *words]
        if os.geteuid() == 0:
            line = ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups", *line]
        return line

    def call(self, program: str | Path, *words: str | Path) -> str:
        line = self.words(program, *words)
        done = subprocess.run(
            line, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        told = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        assert done.returncode == 0, f"{line}: {done.stdout[-1000:]}{done.stderr[-1000:]}{told}"
        return done.stdout

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://smc@/{database}?host={self.folder}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Nothing is written for a power cut: what is tested is what it answers."""
    folder = Path(tempfile.mkdtemp(prefix="smc-pg-"))  # not pytest's: another user must get into it
    cluster = Cluster(folder)
    try:
        cluster.make("-N")
        cluster.start("fsync=off", "max_connections=50")
        yield Postgres(cluster)
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder)


def _programs() -> Path:
    """Of the newest version. The package `postgresql` has them."""
    found = sorted(HOME.glob("*/bin"), key=lambda path: float(path.parent.name))
    assert found, "install the package postgresql"
    return found[-1]
