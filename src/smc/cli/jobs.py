"""`smc job`: what jobs there are, and what is to be known of one."""

from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.job_options import LONGEST_WAIT_SECONDS, JobId, job_as_told
from smc.cli.job_report import print_report
from smc.cli.job_shown import print_job
from smc.cli.output import out, show_json, show_table
from smc.cli.progress import describe, details, follow
from smc.cli.tags import TagFilter, given
from smc.client.api import Json
from smc.client.views import jobs, operator_word, parse
from smc.client.watch import Moment, ProgressView, job_named

app = typer.Typer(no_args_is_help=True, help="Migration jobs.")


@app.command("watch")
def watch_(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Show stage, percent, speed and time left until the job has ended; exit 1 unless it finished."""
    follow(connect(data_dir), job, seconds=LONGEST_WAIT_SECONDS)


@app.command("list")
def list_(
    resource_group: Annotated[str, typer.Option(help="Only those of this resource group.")] = "",
    tag: TagFilter = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Jobs, newest first."""
    api = connect(data_dir)
    wanted: Json = {"ResourceGroupId": resource_group or None, "Tag": given(tag, wanted=True) or None}
    if as_json:
        show_json(api.call("DescribeReplicationJobs", {"PageSize": 50, **wanted}))
        return
    show_table(
        ("ID", "NAME", "SOURCE", "STATUS", "%", "IMAGE OR INSTANCE", "REMARK"),
        (
            (
                j.job_id,
                j.name,
                j.source_id or j.instance_id,
                operator_word(j),
                f"{j.progress:.0f}",
                j.image_id or (j.instance_id if j.source_id else j.delivered_instance_id),
                j.error_code,
            )
            for j in jobs(api, **wanted)
        ),
    )


@app.command("show")
def show(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Where a job stands, when it goes on by itself, and what it keeps in the cloud."""
    told = job_as_told(connect(data_dir), job)
    if as_json:
        show_json(told)
    else:
        print_job(told)


@app.command("progress")
def progress(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """How far a job is, once."""
    api = connect(data_dir)
    answer = api.call("DescribeJobProgress", {"JobId": job})
    if as_json:
        show_json(answer)
        return
    moment = Moment(job=job_named(api, job), progress=parse(answer, ProgressView))
    out.print(describe(moment), markup=False)
    if moment.progress.bytes_total:
        for line in details(moment.progress):
            out.print(f"  {line}", markup=False)


@app.command("report")
def report(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """What the conversion changed and why, what the checks found, and the proof that the copy is equal."""
    answer = connect(data_dir).call("DescribeReports", {"JobId": job})
    if as_json:
        show_json(answer)
        return
    for entry in answer["Reports"]["Report"]:
        print_report(entry)


@app.command("log")
def log(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """What happened to a job, line by line."""
    answer = connect(data_dir).call("DescribeJobLog", {"JobId": job})
    if as_json:
        show_json(answer)
        return
    show_table(
        ("TIME", "LEVEL", "WHAT"),
        ((line["Time"], line["Level"], line["Message"]) for line in answer["LogLines"]["LogLine"]),
    )
