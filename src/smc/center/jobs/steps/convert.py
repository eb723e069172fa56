"""The receiver makes the copy bootable and reports what it changed."""

from smc.base.errors import Broken
from smc.base.units import readable_seconds
from smc.center.jobs.steps.receiver import Watch, phase
from smc.center.jobs.steps.report import complete_report
from smc.center.jobs.values import Machine
from smc.center.jobs.work import Work
from smc.model.job import BusinessStatus
from smc.model.progress import Phase
from smc.wire.orders import TaskKind


def convert(work: Work, run: str, machine: Machine) -> None:
    """Ends when the receiver has converted the copy and its report is in the store."""
    _, now = work.current(run)
    work.store.runs.order_agent(now, on=False)
    work.store.runs.order_receiver(now, TaskKind.CONVERT)
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note="Making the copy bootable", progress=81.0)
    limit = work.settings.convert_seconds
    end = work.clock.monotonic() + limit
    watch = Watch(work, run, machine)
    while True:
        _, now = work.current(run)
        if phase(now) is Phase.CONVERTED and now.reported:
            complete_report(work, run)
            return
        if now.progress and phase(now) is Phase.FAILED and now.progress.failure:
            raise now.progress.failure.lasting()
        if work.clock.monotonic() > end:
            raise Broken(
                f"The copy was not made bootable within {readable_seconds(limit)}.", code="Convert.Timeout"
            )
        watch.look()
        work.pause()
