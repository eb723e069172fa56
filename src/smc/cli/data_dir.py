"""Where a center keeps what it has: the option --data-dir of every verb."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA_DIR = Path.home() / ".local/share/smc"

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="SMC_DATA_DIR",
        help="Folder of the center; its admin-key.json logs you in.",
    ),
]
