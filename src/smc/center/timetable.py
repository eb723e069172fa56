"""What a job does when its time has come: it starts, its next round begins, it expires, it is deleted.

All of it is in the store, so a center that was away does at its next look what it missed, and does it once.
"""

import logging

from smc.base.errors import SmcError, UserError
from smc.center.api.context import Context
from smc.center.api.start_job import begin
from smc.center.api.words import written
from smc.center.kept import kept_by, owes_an_instance
from smc.center.store.job_log import WARNING
from smc.center.store.job_times import EXPIRING, next_start
from smc.center.store.values import Job
from smc.model.job import JobStatus, RunType

EXPIRED_SECONDS = 7 * 86400.0  # for which an expired job is kept (service-facts, 2.2)
log = logging.getLogger(__name__)


def look(context: Context) -> None:
    """Do what is due; one job's trouble holds up no other."""
    for job in context.store.jobs.in_status(*EXPIRING, JobStatus.EXPIRED):
        try:
            _look_at(context, job)
        except UserError as e:  # somebody was faster: deleted, started or changed it meanwhile
            log.info("job %s: %s", job.id, e.message)
        except SmcError as e:
            log.warning("job %s: %s (%s)", job.id, e.message, e.code)


def _look_at(context: Context, job: Job) -> None:
    store, now = context.store, context.clock.now()
    if job.status is JobStatus.EXPIRED:
        if job.valid_until + EXPIRED_SECONDS <= now:
            store.jobs.begin_deleting(job.id)
            context.jobs.delete(job.id)
        elif kept_by(store, job.id, store.runs.of_job(job.id)) or owes_an_instance(store, job.id):
            context.jobs.release(job.id)
    elif job.valid_until <= now:
        if store.times.expire(job.id):
            told = f"The job was valid until {written(job.valid_until)} and has expired."
            gone = written(job.valid_until + EXPIRED_SECONDS)
            hint = (
                f"What it keeps in the cloud is released; it is deleted on {gone}. Create a new job to go on."
            )
            store.log.add(job.id, told, level=WARNING, code="ReplicationJob.Expired", hint=hint)
            context.jobs.release(job.id)
    elif (due := next_start(job, store.runs.of_job(job.id))) is not None and due <= now:
        _start(context, job)


def _start(context: Context, job: Job) -> None:
    """A source that is away is waited for: its job starts when it is back."""
    try:
        begin(context, job, RunType.SCHEDULE, (job.status,))
    except UserError as e:
        if context.store.times.tell(job.id, f"Its time to start has come, but: {e.message}"):
            context.store.log.add(job.id, e.message, level=WARNING, code=e.code, hint=e.hint)
