"""Fulfils the batches: begins as many of their jobs as may run at once, and notes how each ends."""

import logging
from enum import Enum

from smc.base.errors import SmcError, Transient
from smc.center.api.context import Context
from smc.center.api.start_job import cut_over, start
from smc.center.quotas import Quota, code_of
from smc.center.store.batches import OPEN, Batch, BatchKind, Item, ItemState
from smc.center.store.values import Job
from smc.model.job import JobStatus, RunAim

log = logging.getLogger(__name__)

ENDS_WELL = (JobStatus.FINISHED, JobStatus.WAITING, JobStatus.READY)  # Ready: after a test


class Begun(Enum):
    YES = "yes"
    NO = "no"
    NOT_NOW = "not now"  # nor any other


def go_on_with_batches(context: Context) -> None:
    """Go on with every batch; to be called again and again. What it does is in the store at every moment."""
    for batch in context.store.batches.going():
        _go_on(context, batch)
        context.store.batches.close(batch.id)


def _go_on(context: Context, batch: Batch) -> None:
    running = 0
    waiting: list[Item] = []
    for item in batch.items:
        job = context.store.jobs.find(item.job)
        if item.state not in OPEN or job is None:
            continue
        if not _is_begun(context, batch, item, job):
            if job.status is not JobStatus.RUNNING:  # a round of the timetable is waited for
                waiting.append(item)
        elif job.status is JobStatus.RUNNING:
            running += 1
            if item.state is ItemState.WAITING:
                context.store.batches.turn(batch.id, job.id, ItemState.RUNNING)
        else:
            _end(context, batch, job)
    for item in waiting:
        if running >= batch.most_at_once:
            return
        match _begin(context, batch, item):
            case Begun.YES:
                running += 1
            case Begun.NOT_NOW:
                return


def _is_begun(context: Context, batch: Batch, item: Item, job: Job) -> bool:
    """A later run than when it was wished is the wished one, by whomever it was begun.

    A round that the timetable began meanwhile is no cut-over.
    """
    match batch.kind:
        case BatchKind.START:
            return job.run_number > item.run_number
        case BatchKind.CUT_OVER:
            later = (run for run in context.store.runs.of_job(job.id) if run.number > item.run_number)
            return any(run.aim in (RunAim.LAST, RunAim.RELEASE) for run in later)


def _begin(context: Context, batch: Batch, item: Item) -> Begun:
    """A job that is refused does not stop the others."""
    try:
        _ask(context, batch, item.job)
    except Transient as e:
        log.info("batch %s: %s: %s (%s)", batch.id, item.job, e.message, e.code)
        return Begun.NOT_NOW
    except SmcError as e:
        if e.code == code_of(Quota.CONCURRENT_JOBS):
            return Begun.NOT_NOW
        job = context.store.jobs.find(item.job)
        if job is None or job.status is JobStatus.RUNNING:  # somebody was faster: the next look sees it
            return Begun.NO
        log.warning("batch %s: %s: %s (%s)", batch.id, item.job, e.message, e.code)
        context.store.batches.turn(batch.id, item.job, ItemState.FAILED, code=e.code, message=e.message)
        return Begun.NO
    context.store.batches.turn(batch.id, item.job, ItemState.RUNNING)
    return Begun.YES


def _ask(context: Context, batch: Batch, job: str) -> None:
    match batch.kind:
        case BatchKind.START:
            start(context, job)
        case BatchKind.CUT_OVER:
            cut_over(context, job, sync_data=batch.sync_data)


def _end(context: Context, batch: Batch, job: Job) -> None:
    if job.status in ENDS_WELL:
        context.store.batches.turn(batch.id, job.id, ItemState.DONE)
        return
    code = job.failure.code if job.failure else f"ReplicationJob.{job.status.value}"
    message = job.failure.message if job.failure else f"The job is {job.status.value}."
    context.store.batches.turn(batch.id, job.id, ItemState.FAILED, code=code, message=message)
