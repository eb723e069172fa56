"""How the command line speaks: tables, JSON, files, errors with their cure."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smc.base.errors import SmcError, UserError
from smc.base.files import write_atomic

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


def save(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Whole or not at all. Raises `UserError` (`File.NotWritable`)."""
    try:
        write_atomic(path, content, mode=mode)
    except OSError as e:
        raise UserError(
            f"{path} cannot be written: {e.strerror or e}",
            code="File.NotWritable",
            hint="Name a file in a folder that is there and can be written to.",
        ) from e


def show_error(error: SmcError) -> None:
    """A sentence, the code to look up, and what to do."""
    word = "refused" if isinstance(error, UserError) else "failed"
    err.print(word, style="bold red", end=" ")
    err.print(f"[{error.code}] {error.message}", markup=False, soft_wrap=True)
    if error.hint:
        err.print(f"  -> {error.hint}", markup=False, soft_wrap=True)
