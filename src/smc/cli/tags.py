"""`smc tag`: tags of sources, jobs and workgroups, and the option --tag."""

from collections.abc import Sequence
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.api import Json
from smc.client.views import tag_rows

app = typer.Typer(no_args_is_help=True, help="Tags of sources, jobs and workgroups.")

KINDS = {"s-": "sourceserver", "j-": "replicationjob", "w-": "workgroup"}

TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A tag; may be given again.")
]
TagFilter = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY[=VALUE]", help="Only what carries this tag; may be given again."),
]
ThingId = Annotated[str, typer.Argument(help="Id of a source, job or workgroup: s-..., j-... or w-...")]


@app.command("add")
def add(
    thing: ThingId,
    tags: Annotated[list[str], typer.Argument(help="KEY=VALUE; a key that is there gets the new value.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Give a thing tags."""
    wanted = {"ResourceType": kind_of(thing), "ResourceId": [thing], "Tag": given(tags)}
    connect(data_dir).call("TagResources", wanted)
    out.print(f"tagged {thing}")


@app.command("remove")
def remove(
    thing: ThingId,
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of the tags to take away.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Take all of them away.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Take tags away from a thing."""
    wanted = {"ResourceType": kind_of(thing), "ResourceId": [thing], "TagKey": keys or None, "All": every}
    connect(data_dir).call("UntagResources", wanted)
    out.print(f"untagged {thing}")


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="sourceserver, replicationjob or workgroup.")],
    tag: TagFilter = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Tags of all things of a kind."""
    rows = tag_rows(connect(data_dir), ResourceType=kind, Tag=given(tag, wanted=True) or None)
    if as_json:
        show_json({"TagResources": {"TagResource": rows}})
        return
    show_table(("ID", "KEY", "VALUE"), ((r["ResourceId"], r["TagKey"], r["TagValue"]) for r in rows))


def given(texts: Sequence[str] | None, *, wanted: bool = False) -> list[Json]:
    """`team=shop` as the API takes it; in a filter (`wanted`) a key alone stands for any value.

    Raises `UserError` (`InvalidParameter.Tag`).
    """
    tags: list[Json] = []
    for text in texts or ():
        key, is_pair, value = text.partition("=")
        if not key or not (is_pair or wanted):
            raise UserError(
                f"--tag {text}: KEY=VALUE is wanted",
                code="InvalidParameter.Tag",
                hint="For example team=shop; an empty value is written team=",
            )
        tags.append({"Key": key, "Value": value} if is_pair else {"Key": key})
    return tags


def kind_of(thing: str) -> str:
    """Raises `UserError` (`InvalidResourceId.NotFound`)."""
    kind = KINDS.get(thing[:2])
    if kind is None:
        raise UserError(
            f"{thing} is no source, job or workgroup",
            code="InvalidResourceId.NotFound",
            hint="Ids begin with s-, j- or w-.",
        )
    return kind
