"""`smc job`: one migration of one source, from creation to the reports."""

import re
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect
from smc.cli.container_option import Container, target
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.instance_options import Private, PrivateIp, TargetDisk, TargetInstance, YesErase, onto
from smc.cli.job_report import print_report
from smc.cli.output import out, show_json, show_table
from smc.cli.progress import describe, details, follow
from smc.cli.transfer_options import (
    BandwidthLimit,
    Checksum,
    CompressLevel,
    DiskExclude,
    Exclude,
    Ssl,
    excludes,
    parameters,
)
from smc.client.api import Api, Json
from smc.client.views import jobs, operator_word, parse
from smc.client.watch import Moment, ProgressView, job_named

app = typer.Typer(no_args_is_help=True, help="Migration jobs.")

JobId = Annotated[str, typer.Argument(help="Job id: j-...")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Show progress until it has ended; exit 1 unless it finished.")
]
LONGEST_WAIT_SECONDS = 30 * 24 * 3600.0  # a job is valid for 30 days

SIZED_DISK = re.compile(r"(\d{1,2})=(\d{1,5})")


@app.command("create")
def create(
    source: Annotated[str, typer.Argument(help="Source id: s-...")],
    name: Annotated[str, typer.Option(help="A name for the job, unique.")] = "",
    image_name: Annotated[str, typer.Option(help="Name of the image to make.")] = "",
    system_disk_gib: Annotated[
        int, typer.Option(help="Size of the target system disk, 20-2048; 0: the source's, at least 20.")
    ] = 0,
    data_disk: Annotated[
        list[str] | None, typer.Option(help="INDEX=GIB for each data disk whose size is to change.")
    ] = None,
    exclude: Exclude = None,
    disk_exclude: DiskExclude = None,
    bandwidth_limit: BandwidthLimit = None,
    compress_level: CompressLevel = None,
    checksum: Checksum = None,
    ssl: Ssl = None,
    ip_mode: Annotated[
        str | None, typer.Option(help="dhcp, or keep the source's addresses; dhcp if never given.")
    ] = None,
    template: Annotated[str, typer.Option(help="Template (t-...) for what is not given here.")] = "",
    container: Container = "",
    target_instance: TargetInstance = "",
    yes_erase: YesErase = "",
    target_disk: TargetDisk = None,
    private_ip: PrivateIp = "",
    private: Private = False,
    start: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
    wait: Wait = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Plan the migration of a source to an image, a container image, or onto an instance.

    What cannot work is refused here.
    """
    api = connect(data_dir)
    instance = onto(
        api,
        source,
        target_instance,
        yes_erase=yes_erase,
        disks=target_disk or [],
        private_ip=private_ip,
        private=private,
    )
    made = api.call(
        "CreateReplicationJob",
        {
            "SourceId": source,
            **target(container),
            **instance,
            "RegionId": _region(api.call("DescribeRegions")),
            "Name": name or None,
            "ImageName": image_name or None,
            "SystemDiskSize": system_disk_gib or None,
            "DataDisk": _sized(data_disk or []) or None,
            "Excludes": excludes(exclude, disk_exclude),
            "ReplicationParameters": parameters(
                "",
                bandwidth_limit=bandwidth_limit,
                compress_level=compress_level,
                checksum=checksum,
                ssl=ssl,
            ),
            "IpMode": ip_mode,
            "ExecutionMethod": "MigrateNow" if start else None if template else "CreateOnly",
            "TemplateId": template or None,
        },
    )
    if as_json:
        show_json(made)
    else:
        out.print(f"created job {made['JobId']}" + (", started" if start else ""))
    if wait:
        follow(api, made["JobId"], seconds=LONGEST_WAIT_SECONDS, quiet=as_json)


@app.command("modify")
def modify(
    job: JobId,
    bandwidth_limit: BandwidthLimit = None,
    compress_level: CompressLevel = None,
    checksum: Checksum = None,
    ssl: Ssl = None,
    exclude: Exclude = None,
    disk_exclude: DiskExclude = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Change how a job transfers, also while it does; before it ran also what it leaves behind.

    What is not given stays as it is; patterns replace all those before.
    """
    api = connect(data_dir)
    text = parameters(
        _described(api, job)["ReplicationParameters"],
        bandwidth_limit=bandwidth_limit,
        compress_level=compress_level,
        checksum=checksum,
        ssl=ssl,
    )
    patterns = excludes(exclude, disk_exclude)
    if text is None and patterns is None:
        raise UserError(
            "nothing is to be changed",
            code="MissingParameter.ReplicationParameters",
            hint="`smc job modify --help` shows what can be.",
        )
    wanted = {"JobId": job, "ReplicationParameters": text, "Excludes": patterns}
    answer = api.call("ModifyReplicationJobAttribute", wanted)
    if as_json:
        show_json(answer)
        return
    out.print(f"changed {job}")
    if text is not None:
        out.print(f"  transfer settings: {text}", markup=False)


@app.command("start")
def start_(job: JobId, wait: Wait = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Start a job, or go on with one that was stopped or failed: it resumes where it was."""
    api = connect(data_dir)
    api.call("StartReplicationJob", {"JobId": job})
    out.print(f"started {job}")
    if wait:
        follow(api, job, seconds=LONGEST_WAIT_SECONDS)


@app.command("stop")
def stop(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Pause the transfer; what was copied stays."""
    connect(data_dir).call("StopReplicationJob", {"JobId": job})
    out.print(f"stopping {job}")


@app.command("cutover")
def cutover(
    job: JobId,
    sync: Annotated[
        bool, typer.Option("--sync/--no-sync", help="Whether a last round moves what has changed since.")
    ] = True,
    wait: Wait = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """End an incremental job that waits for its next round: release everything but its images."""
    api = connect(data_dir)
    answer = api.call("CutOverReplicationJob", {"JobId": job, "SyncData": sync})
    if as_json:
        show_json(answer)
    else:
        out.print(f"cutting over {job}" + (", with a last round" if sync else ""))
    if wait:
        follow(api, job, seconds=LONGEST_WAIT_SECONDS, quiet=as_json)


@app.command("watch")
def watch_(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Show stage, percent, speed and time left until the job has ended; exit 1 unless it finished."""
    follow(connect(data_dir), job, seconds=LONGEST_WAIT_SECONDS)


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All jobs."""
    api = connect(data_dir)
    if as_json:
        show_json(api.call("DescribeReplicationJobs", {"PageSize": 50}))
        return
    show_table(
        ("ID", "NAME", "SOURCE", "STATUS", "%", "IMAGE", "REMARK"),
        (
            (j.job_id, j.name, j.source_id, operator_word(j), f"{j.progress:.0f}", j.image_id, j.error_code)
            for j in jobs(api)
        ),
    )


@app.command("show")
def show(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Everything about one job, as JSON."""
    api = connect(data_dir)
    show_json(_described(api, job))


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


@app.command("delete")
def delete(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Delete a job that is not running and release everything temporary; its image stays."""
    connect(data_dir).call("DeleteReplicationJob", {"JobId": job})
    out.print(f"deleting {job}")


def _described(api: Api, job: str) -> Json:
    found = api.call("DescribeReplicationJobs", {"JobId": [job_named(api, job).job_id]})
    described: Json = found["ReplicationJobs"]["ReplicationJob"][0]
    return described


def _region(answer: Json) -> str:
    region: str = answer["Regions"]["Region"][0]["RegionId"]
    return region


def _sized(texts: list[str]) -> list[Json]:
    """`1=40` -> DataDisk with Index 1 and Size 40. Raises `UserError` on anything else."""
    disks: list[Json] = []
    for text in texts:
        match = SIZED_DISK.fullmatch(text)
        if match is None:
            raise UserError(
                f"--data-disk {text}: INDEX=GIB is wanted",
                code="InvalidParameter.DataDisk",
                hint="For example --data-disk 1=40 makes the first data disk 40 GiB.",
            )
        disks.append({"Index": int(match[1]), "Size": int(match[2])})
    return disks
