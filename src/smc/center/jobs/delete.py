"""The end of a job that is deleted or has expired: what it had goes back or goes; its image stays."""

import logging
from functools import partial

from dbos import DBOS

from smc.base.errors import SmcError
from smc.center.containers.layout import Layout
from smc.center.containers.pushed import pushed
from smc.center.jobs.steps.clean import delivered_parts, release
from smc.center.jobs.steps.home import bring_home
from smc.center.jobs.steps.install import EVERYTHING
from smc.center.jobs.steps.restore import restore
from smc.center.jobs.work import Work
from smc.center.kept import kept_by
from smc.center.store.job_log import ERROR
from smc.center.store.resources import MOVED, VERIFICATION
from smc.center.store.values import Job
from smc.center.verification.place import needed
from smc.model.job import JobStatus

log = logging.getLogger(__name__)

DELETE_AGAIN = "Release it in the cloud, then delete the job again."
TRIED_AGAIN = "Release it in the cloud; it is tried again every hour, and when the job is deleted."


def delete(work: Work, job: str) -> list[str]:
    """A sentence for each thing that could not be released: then the job stays and its log says so."""
    left: list[str] = DBOS.run_step({"name": "remove"}, partial(remove, work, job))
    return left


def release_expired(work: Work, job: str) -> list[str]:
    """The same for a job that stays for a week, as what it was: nobody can go on with it."""
    left: list[str] = DBOS.run_step({"name": "let_go"}, partial(let_go, work, job))
    return left


def remove(work: Work, job_id: str) -> list[str]:
    job = work.store.jobs.find(job_id)
    if job is None or job.status is not JobStatus.DELETING:
        return []
    left = _leave(work, job, DELETE_AGAIN)
    if not left:
        work.store.jobs.remove(job_id)
    return left


def let_go(work: Work, job_id: str) -> list[str]:
    job = work.store.jobs.find(job_id)
    if job is None or job.status is not JobStatus.EXPIRED:
        return []
    had = kept_by(work.store, job_id, work.store.runs.of_job(job_id))
    left = _leave(work, job, TRIED_AGAIN)
    if not left and work.store.times.released(job_id, told=bool(had)) and had:
        work.store.log.add(job_id, "What the expired job kept in the cloud was released.")
    return left


def _leave(work: Work, job: Job, cure: str) -> list[str]:
    """A sentence for each thing that is left. One thread a job: it may be deleted while this goes on."""
    with work.alone(job.id):
        try:
            restore(work, job.id)
            bring_home(work, job.id)
            keep = delivered_parts(work, job.id) | needed(work, job.id)
            purposes = (*EVERYTHING, VERIFICATION, *_on_the_way(work, job.id))
            left = release(work, job.id, keep=keep, purposes=purposes)
        except Exception as e:  # the edge of a step: without a line in its log the job would stay for ever
            log.exception("%s could not be cleaned", job.id)
            left = [e.message if isinstance(e, SmcError) else f"{type(e).__name__}: {e}"]
        for sentence in left:
            work.store.log.add(
                job.id,
                f"Could not be released: {sentence}",
                level=ERROR,
                code="Cleaning.Incomplete",
                hint=cure,
            )
        if not left:
            _drop_half_pushed(work, job)
    return left


def _on_the_way(work: Work, job: str) -> tuple[str, ...]:
    """An instance that has arrived in another zone is its owner's; one that has not goes with the job."""
    crossing = work.store.crossings.find(job)
    return () if crossing is None or crossing.delivered else (MOVED,)


def _drop_half_pushed(work: Work, job: Job) -> None:
    """Layers of a container image that was never whole; a delivered one stays, as images do."""
    if work.settings.containers is not None and pushed(work.store, job) is None:
        Layout(work.settings.containers / job.id).remove()
