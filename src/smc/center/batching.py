"""Fulfils the batches: begins as many of their jobs as may run at once, and notes how each ends."""

import logging

from smc.base.errors import SmcError, Transient
from smc.center.api.context import Context
from smc.center.api.start_job import start
from smc.center.quotas import Quota, code_of
from smc.center.store.batches import OPEN, Batch, Item, ItemState
from smc.center.store.values import Job
from smc.model.job import JobStatus

log = logging.getLogger(__name__)

ENDS_WELL = (JobStatus.FINISHED, JobStatus.WAITING, JobStatus.READY)  # Ready: after a test


def go_on_with_batches(context: Context) -> None:
    """Go on with every batch; to be called again and again. What it does is in the store at every moment."""
    for batch in context.store.batches.going():
        _go_on(context, batch)
        context.store.batches.close(batch.id)


def _go_on(context: Context, batch: Batch) -> None:
    """A job with a later run than when it was wished has been begun, by whomever."""
    running = 0
    waiting: list[Item] = []
    for item in batch.items:
        job = context.store.jobs.find(item.job)
        if item.state not in OPEN or job is None:
            continue
        if job.run_number <= item.run_number:
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
            case ItemState.WAITING:
                return
            case ItemState.RUNNING:
                running += 1


def _begin(context: Context, batch: Batch, item: Item) -> ItemState:
    """Waiting when no more can be begun now. A job that is refused does not stop the others."""
    try:
        start(context, item.job)
    except Transient as e:
        log.info("batch %s: %s: %s (%s)", batch.id, item.job, e.message, e.code)
        return ItemState.WAITING
    except SmcError as e:
        if e.code == code_of(Quota.CONCURRENT_JOBS):
            return ItemState.WAITING
        log.warning("batch %s: %s: %s (%s)", batch.id, item.job, e.message, e.code)
        context.store.batches.turn(batch.id, item.job, ItemState.FAILED, code=e.code, message=e.message)
        return ItemState.FAILED
    context.store.batches.turn(batch.id, item.job, ItemState.RUNNING)
    return ItemState.RUNNING


def _end(context: Context, batch: Batch, job: Job) -> None:
    if job.status in ENDS_WELL:
        context.store.batches.turn(batch.id, job.id, ItemState.DONE)
        return
    code = job.failure.code if job.failure else f"ReplicationJob.{job.status.value}"
    message = job.failure.message if job.failure else f"The job is {job.status.value}."
    context.store.batches.turn(batch.id, job.id, ItemState.FAILED, code=code, message=message)
