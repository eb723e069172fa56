"""A store as `open_database` makes it, made once a process: a test that only uses one need not make it anew.

What the revisions do is the subject of test_migrations.py; the center of every other test opens a copy and
still looks for revisions that are missing in it.
"""

import tempfile
from functools import cache
from pathlib import Path

from smc.center.store.database import open_database, url_of


def made_store(folder: Path) -> str:
    """The URL of the store in `folder`: the one that is there, or else a new one."""
    file = folder / "center.db"
    if not file.exists():
        file.write_bytes(_empty())
    return url_of(folder)


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory(prefix="smc-store-") as folder:
        open_database(url_of(Path(folder))).close()  # the last connection writes the WAL into the file
        return (Path(folder) / "center.db").read_bytes()
