"""The receiver's messages: enrol, progress, report."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from smc.base.errors import UserError
from smc.center.agents.attempts import Attempts
from smc.center.agents.exchange import UNAUTHORIZED, address_of, credential_of, post
from smc.center.agents.pulse import Pulse
from smc.center.agents.work import task_for
from smc.center.settings import Registry
from smc.center.store.store import Store
from smc.center.store.values import Receiver
from smc.center.trust.run_ca import read_csr
from smc.model.job import JobStatus
from smc.model.progress import Progress
from smc.wire.orders import Accepted, ReceiverEnrol, ReceiverEnrolled, ReceiverReport, Task

LARGEST_PROGRESS = 256 << 10
LARGEST_REPORT = 64 << 20  # texts of changed files and the list of files that moved


class ReceiverSide:
    def __init__(self, store: Store, pulse: Pulse, attempts: Attempts, registry: Registry) -> None:
        self._registry = registry
        self._store = store
        self._pulse = pulse
        self._attempts = attempts

    def routes(self) -> list[Route]:
        return [
            post("/receiver/v1/enrol", ReceiverEnrol, self._enrol, largest=16 << 10),
            post("/receiver/v1/progress", Progress, self._progress, largest=LARGEST_PROGRESS),
            post("/receiver/v1/report", ReceiverReport, self._report, largest=LARGEST_REPORT),
        ]

    async def _enrol(self, message: ReceiverEnrol, request: Request) -> ReceiverEnrolled:
        address = address_of(request)
        self._attempts.check(address)
        read_csr(message.csr)
        try:
            receiver, credential = await run_in_threadpool(
                self._store.receivers.enrol, message.ticket, message.csr
            )
        except UserError:
            self._attempts.failed(address)
            raise
        return ReceiverEnrolled(credential=credential, job=receiver.job)

    async def _progress(self, message: Progress, request: Request) -> Task:
        return await run_in_threadpool(self._take_progress, credential_of(request), message)

    async def _report(self, message: ReceiverReport, request: Request) -> Accepted:
        await run_in_threadpool(self._take_report, credential_of(request), message)
        return Accepted()

    def _take_progress(self, credential: str, said: Progress) -> Task:
        receiver = self._receiver(credential)
        job = self._store.jobs.find(receiver.job)
        run = self._store.runs.current(receiver.job)
        if job and run and said.run == run.id and run.ended is None and job.status is JobStatus.RUNNING:
            self._pulse.progress(run, said, self._store.clock.now())
        return task_for(self._store, job, run, receiver, said, self._registry)

    def _take_report(self, credential: str, message: ReceiverReport) -> None:
        receiver = self._receiver(credential)
        run = self._store.runs.current(receiver.job)
        if run is None or message.report.run != run.id or run.ended is not None:
            raise UserError(f"The report is of run {message.report.run}, which is over.", code="Run.Outdated")
        self._store.runs.record_report(run.job, run.number, message.report)

    def _receiver(self, credential: str) -> Receiver:
        receiver = self._store.receivers.authenticate(credential)
        if receiver is None:
            raise UserError("This receiver is not known here any more.", code=UNAUTHORIZED)
        return receiver
