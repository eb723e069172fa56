"""How the command line speaks: tables, JSON, errors with their cure."""

import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smc.base.errors import SmcError, UserError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def show_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column.endswith("ID"))  # ids are copied by hand
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))  # what is in a cell is never markup
    out.print(table)


def show_error(error: SmcError) -> None:
    """A sentence, the code to look up, and what to do."""
    word = "refused" if isinstance(error, UserError) else "failed"
    err.print(word, style="bold red", end=" ")
    err.print(f"[{error.code}] {error.message}", markup=False, soft_wrap=True)
    if error.hint:
        err.print(f"  -> {error.hint}", markup=False, soft_wrap=True)
