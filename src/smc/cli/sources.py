"""`smc source`: the servers that can be moved."""

import json
from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.views import OPERATOR_WORDS, Source, sources

app = typer.Typer(no_args_is_help=True, help="Migration sources: the servers that can be moved.")

SourceId = Annotated[str, typer.Argument(help="Source id: s-...")]


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All sources with what their agents say."""
    api = connect(data_dir)
    found = sources(api)
    if as_json:
        show_json(api.call("DescribeSourceServers", {"PageSize": 50}))
        return
    show_table(
        ("ID", "HOST", "ADDRESS", "PLATFORM", "DISK", "STATE", "JOB", "REMARK"), (_row(s) for s in found)
    )


@app.command("rename")
def rename(
    source: SourceId,
    name: Annotated[str, typer.Argument(help="2-128 characters, starts with a letter.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Give a source a name of your own."""
    connect(data_dir).call("ModifySourceServerAttribute", {"SourceId": source, "Name": name})
    out.print(f"{source} is now {name}")


@app.command("delete")
def delete(
    source: SourceId,
    force: Annotated[
        bool, typer.Option("--force", help="Also delete its jobs that are not running.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Forget a source; nothing on the server itself is touched (stop its agent with `smc-agent --abort`)."""
    connect(data_dir).call("DeleteSourceServer", {"SourceId": source, "Force": force})
    out.print(f"deleted {source}")


def _row(source: Source) -> tuple[object, ...]:
    info = json.loads(source.system_info or "{}")
    return (
        source.source_id,
        info.get("hostname", source.name),
        info.get("ipv4", ""),
        f"{source.platform} {source.architecture}",
        f"{source.system_disk_size} GiB",
        OPERATOR_WORDS.get(source.state, source.state),
        source.job_id,
        source.error_code,
    )
