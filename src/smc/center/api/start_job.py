"""Starting a job: one more run, handed to the workflows."""

import time

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.sources import offline_sentence
from smc.center.store.jobs import STARTABLE, require_status
from smc.center.store.sources import state_of
from smc.center.trust.run_ca import new_authority
from smc.model.job import RunType, SourceState


def start(context: Context, job_id: str) -> None:
    """Raises `UserError` (`ReplicationJob.InvalidStatus`, `SourceServerState.Invalid`)."""
    job = context.job(job_id)
    require_status(job, STARTABLE)
    source = context.source(job.source_id)
    if state_of(source, time.time()) is SourceState.UNAVAILABLE:
        raise UserError(
            f"The migration source {source.id} is in the status: Unavailable ({offline_sentence(source)}). "
            "This is only allowed in the following status: Available, InUse",
            code="SourceServerState.Invalid",
            hint="See that the server runs and its agent reaches this center, then start the job again.",
        )
    run = context.store.jobs.begin_run(job_id, RunType.MANUAL, new_authority())
    context.store.log.add(job_id, f"Run {run.number} was started.")
    context.jobs.start(job_id)
