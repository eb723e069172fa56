"""`smc subscription`: who is told of events, by webhook or e-mail."""

from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Who is told of events, by webhook or e-mail.")

SubscriptionId = Annotated[str, typer.Argument(help="Subscription id: n-...")]
Kind = Annotated[
    list[str] | None,
    typer.Option(help="Only of this kind: Job, Job.InError, Source.Offline, Audit ...; may be given again."),
]
URL_HELP = "https://HOST/PATH, or mailtos://USER:PASSWORD@SERVER:PORT?from=ADDRESS&to=ADDRESS."


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name, unique.")],
    url: Annotated[str, typer.Argument(help=URL_HELP)],
    kind: Kind = None,
    level: Annotated[str, typer.Option(help="info, warning or error: that one and those above.")] = "info",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Tell a webhook or people of events from now on."""
    wanted = {"Name": name, "Url": url, "Kind": kind or None, "Level": level}
    answer = connect(data_dir).call("CreateSubscription", wanted)
    if as_json:
        show_json(answer)
    else:
        out.print(f"created {answer['SubscriptionId']}; try it with `smc subscription test`")


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All subscriptions, and how their messages fare."""
    answer = connect(data_dir).call("DescribeSubscriptions")
    if as_json:
        show_json(answer)
        return
    show_table(
        ("ID", "NAME", "URL", "KINDS", "LEVEL", "ON", "WAITING", "TOLD", "GIVEN UP", "LAST ERROR"),
        (
            (
                s["SubscriptionId"],
                s["Name"],
                s["Url"],
                " ".join(s["Kinds"]["Kind"]) or "all",
                s["Level"],
                "yes" if s["Enabled"] else "no",
                s["Waiting"],
                s["Delivered"],
                s["GivenUp"],
                s["LastError"],
            )
            for s in answer["Subscriptions"]["Subscription"]
        ),
    )


@app.command("modify")
def modify(
    subscription: SubscriptionId,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    url: Annotated[str | None, typer.Option(help=URL_HELP)] = None,
    kind: Kind = None,
    level: Annotated[str | None, typer.Option(help="info, warning or error.")] = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is told anything.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Change a subscription; what is not given stays as it is."""
    wanted = {"SubscriptionId": subscription, "Name": name, "Url": url, "Kind": kind or None}
    connect(data_dir).call("ModifySubscription", {**wanted, "Level": level, "Enabled": enabled})
    out.print(f"changed {subscription}")


@app.command("test")
def test(subscription: SubscriptionId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Send a message now."""
    connect(data_dir).call("TestSubscription", {"SubscriptionId": subscription})
    out.print("sent")


@app.command("delete")
def delete(subscription: SubscriptionId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Tell it no more."""
    connect(data_dir).call("DeleteSubscription", {"SubscriptionId": subscription})
    out.print(f"deleted {subscription}")
