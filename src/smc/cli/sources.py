"""`smc source`: the servers that can be moved."""

import json
from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.cli.tags import TagFilter, given
from smc.client.api import Json
from smc.client.views import OPERATOR_WORDS, Source, sources

app = typer.Typer(no_args_is_help=True, help="Migration sources: the servers that can be moved.")

SourceId = Annotated[str, typer.Argument(help="Source id: s-...")]


@app.command("list")
def list_(
    workgroup: Annotated[str, typer.Option(help="Only those of this workgroup: w-...")] = "",
    resource_group: Annotated[str, typer.Option(help="Only those of this resource group.")] = "",
    tag: TagFilter = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Sources with what their agents say."""
    api = connect(data_dir)
    wanted: Json = {
        "WorkgroupId": workgroup or None,
        "ResourceGroupId": resource_group or None,
        "Tag": given(tag, wanted=True) or None,
    }
    if as_json:
        show_json(api.call("DescribeSourceServers", {"PageSize": 50, **wanted}))
        return
    show_table(
        ("ID", "HOST", "ADDRESS", "PLATFORM", "DISK", "STATE", "JOB", "WORKGROUP", "REMARK"),
        (_row(s) for s in sources(api, **wanted)),
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


@app.command("modify")
def modify(
    source: SourceId,
    name: Annotated[str | None, typer.Option(help="2-128 characters, starts with a letter.")] = None,
    description: Annotated[str | None, typer.Option(help="At most 256 characters.")] = None,
    resource_group: Annotated[str | None, typer.Option(help="Its resource group: rg-...")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Change what is said of a source; what is not given stays as it is."""
    wanted = {
        "SourceId": source,
        "Name": name,
        "Description": description,
        "ResourceGroupId": resource_group,
    }
    connect(data_dir).call("ModifySourceServerAttribute", wanted)
    out.print(f"changed {source}")


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
        source.workgroup_id,
        source.error_code,
    )
