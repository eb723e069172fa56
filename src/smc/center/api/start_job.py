"""Starting a job: one more run, handed to the workflows."""

import contextlib

from smc.base.errors import Transient, UserError
from smc.center.api.context import Context
from smc.center.api.sources import offline_sentence
from smc.center.jobs.values import lost
from smc.center.store.jobs import STARTABLE, require_status
from smc.center.store.sources import state_of
from smc.center.store.values import Job
from smc.center.trust.run_ca import new_authority
from smc.model.job import RunType, SourceState


def start(context: Context, job_id: str) -> None:
    """Raises `UserError`: `ReplicationJob.InvalidStatus`, `TransitionInstance.NotFound`,
    `SourceServerState.Invalid`.
    """
    job = context.job(job_id)
    require_status(job, STARTABLE)
    _require_instance(context, job)
    source = context.source(job.source_id)
    if state_of(source, context.clock.now()) is SourceState.UNAVAILABLE:
        raise UserError(
            f"The migration source {source.id} is in the status: Unavailable ({offline_sentence(source)}). "
            "This is only allowed in the following status: Available, InUse",
            code="SourceServerState.Invalid",
            hint="See that the server runs and its agent reaches this center, then start the job again.",
        )
    run = context.store.jobs.begin_run(job_id, RunType.MANUAL, new_authority())
    context.store.log.add(job_id, f"Run {run.number} was started.")
    context.jobs.start(job_id)


def _require_instance(context: Context, job: Job) -> None:
    """The copy is on the intermediate instance; without it there is nothing to go on with.

    With an image made, only cleaning is left to do. A cloud that does not answer now is asked by the run.
    """
    instance = job.transition_instance_id
    if not instance or job.image_id:
        return
    with contextlib.suppress(Transient):
        if context.driver.instance(instance) is None:
            raise lost(instance)
