"""Logs that agent and receiver send when a run has ended; kept by the job, unless its operator forbids it."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from smc.base.errors import UserError
from smc.center.agents.exchange import UNAUTHORIZED, credential_of, post
from smc.center.blobs import Blobs
from smc.center.store.run_logs import AGENT, RECEIVER
from smc.center.store.store import Store
from smc.model.job import run_job, run_number
from smc.wire.orders import Accepted, RunLogs
from smc.wire.run_logs import LARGEST_MESSAGE, MOST_FILES, unpack


class LogsSide:
    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    def routes(self) -> list[Route]:
        return [
            post("/agent/v1/logs", RunLogs, self._agent, largest=LARGEST_MESSAGE),
            post("/receiver/v1/logs", RunLogs, self._receiver, largest=LARGEST_MESSAGE),
        ]

    async def _agent(self, message: RunLogs, request: Request) -> Accepted:
        await run_in_threadpool(self._take_agent, message, credential_of(request))
        return Accepted()

    async def _receiver(self, message: RunLogs, request: Request) -> Accepted:
        await run_in_threadpool(self._take_receiver, message, credential_of(request))
        return Accepted()

    def _take_agent(self, message: RunLogs, credential: str) -> None:
        source = self._store.sources.authenticate(credential)
        if source is None:
            raise UserError("This migration source is not known here any more.", code=UNAUTHORIZED)
        self._keep(message, AGENT, source=source.id)

    def _take_receiver(self, message: RunLogs, credential: str) -> None:
        receiver = self._store.receivers.authenticate(credential)
        if receiver is None:
            raise UserError("This receiver is not known here any more.", code=UNAUTHORIZED)
        self._keep(message, RECEIVER, job=receiver.job)

    def _keep(self, message: RunLogs, sender: str, *, source: str = "", job: str = "") -> None:
        """What is of another's job, of no run, or not wanted, is dropped."""
        try:
            job_id, number = run_job(message.run), run_number(message.run)
        except (ValueError, IndexError) as e:
            raise UserError(f"{message.run!r} is not a run.", code="Run.Invalid") from e
        found = self._store.jobs.find(job_id)
        is_own = found is not None and (found.id == job or found.source_id == source)
        if found is None or not is_own or not found.request.upload_diagnostic_logs:
            return
        if not 1 <= number <= found.run_number:
            return
        for file in message.files[:MOST_FILES]:
            content = unpack(file)
            name = self._blobs.keep(content)
            self._store.run_logs.keep(job_id, number, sender, file.name, name, len(content))
