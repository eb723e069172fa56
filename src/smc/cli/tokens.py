"""`smc token`: activation codes, with which sources are imported."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.views import tokens
from smc.wire.dial import is_loopback

app = typer.Typer(no_args_is_help=True, help="Activation codes: import sources with them.")

TokenId = Annotated[str, typer.Argument(help="Activation code id: at-...")]


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="A name for the list.")] = "",
    count: Annotated[int, typer.Option(help="How many sources it imports, 1-1000.")] = 200,
    days: Annotated[int, typer.Option(help="How long it is good, 1-90 days.")] = 90,
    host: Annotated[
        str,
        typer.Option(help="Address by which the sources reach this center; the public host if not given."),
    ] = "",
    workgroup: Annotated[str, typer.Option(help="Workgroup (w-...) that the sources join.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make an activation code and print the line to run, as root, on each Linux source."""
    api = connect(data_dir)
    made = api.call(
        "CreateAccessToken",
        {
            "Name": name or None,
            "Count": str(count),
            "TimeToLiveInDays": str(days),
            "WorkgroupId": workgroup or None,
        },
    )
    command = api.call(
        "DescribeImportCommand",
        {
            "AccessTokenId": made["AccessTokenId"],
            "AccessTokenCode": made["AccessTokenCode"],
            "Host": host or None,
        },
    )
    if as_json:
        show_json({**made, "LinuxCommand": command["LinuxCommand"]})
        return
    out.print(
        f"Activation code [bold]{made['AccessTokenId']}[/], shown this once. On each source, as root:\n"
    )
    print(command["LinuxCommand"])
    _tell_of_loopback(command["LinuxCommand"])
    out.print("\nThere is no agent for Windows; `smc image check FILE` looks at an image of one.")


def _tell_of_loopback(command: str) -> None:
    center = command.partition("--center ")[2].partition(" ")[0]
    if is_loopback(host := urlsplit(center).hostname or ""):
        out.print(
            f"\n[bold]No other machine reaches the center at {host}.[/] For sources elsewhere make a new "
            "code with --host ADDRESS, which is this machine's as they see it, or start the center with "
            "--public-host ADDRESS."
        )


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All activation codes: how often used, how long good."""
    api = connect(data_dir)
    if as_json:
        show_json(api.call("ListAccessTokens"))
        return
    show_table(
        ("ID", "NAME", "USED", "OF", "DAYS", "STATUS", "MADE"),
        (
            (
                t.access_token_id,
                t.name,
                t.registered_count,
                t.count,
                t.time_to_live_in_days,
                t.status,
                t.creation_time,
            )
            for t in tokens(api)
        ),
    )


@app.command("disable")
def disable(token: TokenId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Let it import no more; sources that are imported already keep working."""
    connect(data_dir).call("DisableAccessToken", {"AccessTokenId": token})
    out.print(f"disabled {token}")


@app.command("delete")
def delete(token: TokenId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Forget it; sources that are imported already keep working."""
    connect(data_dir).call("DeleteAccessToken", {"AccessTokenId": token})
    out.print(f"deleted {token}")
