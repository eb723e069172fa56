"""`smc event`: what happened to jobs, sources and images, and who asked for it."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.api import Api, Json

app = typer.Typer(no_args_is_help=True, help="What happened.")

FOLLOW_SECONDS = 1.0  # between two questions
PATIENCE_SECONDS = 60.0  # with a center that restarts
PAGE = 50


@app.command("list")
def list_(
    job: Annotated[list[str] | None, typer.Option(help="Of this job; may be given again.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Of this source; may be given again.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Of this kind, for example Job.InError; may be given again.")
    ] = None,
    level: Annotated[str, typer.Option(help="info, warning or error: that one and those above.")] = "info",
    since: Annotated[str, typer.Option(help="Not before this time: 2026-11-22T10:00:00Z.")] = "",
    most: Annotated[int, typer.Option(help="How many, the newest.", min=1, max=PAGE)] = PAGE,
    follow: Annotated[bool, typer.Option("--follow", help="Then go on with each new one.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Events, the oldest first."""
    api = connect(data_dir)
    wanted: Json = {
        "JobId": job or None,
        "SourceId": source or None,
        "Kind": kind or None,
        "Level": level,
        "StartTime": since or None,
        "PageSize": most,
    }
    answer = api.call("DescribeEvents", wanted)
    found = answer["Events"]["Event"]
    if as_json and not follow:
        show_json(answer)
        return
    if follow:
        for event in _followed(api, wanted, found):
            print_event(event)
        return
    columns = ("TIME", "LEVEL", "KIND", "BY", "WHAT")
    show_table(
        columns, ((e["Time"], e["Level"], e["Kind"], e["Actor"], e["Message"]) for e in reversed(found))
    )


def print_event(event: Json) -> None:
    by = f" by {event['Actor']}" if event["Actor"] else ""
    out.print(
        f"{event['Time']} {event['Level']:7} {event['Kind']}{by}: {event['Message']}",
        markup=False,
        soft_wrap=True,
    )


def _followed(api: Api, wanted: Json, found: list[Json]) -> Iterator[Json]:
    """Those that are there, then each new one; over a restart of the center too."""
    yield from reversed(found)
    last = found[0]["EventId"] if found else _newest(api)
    while True:
        after = {**wanted, "AfterEventId": last, "PageSize": PAGE}
        answer = api.call_until_reached("DescribeEvents", after, seconds=PATIENCE_SECONDS)
        for event in answer["Events"]["Event"]:
            last = event["EventId"]
            yield event
        if answer["TotalCount"] <= PAGE:
            time.sleep(FOLLOW_SECONDS)


def _newest(api: Api) -> int:
    """Of any kind: nothing that was before is told."""
    newest = api.call("DescribeEvents", {"PageSize": 1})["Events"]["Event"]
    return int(newest[0]["EventId"]) if newest else 0
