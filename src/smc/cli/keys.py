"""`smc key`: access keys, with which this command line and any SDK call the center."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect, login_of
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, save, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Access keys: who may call the center, and for what.")

KeyId = Annotated[str, typer.Argument(help="Access key id.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name for the list.")],
    role: Annotated[str, typer.Option(help="admin; operator: all but keys and users; reader.")] = "operator",
    into: Annotated[
        Path | None, typer.Option(help="Write a key file, which SMC_LOGIN can name, instead of showing it.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    api = connect(data_dir)
    made = api.call("CreateAccessKey", {"Name": name, "Role": role})
    if into is not None:
        login = msgspec.structs.replace(
            login_of(data_dir),
            access_key_id=made["UserAccessKeyId"],
            access_key_secret=made["UserAccessKeySecret"],
        )
        try:
            save(into, msgspec.json.encode(login) + b"\n", mode=0o600)
        except UserError:  # nobody would ever know its secret
            api.call("DeleteAccessKey", {"UserAccessKeyId": login.access_key_id})
            raise
        out.print(f"created {made['UserAccessKeyId']} in {into}")
    elif as_json:
        show_json(made)
    else:
        out.print(f"created, its secret is shown this once: {made['UserAccessKeyId']}")
        out.print(made["UserAccessKeySecret"], markup=False)


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All keys, without their secrets."""
    answer = connect(data_dir).call("DescribeAccessKeys")
    if as_json:
        show_json(answer)
        return
    show_table(
        ("ID", "NAME", "ROLE", "STATUS", "MADE", ""),
        (
            (
                key["UserAccessKeyId"],
                key["Name"],
                key["Role"],
                key["Status"],
                key["CreationTime"],
                "this one" if key["Own"] else "",
            )
            for key in answer["AccessKeys"]["AccessKey"]
        ),
    )


@app.command("disable")
def disable(key: KeyId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Let it in no more, until it is enabled."""
    connect(data_dir).call("DisableAccessKey", {"UserAccessKeyId": key})
    out.print(f"disabled {key}")


@app.command("enable")
def enable(key: KeyId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Let it in again."""
    connect(data_dir).call("EnableAccessKey", {"UserAccessKeyId": key})
    out.print(f"enabled {key}")


@app.command("delete")
def delete(key: KeyId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Forget it."""
    connect(data_dir).call("DeleteAccessKey", {"UserAccessKeyId": key})
    out.print(f"deleted {key}")
