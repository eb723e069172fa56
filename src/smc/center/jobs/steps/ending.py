"""How a run ends: finished, stopped by the operator, or in error with what to do about it."""

from smc.center.containers.pushed import pushed
from smc.center.jobs.steps.console import keep_console
from smc.center.jobs.steps.report import warning
from smc.center.jobs.values import Ending, Overtaken
from smc.center.jobs.work import Work
from smc.center.store.runs import Course
from smc.center.store.values import Job, Run
from smc.center.trust.run_ca import new_authority
from smc.cloud.driver import Kind
from smc.model.job import JobStatus, RunAim
from smc.model.progress import Failure

NEXT = "Start the job again: it continues where it stopped."


def finish(work: Work, run: str) -> str:
    job, now = work.current(run)
    work.store.log.add(job.id, f"Finished: {_made(work, job)}.")
    return _end(work, now, JobStatus.FINISHED, Ending.FINISHED, note=warning(work, run))


def wait(work: Work, run: str) -> str:
    """The round is over; the copy and its instance stay for the next one."""
    job, now = work.current(run)
    instance = job.request.instance_id
    what = f"the disks of {instance} are up to date" if instance else f"the image is {job.image_id}"
    sentence = f"Round {now.round} is done: {what}."
    work.store.log.add(job.id, sentence)
    return _end(work, now, JobStatus.WAITING, Ending.WAITING, note=warning(work, run) or sentence)


def rest(work: Work, run: str) -> str:
    """A drill was all that was wished: the next Start is the real run."""
    _, now = work.current(run)
    note = "The migration test has ended; the migration has not begun."
    return _end(work, now, JobStatus.READY, Ending.RESTED, note=note)


def go_on(work: Work, run: str) -> str:
    """The real run follows the drill, in one transaction; whoever keeps the jobs going tells its story."""
    job, now = work.current(run)
    course = Course(RunAim.LAST if job.request.run_once else RunAim.ROUND, now.round)
    if work.store.jobs.continue_run(now, new_authority(), course) is None:
        raise Overtaken(f"run {now.id} is not the current one of its job")
    work.store.log.add(job.id, "The migration goes on by itself after its test.")
    return Ending.REHEARSED.value


def halt(work: Work, run: str) -> str:
    """The answer to Stop: everything stays as it is, and the next Start goes on from here."""
    return end_stopped(work, run, "Stopped. What was copied is kept for the next start.")


def end_stopped(work: Work, run: str, told: str) -> str:
    job, now = work.current(run)
    work.store.log.add(job.id, told)
    return _end(work, now, JobStatus.STOPPED, Ending.STOPPED)


def fail(work: Work, run: str, failure: Failure) -> str:
    """The job is InError; what is kept, and still costs, is named."""
    job, now = work.current(run)
    keep_console(work, run)
    instance = work.kept(run, Kind.INSTANCE)
    kept = f"The intermediate instance {instance} is kept until the job is deleted." if instance else ""
    taken = work.store.takeovers.find(job.id)
    if taken is not None and not taken.delivered:
        kept = f"Deleting the job brings {job.request.instance_id} back to what it was."
    hint = " ".join(part for part in (failure.hint or NEXT, kept) if part)
    told = Failure(kind=failure.kind, code=failure.code, message=failure.message, hint=hint)
    work.store.log.add_failure(job.id, told)
    return _end(work, now, JobStatus.IN_ERROR, Ending.IN_ERROR, told)


def _made(work: Work, job: Job) -> str:
    container, crossing = pushed(work.store, job), work.store.crossings.find(job.id)
    if crossing is not None:
        return f"{crossing.moved} is in {job.request.zone_id}; {crossing.instance} is left, stopped"
    if job.request.instance_id:
        return f"the instance {job.request.instance_id} is the source now"
    image = container.reference if container else job.image_id
    return f"the image is {image}" if image else "no image was made"


def _end(
    work: Work, now: Run, status: JobStatus, ending: Ending, failure: Failure | None = None, note: str = ""
) -> str:
    if not work.store.jobs.end(now, status, failure=failure, note=note):
        raise Overtaken(f"run {now.id} is not the current one of its job")
    return ending.value
