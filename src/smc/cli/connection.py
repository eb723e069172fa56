"""Which center the command line talks to: --data-dir, or a key file named by SMC_LOGIN."""

import os
from pathlib import Path
from typing import Annotated

import typer

from smc.client.api import Api, read_login

DEFAULT_DATA_DIR = Path.home() / ".local/share/smc"

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="SMC_DATA_DIR",
        help="Folder of the center; its admin-key.json logs you in.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]


def connect(data_dir: Path) -> Api:
    named = os.environ.get("SMC_LOGIN")
    return Api(read_login(Path(named) if named else data_dir / "admin-key.json"))
