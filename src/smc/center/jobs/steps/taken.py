"""What is known of a job's target instance, and the one change that is made to it at several places."""

from msgspec import structs

from smc.base.errors import Broken
from smc.center.jobs.work import Work, token
from smc.center.store.values import Takeover
from smc.model.job import run_job


def takeover(work: Work, run: str) -> Takeover:
    found = work.store.takeovers.find(run_job(run))
    if found is None:
        raise Broken(f"nothing is known of the target instance of {run_job(run)}")
    return found


def note(work: Work, run: str, **changes: object) -> Takeover:
    """Write down what is so now, or what is about to be."""
    _, now = work.current(run)
    changed = structs.replace(takeover(work, run), **changes)
    work.store.takeovers.note(now, changed)
    return changed


def replace_system(work: Work, run: str, image: str, what: str) -> None:
    """Another system disk, made from `image`, under the stopped instance; `what` makes the token."""
    taken = takeover(work, run)
    work.driver.alterations.replace_system_disk(taken.instance, image, taken.system_gib, token(run, what))
