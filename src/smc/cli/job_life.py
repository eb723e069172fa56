"""`smc job start`, `stop`, `cutover`, `cancel`, `delete`: what moves a job on."""

import time
from typing import Annotated

import typer

from smc.base.errors import Transient, UserError
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.job_options import LONGEST_WAIT_SECONDS, JobId, Wait, job_as_told
from smc.cli.job_shown import print_kept
from smc.cli.output import out, show_json
from smc.cli.progress import follow
from smc.client.api import Api, Json
from smc.client.views import jobs

GONE_SECONDS = 1800.0  # for everything to be released
STOP_SECONDS = 300.0  # for a run to notice that it is to stop
POLL_SECONDS = 0.5

Gone = Annotated[bool, typer.Option("--wait", help="Until everything is released and the job is gone.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def start(
    job: JobId, wait: Wait = False, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Start a job, or go on with one that was stopped or failed: it resumes where it was.

    An incremental job that waits begins its next round now.
    """
    api = connect(data_dir)
    answer = api.call("StartReplicationJob", {"JobId": job})
    _say(answer, f"started {job}", as_json=as_json)
    if wait:
        follow(api, job, seconds=LONGEST_WAIT_SECONDS, quiet=as_json)


def stop(
    job: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is stopped.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Pause the transfer, or the rounds of an incremental job; what was copied stays."""
    api = connect(data_dir)
    answer = api.call("StopReplicationJob", {"JobId": job})
    if wait:
        _until_not_running(api, job)
    _say(answer, f"stopped {job}" if wait else f"stopping {job}", as_json=as_json)


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
    _say(answer, f"cutting over {job}" + (", with a last round" if sync else ""), as_json=as_json)
    if wait:
        follow(api, job, seconds=LONGEST_WAIT_SECONDS, quiet=as_json)


def cancel(
    job: JobId,
    yes: Yes = False,
    wait: Gone = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Give a job up: show what it keeps in the cloud, then release that and delete the job.

    A job that copies is stopped first. Images that it delivered stay.
    """
    api = connect(data_dir)
    told = job_as_told(api, job)
    if not as_json:
        _announce(told)
    if not yes and as_json:
        raise UserError(
            "--json does not ask", code="MissingParameter.Yes", hint="Give --yes: the answer says what went."
        )
    if not yes:
        typer.confirm(f"Release this and delete {job}?", abort=True)
    if told["Status"] == "Running":
        api.call("StopReplicationJob", {"JobId": job})
        _until_not_running(api, job)
    answer = api.call("DeleteReplicationJob", {"JobId": job})
    if wait:
        _until_gone(api, job)
    released = {"Released": told["KeptResources"]["KeptResource"]}
    _say(answer | released, f"{'deleted' if wait else 'deleting'} {job}", as_json=as_json)


def delete(
    job: JobId, wait: Gone = False, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Delete a job that is not running and release everything temporary; its images stay."""
    api = connect(data_dir)
    told = job_as_told(api, job)
    answer = api.call("DeleteReplicationJob", {"JobId": job})
    if not as_json:
        _announce(told)
    if wait:
        _until_gone(api, job)
    _say(answer, f"{'deleted' if wait else 'deleting'} {job}", as_json=as_json)


def _say(answer: Json, sentence: str, *, as_json: bool) -> None:
    if as_json:
        show_json(answer)
    else:
        out.print(sentence)


def _announce(told: Json) -> None:
    if told["KeptResources"]["KeptResource"]:
        out.print("released with it:")
        print_kept(told)
    else:
        out.print("it keeps nothing in the cloud")


def _until_not_running(api: Api, job: str) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while any(found.status == "Running" for found in jobs(api, JobId=[job])):
        if time.monotonic() > deadline:
            raise Transient(f"{job} is still running", hint=f"`smc job watch {job}` shows what it does.")
        time.sleep(POLL_SECONDS)


def _until_gone(api: Api, job: str) -> None:
    """Raises `UserError` when something could not be released: the job's log says what."""
    deadline = time.monotonic() + GONE_SECONDS
    while jobs(api, JobId=[job]):
        if time.monotonic() > deadline:
            raise UserError(
                f"{job} is still being deleted",
                code="Cleaning.Incomplete",
                hint=f"`smc job log {job}` says what could not be released.",
            )
        time.sleep(POLL_SECONDS)
