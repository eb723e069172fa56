"""Waiting for the receiver: it enrols with its ticket, gets a certificate, lays out the disks and listens."""

import time

from smc.base.errors import Broken, Transient, UserError
from smc.base.units import readable_seconds
from smc.center.jobs.steps.machine import running
from smc.center.jobs.values import Machine
from smc.center.jobs.work import Work
from smc.center.store.values import Run
from smc.center.trust.run_ca import RECEIVER, Authority, issue
from smc.model.job import BusinessStatus
from smc.model.progress import Failure, Phase
from smc.wire.orders import TaskKind

READY = (Phase.LISTENING, Phase.SYNCING, Phase.SYNCED)
CONSOLE_KEPT = 2000  # characters of the console that go into an error
KINDS = {"UserError": UserError, "Transient": Transient, "Broken": Broken}


def await_receiver(work: Work, run: str, machine: Machine) -> None:
    _, now = work.current(run)
    work.store.runs.order_receiver(now, TaskKind.REPLICATE)
    work.bell.ring()
    note = "Waiting for the receiver on the intermediate instance"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=note, progress=3.0)
    end = time.monotonic() + work.settings.receiver_seconds
    watch = Watch(work, run, machine)
    while not _listens(work, run):
        if time.monotonic() > end:
            raise Broken(
                f"The receiver on {machine.instance} did not answer within "
                f"{readable_seconds(work.settings.receiver_seconds)}.",
                code="Receiver.NotReady",
                hint="Look whether it reaches the center on the agents' port. The end of its console: "
                + work.driver.console_output(machine.instance)[-CONSOLE_KEPT:],
            )
        watch.look()
        work.pause()
    host, port = work.wait_for(
        run, lambda: work.driver.endpoint(machine.instance, machine.port), "the receiver's address"
    )
    work.store.runs.set_endpoint(now, host, port)


class Watch:
    """Looks at the intermediate instance now and then, not at each turn of a loop."""

    def __init__(self, work: Work, run: str, machine: Machine) -> None:
        self._work, self._run, self._instance = work, run, machine.instance
        self._next = 0.0

    def look(self) -> None:
        """Raises `InstanceLost`; starts a stopped instance; asks a cloud that does not answer later."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._work.settings.look_seconds
        self._work.store.receivers.renew(
            self._work.current(self._run)[0].id, valid_seconds=self._work.settings.ticket_seconds
        )
        try:
            running(self._work, self._run, self._instance)
        except Transient:
            return


def phase(now: Run) -> Phase:
    """The receiver's phase in this run; what it said of an earlier run does not count."""
    if now.progress is None or now.progress.run != now.id:
        return Phase.IDLE
    return now.progress.phase


def raise_failure(failure: Failure) -> None:
    """The error that the agent or the receiver reported."""
    raise KINDS.get(failure.kind, Broken)(failure.message, code=failure.code, hint=failure.hint)


def _listens(work: Work, run: str) -> bool:
    job, now = work.current(run)
    receiver = work.store.receivers.find(job.id)
    if receiver is not None and receiver.enrolled and not now.receiver_certificate:
        certificate = issue(Authority(now.ca, now.ca_key), receiver.csr, RECEIVER)
        work.store.runs.set_certificates(now, receiver=certificate)
        work.bell.ring()
        return False
    if phase(now) is Phase.FAILED and now.progress and now.progress.failure:
        raise_failure(now.progress.failure)
    return phase(now) in READY
