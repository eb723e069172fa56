"""What the receiver does with a complete copy: make it bootable, or push it as a container image."""

from smc.base.errors import Broken
from smc.base.units import readable_seconds
from smc.center.containers.pushed import is_container, pushed
from smc.center.jobs.steps.receiver import Watch, phase
from smc.center.jobs.steps.report import complete_report
from smc.center.jobs.values import Machine
from smc.center.jobs.work import Work
from smc.model.job import BusinessStatus
from smc.model.progress import Phase
from smc.wire.orders import TaskKind


def convert(work: Work, run: str, machine: Machine) -> None:
    """Ends when the receiver has converted the copy and its report is in the store."""
    _have_done(
        work, run, machine, TaskKind.CONVERT, "Making the copy bootable", work.settings.convert_seconds
    )


def is_contained(work: Work, run: str) -> bool:
    """Whether the job's target is a container image."""
    return is_container(work.current(run)[0])


def contain(work: Work, run: str, machine: Machine) -> None:
    """Ends when the container image is where it belongs and the report that names it is in the store."""
    _have_done(
        work, run, machine, TaskKind.CONTAIN, "Pushing the container image", work.settings.contain_seconds
    )
    job, _ = work.current(run)
    image = pushed(work.store, job)
    if image is None:
        raise Broken("The receiver did not say which container image it pushed.", code="Container.NotPushed")
    work.store.log.add(job.id, f"The container image {image.reference} is there.")


def _have_done(work: Work, run: str, machine: Machine, kind: TaskKind, note: str, limit: float) -> None:
    _, now = work.current(run)
    work.store.runs.order_agent(now, on=False)
    work.store.runs.order_receiver(now, kind)
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=note, progress=81.0)
    end = work.clock.monotonic() + limit
    watch = Watch(work, run, machine)
    told = note
    while True:
        _, now = work.current(run)
        if phase(now) is Phase.CONVERTED and now.reported:
            complete_report(work, run)
            return
        if now.progress and phase(now) is Phase.FAILED and now.progress.failure:
            raise now.progress.failure.lasting()
        if work.clock.monotonic() > end:
            raise Broken(f"{note}: not done within {readable_seconds(limit)}.", code="Convert.Timeout")
        if phase(now) is Phase.CONVERTING and now.progress and now.progress.note not in ("", told):
            told = now.progress.note
            work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=told, progress=81.0)
        watch.look()
        work.pause()
