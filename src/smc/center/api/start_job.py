"""Starting a job, by hand or by itself: one more run, handed to the workflows."""

import contextlib
from collections.abc import Sequence

from smc.base.errors import Transient, UserError
from smc.center.api.context import Context
from smc.center.api.sources import offline_sentence
from smc.center.jobs.values import lost
from smc.center.store.job_refusals import require_status
from smc.center.store.jobs import STARTABLE
from smc.center.store.sources import state_of
from smc.center.store.values import Job
from smc.center.trust.run_ca import new_authority
from smc.model.job import JobStatus, RunAim, RunType, SourceState

BY_ITSELF = {RunType.MANUAL: "", RunType.SCHEDULE: ": its time has come"}


def start(context: Context, job_id: str) -> None:
    """By hand. Raises `UserError`: `ReplicationJob.InvalidStatus`, `TransitionInstance.NotFound`,
    `SourceServerState.Invalid`.
    """
    begin(context, context.job(job_id), RunType.MANUAL, STARTABLE)


def cut_over(context: Context, job_id: str, *, sync_data: bool) -> None:
    """The end of an incremental job, with a last round or without. Raises as `start`."""
    aim = RunAim.LAST if sync_data else RunAim.RELEASE
    begin(context, context.job(job_id), RunType.MANUAL, (JobStatus.WAITING,), aim)


def begin(
    context: Context, job: Job, kind: RunType, allowed: Sequence[JobStatus], aim: RunAim | None = None
) -> None:
    """One more run of a job as it was read; `aim` None: what comes next. Raises as above."""
    require_status(job, allowed)
    course = context.store.runs.next_course(job)
    releases = (aim or course.aim) is RunAim.RELEASE
    if not _is_delivered(context, job, course.round):
        if not releases or job.request.instance_id:  # a target instance gets its system at the very end
            _require_instance(context, job)
        if not releases:
            _require_source(context, job)
    run = context.store.jobs.begin_run(
        job.id, kind, new_authority(), allowed=allowed, aim=aim, after=job.run_number
    )
    context.store.log.add(job.id, f"Run {run.number} was started{BY_ITSELF[kind]}.")
    context.jobs.start(job.id)


def _is_delivered(context: Context, job: Job, number: int) -> bool:
    """Whether only cleaning is left to do of this round."""
    taken, crossing = context.store.takeovers.find(job.id), context.store.crossings.find(job.id)
    if crossing is not None:
        return crossing.delivered
    return bool(context.store.runs.delivered(job.id, number)) or (taken is not None and taken.delivered)


def _require_source(context: Context, job: Job) -> None:
    if job.moved_instance:  # the cloud's, and without an agent
        return
    source = context.source(job.source_id)
    if state_of(source, context.clock.now()) is SourceState.UNAVAILABLE:
        raise UserError(
            f"The migration source {source.id} is in the status: Unavailable ({offline_sentence(source)}). "
            "This is only allowed in the following status: Available, InUse",
            code="SourceServerState.Invalid",
            hint="See that the server runs and its agent reaches this center, then start the job again.",
        )


def _require_instance(context: Context, job: Job) -> None:
    """The copy is on the intermediate instance; without it there is nothing to go on with.

    A cloud that does not answer now is asked by the run.
    """
    instance = job.transition_instance_id
    if not instance:
        return
    with contextlib.suppress(Transient):
        if context.driver.instance(instance) is None:
            raise lost(instance)
