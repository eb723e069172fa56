"""Waiting for the receiver: it enrols with its ticket, lays out the disks and listens."""

import logging

from smc.base.errors import Broken, Transient
from smc.base.units import readable_seconds
from smc.center.jobs.steps.machine import PRIVATE, running
from smc.center.jobs.values import Machine
from smc.center.jobs.work import Work
from smc.center.store.values import Run
from smc.model.job import BusinessStatus, run_job
from smc.model.progress import Phase
from smc.wire.orders import TaskKind

READY = (Phase.LISTENING, Phase.SYNCING, Phase.SYNCED)
CONSOLE_KEPT = 2000  # characters of the console that go into an error
log = logging.getLogger(__name__)


def await_receiver(work: Work, run: str, machine: Machine) -> None:
    _, now = work.current(run)
    work.store.runs.order_receiver(now, TaskKind.REPLICATE)
    note = "Waiting for the receiver on the intermediate instance"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=note, progress=3.0)
    end = work.clock.monotonic() + work.settings.receiver_seconds
    watch = Watch(work, run, machine)
    while not _listens(work, run):
        if work.clock.monotonic() > end:
            raise Broken(
                f"The receiver on {machine.instance} did not answer within "
                f"{readable_seconds(work.settings.receiver_seconds)}.",
                code="Receiver.NotReady",
                hint="Look whether it reaches the center on the agents' port. The end of its console: "
                + work.driver.console_output(machine.instance)[-CONSOLE_KEPT:],
            )
        if watch.look():
            work.store.receivers.renew(run_job(run), valid_seconds=work.settings.ticket_seconds)
        work.pause()
    work.wait_for(run, lambda: _set_endpoint(work, run, machine), "the receiver's address")


class Watch:
    """Looks at the intermediate instance now and then, not at each turn of a loop."""

    def __init__(self, work: Work, run: str, machine: Machine) -> None:
        self._work, self._run, self._machine = work, run, machine
        self._next = 0.0

    def look(self) -> bool:
        """Raises `InstanceLost`; starts a stopped instance; asks a cloud that does not answer later."""
        if self._work.clock.monotonic() < self._next:
            return False
        self._next = self._work.clock.monotonic() + self._work.settings.look_seconds
        try:
            if running(self._work, self._run, self._machine.instance):
                _set_endpoint(self._work, self._run, self._machine)
        except Transient as e:
            log.info("run %s: %s (%s)", self._run, e.message, e.code)
        return True


def phase(now: Run) -> Phase:
    """The receiver's phase in this run; what it said of an earlier run does not count."""
    if now.progress is None or now.progress.run != now.id:
        return Phase.IDLE
    return now.progress.phase


def _set_endpoint(work: Work, run: str, machine: Machine) -> tuple[str, int]:
    """Where the agent reaches the receiver; another place after the instance was stopped and started."""
    job, now = work.current(run)
    # an intermediate instance has one of the two addresses; an instance that was there may have both
    private = job.request.net_mode == PRIVATE and bool(job.request.instance_id)
    endpoint = work.driver.endpoint(machine.instance, machine.port, private=private)
    if endpoint != (now.host, now.port):
        work.store.runs.set_endpoint(now, *endpoint)
    return endpoint


def _listens(work: Work, run: str) -> bool:
    _, now = work.current(run)
    if phase(now) is Phase.FAILED and now.progress and now.progress.failure:
        raise now.progress.failure.error()
    return phase(now) in READY
