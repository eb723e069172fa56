"""Which center the command line talks to: --data-dir, or a key file named by SMC_LOGIN."""

import os
from pathlib import Path
from typing import Annotated

import typer

from smc.client.api import Api, Login, read_login

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]


def connect(data_dir: Path) -> Api:
    return Api(login_of(data_dir))


def login_of(data_dir: Path) -> Login:
    named = os.environ.get("SMC_LOGIN")
    return read_login(Path(named) if named else data_dir / "admin-key.json")
