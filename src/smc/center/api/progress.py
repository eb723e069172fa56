"""How far a job is and what it did (ours): DescribeJobProgress, DescribeJobLog, DescribeReports."""

from typing import Annotated

import msgspec

from smc.center.api.context import Context
from smc.center.api.words import PageNumber, offset, page, written
from smc.center.jobs.values import SYNC_FROM, SYNC_TO
from smc.center.store.values import Job, Run
from smc.model.codec import to_builtins
from smc.model.job import BusinessStatus, JobStatus
from smc.model.progress import Phase, Progress
from smc.model.report import Report
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request


class OneJob(Request, frozen=True, kw_only=True):
    job_id: str


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
            "DescribeJobProgress": action(OneJob, self._progress),
            "DescribeJobLog": action(DescribeJobLog, self._log),
            "DescribeReports": action(OneJob, self._reports),
        }

    def _progress(self, request: OneJob, _caller: Caller) -> Reply:
        """How far a job is: sizes in bytes, Speed in bytes per second before compression, SecondsLeft null
        while unknown.
        """
        job = self._context.job(request.job_id)
        run = self._store.runs.current(job.id)
        counters = run.progress if run and run.progress else Progress(run="", phase=Phase.IDLE)
        moving = counters.phase is Phase.SYNCING and job.status is JobStatus.RUNNING
        return {
            "JobId": job.id,
            "Status": job.status.value,
            "BusinessStatus": job.business_status.value if job.business_status else "",
            "Progress": percent(job, run),
            "Phase": counters.phase.value,
            "Note": job.note or counters.note,
            "BytesTotal": counters.total,
            "BytesDone": counters.done,
            "FilesTotal": counters.files_total,
            "FilesDone": counters.files_done,
            "Speed": counters.speed if moving else 0.0,
            "WireBytes": counters.wire,
            "ResentBytes": counters.resent,
            "SecondsLeft": counters.seconds_left if moving else None,
            "Disks": {
                "Disk": [
                    {"Index": disk.index, "BytesTotal": disk.total, "BytesDone": disk.done}
                    for disk in counters.disks
                ]
            },
        }

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
        reports = [to_builtins(complete(run, report)) for run, report in found if report]
        return {"Reports": {"Report": reports}}


def percent(job: Job, run: Run | None) -> float:
    """0 to 100, of the whole job; while data moves, by the bytes."""
    syncing = job.status is JobStatus.RUNNING and job.business_status is BusinessStatus.SYNCING
    counters = run.progress if run else None
    if syncing and counters and counters.total:
        share = min(counters.done / counters.total, 1.0)
        return round(SYNC_FROM + (SYNC_TO - SYNC_FROM) * share, 2)
    return round(job.progress, 2)


def complete(run: Run, report: Report) -> Report:
    """The receiver's report with the files that the agent saw moving."""
    moving = {item.path: item for item in (*run.agent.moving, *report.moving)}
    return msgspec.structs.replace(report, moving=tuple(moving.values()))
