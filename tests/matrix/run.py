"""`make test-machines`: migrates and boots each machine of the matrix, and writes what became of it.

It may be stopped and started again: a row is recorded when it ends, and one that has booted with the same
commit of the product is not repeated. `ONLY=id,id` picks rows (`ci`: three that differ), `AGAIN=1` repeats.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from demo.stages import Failed, Stages, say
from tests.matrix import record
from tests.matrix.builder import Built, build
from tests.matrix.migrate import migrate
from tests.matrix.rows import CI, rows

from smc.base.errors import SmcError

FOLDER = Path("build/matrix")
PRODUCT = ("src", "packaging/agent")  # a change of these asks for another run of every row
CAUSE_KEPT = 1500  # characters


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end what was started, as for Ctrl-C
    table, outcomes, commit = rows(), record.read(), product_commit()
    try:
        chosen = choose(os.environ.get("ONLY", ""), table)
    except Failed as e:
        say(str(e))
        return 2
    record.write(outcomes, table)
    again = os.environ.get("AGAIN") == "1"
    todo = [name for name in chosen if again or not is_done(outcomes.get(name), commit)]
    say(f"test-machines: {len(chosen) - len(todo)} of {len(chosen)} booted at this commit already")
    with building(todo, table) as sources:
        for name in todo:
            say(f"{name}: begins")
            outcome = one(table[name], sources[name], FOLDER / name, commit)
            outcomes = {**record.read(), name: outcome}  # another run may have recorded other rows meanwhile
            record.write(outcomes, table)
            say(f"{name}: {outcomes[name].result} {outcomes[name].cause} {outcomes[name].stages}")
    bad = [name for name in chosen if outcomes[name].result != record.BOOTED]
    say(f"test-machines: {len(chosen) - len(bad)} of {len(chosen)} booted; see docs/reference/boots.md")
    return 1 if bad else 0


@contextmanager
def building(names: list[str], table: dict[str, dict[str, str]]) -> Iterator[dict[str, Callable[[], Built]]]:
    """The sources of the rows, built one after the other while earlier rows are migrated."""
    with ThreadPoolExecutor(max_workers=1) as builder:
        try:
            yield {name: builder.submit(build, table[name], name).result for name in names}
        finally:
            builder.shutdown(cancel_futures=True)


def choose(only: str, table: dict[str, dict[str, str]]) -> list[str]:
    """Raises `Failed` for a row that is not in the table."""
    if not only:
        return list(table)
    names = list(CI) if only == "ci" else [name.strip() for name in only.split(",")]
    unknown = [name for name in names if name not in table]
    if unknown:
        raise Failed(f"no row {', '.join(unknown)}; the rows: {', '.join(table)}")
    return names


def is_done(known: record.Outcome | None, commit: str) -> bool:
    return known is not None and known.result == record.BOOTED and known.commit == commit


def one(row: dict[str, str], source_of: Callable[[], Built], folder: Path, commit: str) -> record.Outcome:
    stages = Stages()
    cause = ""
    try:
        migrate(row, source_of, folder, stages)
    except (Failed, SmcError, OSError, subprocess.SubprocessError) as e:
        cause = shortened(str(e) or type(e).__name__)
    return record.Outcome(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        result=record.FAILED if cause else record.BOOTED,
        seconds=round(stages.total),
        stage=stages.where if cause else "",
        cause=cause,
        stages={stage: round(seconds) for stage, seconds in stages.seconds.items()},
    )


def shortened(cause: str) -> str:
    """In one line, without the folders of this machine."""
    for folder in (str(Path.cwd()), str(Path.home())):
        cause = cause.replace(f"{folder}/", "")
    return " ".join(cause.split())[:CAUSE_KEPT]


def product_commit() -> str:
    """The last that changed the product; with `+` when files of it are changed and not committed."""
    last = _git("log", "-1", "--format=%H", "--", *PRODUCT)
    return last[:12] + ("+" if _git("status", "--porcelain", "--", *PRODUCT) else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    say(f"after {time.monotonic() - started:.0f} s")
    sys.exit(status)
