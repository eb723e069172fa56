"""How far a job is and what it did (ours): DescribeJobProgress, DescribeJobLog, DescribeReports."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from smc.center.api.context import Context
from smc.center.api.words import PageNumber, offset, page, written
from smc.center.jobs.values import SYNC_FROM, SYNC_TO
from smc.center.store.history import Point
from smc.center.store.values import Job, Run
from smc.center.store.verifications import Verification
from smc.model.codec import to_builtins
from smc.model.job import BusinessStatus, JobStatus
from smc.model.progress import DiskProgress, Phase, Progress
from smc.model.report import Report, Verified
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

MOST_POINTS = 288  # of a history: one each five minutes of a day


class OneJob(Request, frozen=True, kw_only=True):
    job_id: str


class DescribeJobProgress(Request, frozen=True, kw_only=True):
    job_id: str
    history: bool = True


class DescribeJobLog(Request, frozen=True, kw_only=True):
    job_id: str
    page_number: PageNumber = 1
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000


class ProgressActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "DescribeJobProgress": action(DescribeJobProgress, self._progress),
            "DescribeJobLog": action(DescribeJobLog, self._log),
            "DescribeReports": action(OneJob, self._reports),
        }

    def _progress(self, request: DescribeJobProgress, _caller: Caller) -> Reply:
        """How far a job is: sizes in bytes; Speed (before compression) and WireSpeed in bytes per second over
        the last ten seconds; SecondsLeft = (BytesTotal - BytesDone) / Speed, null while unknown; ResentBytes
        of content sent again after cuts; Settings in force and CompressLevel as the sender runs it, null
        while unknown; Disks, where files are null if they are not counted by disk; History of the last 24
        hours (at most 288 points), unless `History` is false.
        """
        job = self._context.job(request.job_id)
        run = self._store.runs.current(job.id)
        counters = run.progress if run and run.progress else Progress(run="", phase=Phase.IDLE)
        if not self._moves(job, counters):
            counters = msgspec.structs.replace(counters, speed=0.0, wire_speed=0.0)
        points = self._store.history.of_job(job.id, most=MOST_POINTS) if request.history else ()
        return {
            "JobId": job.id,
            "Status": job.status.value,
            "BusinessStatus": job.business_status.value if job.business_status else "",
            "Progress": percent(job, run),
            "Run": run.number if run else 0,
            "Phase": counters.phase.value,
            "Note": job.note or counters.note,
            "AgentNote": run.agent.note if run else "",
            "ReceiverNote": counters.note,
            "BytesTotal": counters.total,
            "BytesDone": counters.done,
            "FilesTotal": counters.files_total,
            "FilesDone": counters.files_done,
            "Speed": counters.speed,
            "WireBytes": counters.wire,
            "WireSpeed": counters.wire_speed,
            "ResentBytes": counters.resent,
            "SecondsLeft": counters.seconds_left,
            "CompressLevel": run.agent.compress_level if run else None,
            "Settings": _settings(job),
            "Disks": {"Disk": [_disk(disk) for disk in counters.disks]},
            "History": {"Point": list(_history(points))},
        }

    def _moves(self, job: Job, counters: Progress) -> bool:
        """Whether the speeds are of now: the receiver was heard of lately, and data comes."""
        syncing = counters.phase is Phase.SYNCING and job.status is JobStatus.RUNNING
        return syncing and self._store.receivers.is_heard(job.id)

    def _log(self, request: DescribeJobLog, _caller: Caller) -> Reply:
        """What happened in a job, oldest first: time, level (info, warning, error), code, message, hint."""
        job = self._context.job(request.job_id)
        start = offset(request.page_number, request.page_size)
        total, lines = self._store.log.page(job.id, offset=start, limit=request.page_size)
        return {
            **page(request.page_number, request.page_size, total),
            "LogLines": {
                "LogLine": [
                    {
                        "Time": written(line.time),
                        "Level": line.level,
                        "Code": line.code,
                        "Message": line.message,
                        "Hint": line.hint,
                    }
                    for line in lines
                ]
            },
        }

    def _reports(self, request: OneJob, _caller: Caller) -> Reply:
        """The reports of the job's runs, newest first, each as report.schema.json says."""
        job = self._context.job(request.job_id)
        runs = reversed(self._store.runs.of_job(job.id))
        found = ((run, self._store.runs.report(job.id, run.number)) for run in runs if run.reported)
        _, tried = self._store.verifications.page(jobs=[job.id])
        reports = [to_builtins(complete(run, report, tried)) for run, report in found if report]
        return {"Reports": {"Report": reports}}


def _settings(job: Job) -> dict[str, object]:
    """The keys of ReplicationParameters with their values, defaults too."""
    settings = job.request.settings
    return {
        "BandwidthLimit": settings.bandwidth_limit_mbit,
        "CompressLevel": settings.compress_level,
        "Checksum": settings.checksum,
        "Ssl": settings.ssl.value,
    }


def _disk(disk: DiskProgress) -> dict[str, object]:
    return {
        "Index": disk.index,
        "BytesTotal": disk.total,
        "BytesDone": disk.done,
        "FilesTotal": disk.files_total,
        "FilesDone": disk.files_done,
    }


def _history(points: Sequence[Point]) -> Iterable[dict[str, object]]:
    """Each with the average speeds since the point before it, 0 at the first of a run."""
    before = None
    for point in points:
        seconds = point.time - before.time if before and before.run == point.run else 0.0
        yield {
            "Time": written(point.time),
            "Run": point.run,
            "BytesDone": point.done,
            "FilesDone": point.files_done,
            "WireBytes": point.wire,
            "Speed": (point.done - before.done) / seconds if before and seconds > 0 else 0.0,
            "WireSpeed": (point.wire - before.wire) / seconds if before and seconds > 0 else 0.0,
        }
        before = point


def percent(job: Job, run: Run | None) -> float:
    """0 to 100, of the whole job; while data moves, by the bytes."""
    syncing = job.status is JobStatus.RUNNING and job.business_status is BusinessStatus.SYNCING
    counters = run.progress if run else None
    if syncing and counters and counters.total:
        share = min(counters.done / counters.total, 1.0)
        return round(SYNC_FROM + (SYNC_TO - SYNC_FROM) * share, 2)
    return round(job.progress, 2)


def complete(run: Run, report: Report, tried: Sequence[Verification]) -> Report:
    """The receiver's report with what the center knows besides: files that the agent saw moving, counters,
    and of what was `tried` the verifications of the image that this run made.
    """
    moving = {item.path: item for item in (*run.agent.moving, *report.moving)}
    counters = run.progress or Progress(run=run.id, phase=Phase.IDLE)
    return msgspec.structs.replace(
        report,
        moving=tuple(moving.values()),
        resent=max(report.resent, counters.resent),
        wire=max(report.wire, counters.wire),
        verification=tuple(verified(one) for one in tried if run.image_id and one.image == run.image_id),
    )


def verified(one: Verification) -> Verified:
    return Verified(
        id=one.id,
        result=one.state.value,
        code=one.outcome.code if one.outcome else "",
        message=one.outcome.message if one.outcome else "",
        hint=one.outcome.hint if one.outcome else "",
        ended=one.ended,
        console=one.console,
        screenshot=one.screenshot,
    )
