"""Following a job until it ends or needs somebody."""

import time
from collections.abc import Iterator

import msgspec

from smc.base.errors import UserError
from smc.client.api import Api
from smc.client.views import Job, jobs, parse

SETTLED = frozenset({"Ready", "Stopped", "InError", "Finished", "Waiting", "Expired"})
INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0  # for a center that is being restarted


class DiskView(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Files are None where they are not counted by disk."""

    index: int
    bytes_total: int = 0
    bytes_done: int = 0
    files_total: int | None = None
    files_done: int | None = None


class DisksView(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    disk: list[DiskView] = []


class SettingsView(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What is in force: Mbit/s (0: no limit), 0-10, and auto, on or off."""

    bandwidth_limit: int = 0
    compress_level: int = 7
    checksum: bool = False
    ssl: str = "auto"


class ProgressView(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """DescribeJobProgress; sizes in bytes, `speed` in bytes per second before compression.

    `compress_level` is what the sender runs now, None while unknown.
    """

    phase: str = ""
    note: str = ""
    bytes_total: int = 0
    bytes_done: int = 0
    files_total: int = 0
    files_done: int = 0
    speed: float = 0.0
    wire_bytes: int = 0
    resent_bytes: int = 0
    wire_speed: float = 0.0
    seconds_left: float | None = None
    compress_level: int | None = None
    agent_note: str = ""
    receiver_note: str = ""
    settings: SettingsView = SettingsView()
    disks: DisksView = DisksView()


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    job: Job
    progress: ProgressView


def is_scheduled(job: Job) -> bool:
    """It has not begun, and will by itself."""
    return job.status == "Ready" and job.next_start_time != ""


def job_named(api: Api, job_id: str) -> Job:
    """Raises `UserError` (`InvalidJobId.NotFound`) when there is none."""
    found = jobs(api, JobId=[job_id])
    if not found:
        raise UserError(
            f"there is no job {job_id}", code="InvalidJobId.NotFound", hint="`smc job list` shows all jobs."
        )
    return found[0]


def watch(api: Api, job_id: str, *, seconds: float) -> Iterator[Moment]:
    """A moment about every second, the last one when the job is settled.

    Raises `UserError` (`Watch.TimedOut`) after `seconds`; the job itself goes on.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        asked = {"JobId": job_id, "History": "false"}
        data = api.call_until_reached("DescribeJobProgress", asked, seconds=PATIENCE_SECONDS)
        job = job_named(api, job_id)
        yield Moment(job=job, progress=parse(data, ProgressView))
        if job.status in SETTLED and not is_scheduled(job):
            return
        time.sleep(INTERVAL_SECONDS)
    raise UserError(
        f"job {job_id} is not settled after {seconds:g} s",
        code="Watch.TimedOut",
        hint=f"It goes on: `smc job watch {job_id}` follows it again.",
    )
