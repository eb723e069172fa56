"""What became of each row: kept as JSON, shown as the table of docs/reference/boots.md; a run writes both."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from tests.matrix.rows import FACTORS, IMPOSSIBLE

from smc.base.files import write_atomic

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
BOOTED, FAILED, NOT_RUN = "booted", "failed", "not run"
CAUSE_LONGEST = 300  # characters of a cause in the table; the record has all of it

HEAD = f"""# Machines that were migrated and booted

Written by `make test-machines`; do not edit. Each row is a server of its own, built from Debian's packages.
It boots, is imported by the operator's line, becomes an image by a job of the command line, and an instance
from that image is the same server by host name, machine id, a marker file and a login. A row that the
product refuses is `{FAILED}`, with the product's code. boots.json has the whole record of each row.

    make test-machines                    rows that have not booted at this commit, one after the other
    make test-machines ONLY=ID,ID         these; `ONLY=ci`: the three that `make test` migrates too
    make test-machines AGAIN=1            those that have booted too

Every pair of two values stands in some row, but for what cannot be. The last rows have something more, which
Debian has where somebody chose it (`besides`): dracut for the initramfs, whose image lacks the drivers of the
new machine; SELinux enforcing, with the labels of files the same and the policy's on both.

"""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`stage` is where a row failed; `commit` is the last that changed the product; `stages` in seconds."""

    date: str  # UTC, ISO 8601
    commit: str
    result: str
    seconds: int
    stage: str = ""
    cause: str = ""
    stages: dict[str, int] = {}


Outcomes = dict[str, Outcome]


def read(folder: Path = FOLDER) -> Outcomes:
    try:
        return msgspec.json.decode((folder / "boots.json").read_bytes(), type=Outcomes)
    except FileNotFoundError:
        return {}


def write(outcomes: Outcomes, table: Mapping[str, Mapping[str, str]], folder: Path = FOLDER) -> None:
    """The record first: the page can always be made from it."""
    known = {name: outcomes[name] for name in sorted(outcomes) if name in table}
    pretty = msgspec.json.format(msgspec.json.encode(known), indent=1)
    write_atomic(folder / "boots.json", pretty + b"\n")
    write_atomic(folder / "boots.md", page(known, table).encode())


def page(outcomes: Outcomes, table: Mapping[str, Mapping[str, str]]) -> str:
    columns = [*FACTORS, "besides", "date", "commit", "seconds", "cause", "result"]
    lines = [
        f"* {', '.join(f'{factor} {value}' for factor, value in values.items())}: {why}."
        for values, why in IMPOSSIBLE
    ]
    counted = dict.fromkeys((BOOTED, FAILED, NOT_RUN), 0)
    body = []
    for name, row in table.items():
        outcome = outcomes.get(name)
        counted[outcome.result if outcome else NOT_RUN] += 1
        values = [row.get(column, "") for column in (*FACTORS, "besides")]
        body.append(_line([*values, *_cells(outcome)]))
    lines += ["", ", ".join(f"{count} {result}" for result, count in counted.items()) + ".", ""]
    lines += [_line(columns), "|" + "---|" * len(columns), *body]
    return HEAD + "\n".join(lines) + "\n"


def _cells(outcome: Outcome | None) -> list[str]:
    if outcome is None:
        return ["", "", "", "", NOT_RUN]
    cause = f"{outcome.stage}: {outcome.cause[:CAUSE_LONGEST]}" if outcome.cause else ""
    return [outcome.date[:10], outcome.commit[:12], str(outcome.seconds), cause, outcome.result]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
