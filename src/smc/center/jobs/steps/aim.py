"""What is left to do in a run."""

from smc.center.containers.pushed import is_container, pushed
from smc.center.jobs.work import Work


def aim_of(work: Work, run: str) -> str:
    """The value of a `RunAim`."""
    return work.current(run)[1].aim.value


def is_delivered(work: Work, run: str) -> bool:
    """An earlier run of this round made its image and was cut off before the rest was done."""
    job, now = work.current(run)
    if is_container(job):
        return pushed(work.store, job) is not None
    return any(work.driver.image(image) is not None for image in work.store.runs.delivered(job.id, now.round))
