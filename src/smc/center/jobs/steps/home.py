"""Bringing back an instance that a job has taken off and not brought into the other zone."""

import logging
from functools import partial

from smc.base.errors import SmcError
from smc.center.jobs.steps.clean import release
from smc.center.jobs.steps.ending import end_stopped
from smc.center.jobs.steps.machine import look
from smc.center.jobs.steps.restore import until
from smc.center.jobs.work import Work
from smc.center.store.job_log import ERROR
from smc.center.store.resources import MOVED, TEMPORARY
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, Kind, Power

ON_THE_WAY = (MOVED, TEMPORARY)  # what there is of a crossing that has not ended
log = logging.getLogger(__name__)


def come_home(work: Work, run: str) -> None:
    """Whatever cannot be brought back or released is told in the log, and stays for the job's deletion."""
    job, _ = work.current(run)
    known = work.store.crossings.find(job.id)
    if known is None or known.delivered:
        return
    try:
        bring_home(work, job.id)
        left = release(work, job.id, keep=set(), purposes=ON_THE_WAY)
    except SmcError as e:
        log.exception("%s could not be brought back", known.instance)
        left = [e.message]
    for sentence in left:
        work.store.log.add(
            job.id,
            f"Not as before: {sentence}",
            level=ERROR,
            code="Cleaning.Incomplete",
            hint=f"See to it that {known.instance} runs; deleting the job tries once more.",
        )


def bring_home(work: Work, job: str) -> None:
    """Start the old instance when it ran; nothing to do when it was not taken off, or has arrived.

    The one there is asked to go first: in a local cloud the two share their ports. Raises `Broken`.
    """
    known = work.store.crossings.find(job)
    if known is None or known.delivered or known.home:
        return
    for moved in work.driver.find({TAG_JOB: job, TAG_PURPOSE: MOVED}):
        if moved.kind is Kind.INSTANCE:
            work.driver.delete(moved.kind, moved.id)
    if known.ran and look(work, known.instance) is not None:
        until(work, partial(_runs, work, known.instance), f"starting {known.instance}")
        work.store.log.add(job, f"{known.instance} runs again, in its own zone.")
    work.store.crossings.note_home(job)


def halt_at_home(work: Work, run: str) -> str:
    """The answer to Stop."""
    job, _ = work.current(run)
    told = f"Stopped. {job.moved_instance} is as it was; the next start begins anew."
    return end_stopped(work, run, told)


def _runs(work: Work, instance: str) -> bool:
    """False: not yet. An instance that somebody has released is nobody's to start."""
    seen = work.driver.instance(instance)
    if seen is None or seen.power is Power.RUNNING:
        return True
    if seen.power is Power.STOPPED:
        work.driver.start(instance)
    return False
