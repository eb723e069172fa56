"""Debian's PostgreSQL for a test: a cluster in a temporary folder, on a unix socket alone, not as root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

HOME = Path("/usr/lib/postgresql")  # a folder for each version, whose bin is not in PATH
NOBODY = "postgres"  # the user that the package makes; the programs refuse to run as root
SECONDS = 60.0


class Postgres:
    """`fresh` makes an empty database and gives its URL, as `smc serve --database-url` takes it."""

    def __init__(self, sockets: Path) -> None:
        self._sockets = sockets
        self._made = 0

    def fresh(self) -> str:
        self._made += 1
        name = f"test{self._made}"
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://smc@/{name}?host={self._sockets}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Nothing is written for a power cut: what is tested is what it answers."""
    folder = Path(tempfile.mkdtemp(prefix="smc-pg-"))  # not pytest's: another user must get into it
    user = NOBODY if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)
    data, programs = folder / "data", _programs()
    as_user: list[str | Path] = []
    if os.geteuid() == 0:
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    _run([*as_user, programs / "initdb", "-D", data, "-U", "smc", "-A", "trust", "-E", "UTF8", "-N"], folder)
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
    control: list[str | Path] = [*as_user, programs / "pg_ctl", "-D", data, "-w", "-t", str(int(SECONDS))]
    try:
        _run([*control, "-l", folder / "log", "-o", options, "start"], folder)
        yield Postgres(folder)
    finally:
        if (data / "postmaster.pid").exists():
            _run([*control, "-m", "immediate", "stop"], folder)
        shutil.rmtree(folder)


def _programs() -> Path:
    """Of the newest version. The package `postgresql` has them."""
    found = sorted(HOME.glob("*/bin"), key=lambda path: float(path.parent.name))
    assert found, "install the package postgresql"
    return found[-1]


def _run(words: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    log = folder / "log"
    told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    assert done.returncode == 0, f"{words}: {done.stdout[-1000:]}{done.stderr[-1000:]}{told}"
