"""`smc user`: people with a password, for the console."""

import sys
from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="People with a password, for the console.")

Name = Annotated[str, typer.Argument(help="User name.")]


@app.command("create")
def create(
    name: Name,
    role: Annotated[str, typer.Option(help="admin; operator: all but keys and users; reader.")] = "operator",
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Make a user; the password is asked for, or read from standard input."""
    wanted = {"UserName": name, "Role": role}
    connect(data_dir).call("CreateUser", wanted, hidden={"Password": _password()})
    out.print(f"created {name}")


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All users."""
    answer = connect(data_dir).call("DescribeUsers")
    if as_json:
        show_json(answer)
        return
    columns = ("NAME", "ROLE", "MADE")
    show_table(columns, ((u["UserName"], u["Role"], u["CreationTime"]) for u in answer["Users"]["User"]))


@app.command("password")
def password(name: Name, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Give a user another password."""
    connect(data_dir).call("SetPassword", {"UserName": name}, hidden={"Password": _password()})
    out.print(f"changed the password of {name}")


@app.command("delete")
def delete(name: Name, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Forget a user."""
    connect(data_dir).call("DeleteUser", {"UserName": name})
    out.print(f"deleted {name}")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
