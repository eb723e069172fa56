"""`smc workgroup`: sources that are moved together."""

from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.cli.tags import TagOption, given
from smc.client.api import Json
from smc.client.views import Workgroup, workgroups

app = typer.Typer(no_args_is_help=True, help="Workgroups: sources that are moved together.")

WorkgroupId = Annotated[str, typer.Argument(help="Workgroup id: w-...")]
SourceIds = Annotated[list[str], typer.Argument(help="Source ids: s-..., at most 50.")]
AtOnce = Annotated[
    int | None, typer.Option("--at-once", min=1, help="At most so many jobs run at the same time.")
]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="2-64 characters, starts with a letter; unique.")],
    description: Annotated[str, typer.Option(help="2-256 characters.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="A source to put in; may be given again.")] = None,
    tag: TagOption = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a workgroup."""
    api = connect(data_dir)
    wanted = {"Name": name, "Description": description or None, "Tag": given(tag) or None}
    made = api.call("CreateWorkgroup", wanted)
    if source:
        api.call("AssociateSourceServers", {"WorkgroupId": made["WorkgroupId"], "SourceId": source})
    if as_json:
        show_json(made)
    else:
        out.print(f"created workgroup {made['WorkgroupId']}")


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All workgroups: how far each is, and what is wrong in it."""
    api = connect(data_dir)
    found = workgroups(api)
    if as_json:
        show_json(api.call("DescribeWorkgroups", {"PageSize": 50}))
        return
    show_table(("ID", "NAME", "STATUS", "WARNINGS", "DESCRIPTION"), (_row(group) for group in found))


@app.command("modify")
def modify(
    workgroup: WorkgroupId,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    description: Annotated[str | None, typer.Option(help="Another description.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Change name or description."""
    wanted = {"WorkgroupId": workgroup, "Name": name, "Description": description}
    connect(data_dir).call("ModifyWorkgroupAttribute", wanted)
    out.print(f"changed {workgroup}")


@app.command("delete")
def delete(workgroup: WorkgroupId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Delete a workgroup that has no sources."""
    connect(data_dir).call("DeleteWorkgroup", {"WorkgroupId": workgroup})
    out.print(f"deleted {workgroup}")


@app.command("add")
def add(workgroup: WorkgroupId, sources: SourceIds, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Put sources into a workgroup; a source is in one at most."""
    connect(data_dir).call("AssociateSourceServers", {"WorkgroupId": workgroup, "SourceId": sources})
    out.print(f"added to {workgroup}: {', '.join(sources)}")


@app.command("remove")
def remove(workgroup: WorkgroupId, sources: SourceIds, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Take sources out of a workgroup; they and their jobs stay."""
    connect(data_dir).call("DisassociateSourceServers", {"WorkgroupId": workgroup, "SourceId": sources})
    out.print(f"removed from {workgroup}: {', '.join(sources)}")


@app.command("start")
def start(
    workgroup: WorkgroupId,
    at_once: AtOnce = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Start the jobs of all its sources, those that failed or were stopped too."""
    wanted = {"WorkgroupId": workgroup, "MaxConcurrency": at_once}
    answer = connect(data_dir).call("StartWorkgroupJobs", wanted)
    _tell(answer, "starts", as_json=as_json)


@app.command("cutover")
def cutover(
    workgroup: WorkgroupId,
    sync: Annotated[
        bool, typer.Option("--sync/--no-sync", help="Whether a last round moves what has changed since.")
    ] = True,
    at_once: AtOnce = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """End the incremental jobs of all its sources that wait for their next round."""
    wanted = {"WorkgroupId": workgroup, "SyncData": sync, "MaxConcurrency": at_once}
    answer = connect(data_dir).call("CutOverWorkgroupJobs", wanted)
    _tell(answer, "cuts over", as_json=as_json)


@app.command("batches")
def batches(
    workgroup: Annotated[str, typer.Argument(help="Workgroup id; all if not given.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """What was started for whole workgroups, and how each job of it fares."""
    wanted = {"WorkgroupId": workgroup or None, "PageSize": 50}
    answer = connect(data_dir).call("DescribeBatches", wanted)
    if as_json:
        show_json(answer)
        return
    show_table(
        ("BATCH", "WORKGROUP", "KIND", "MADE", "JOB", "SOURCE", "STATE", "REMARK"),
        (
            (
                batch["BatchId"],
                batch["WorkgroupId"],
                batch["Kind"],
                batch["CreationTime"],
                job["JobId"],
                job["SourceId"],
                job["State"],
                f"{job['Code']} {job['Message']}".strip(),
            )
            for batch in answer["Batches"]["Batch"]
            for job in batch["Jobs"]["Job"]
        ),
    )


@app.command("cancel")
def cancel(
    batch: Annotated[str, typer.Argument(help="Batch id: b-...")], data_dir: DataDir = DEFAULT_DATA_DIR
) -> None:
    """Begin no more jobs of a batch; those that run go on."""
    connect(data_dir).call("CancelBatch", {"BatchId": batch})
    out.print(f"cancelled {batch}")


def _tell(answer: Json, does: str, *, as_json: bool) -> None:
    if as_json:
        show_json(answer)
        return
    out.print(f"batch {answer['BatchId']} {does} {len(answer['JobIds']['JobId'])} jobs")
    for skipped in answer["Skipped"]["Source"]:
        state = skipped["Status"] or "it has no job"
        out.print(f"  not {skipped['SourceId']} {skipped['JobId']}: {state}", markup=False)


def _row(group: Workgroup) -> tuple[object, ...]:
    warnings = [
        f"{warning.warning_type}: {' '.join(warning.source_ids.source_id)}"
        for warning in group.warnings.warning
    ]
    return group.workgroup_id, group.name, group.status, "; ".join(warnings), group.description
