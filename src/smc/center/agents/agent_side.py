"""The agent's messages: enrol, beat, orders, events."""

import time

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from smc.base.errors import UserError
from smc.center.agents.attempts import Attempts
from smc.center.agents.exchange import UNAUTHORIZED, address_of, credential_of, post
from smc.center.agents.pulse import Pulse
from smc.center.agents.work import is_followed, order_for
from smc.center.store.job_log import ERROR, INFO
from smc.center.store.sources import Sign
from smc.center.store.store import Store
from smc.center.store.values import AgentState, Source
from smc.center.trust.run_ca import read_csr
from smc.model.job import run_job, run_number
from smc.model.progress import Failure
from smc.wire.orders import (
    ORDERS_SECONDS,
    Accepted,
    Beat,
    Beaten,
    Enrol,
    Enrolled,
    Event,
    EventKind,
    Events,
    OrdersReply,
    OrdersRequest,
)

LARGEST_INVENTORY = 2 << 20
LARGEST_EVENTS = 16 << 20  # an agent's list of files that moved
LONGEST_MESSAGE = 4096  # characters of a line in the job's log
POLL_SECONDS = 1.5  # the bell rings for changes of this process; another center's are seen by looking


class AgentSide:
    def __init__(self, store: Store, pulse: Pulse, attempts: Attempts) -> None:
        self._store = store
        self._pulse = pulse
        self._attempts = attempts
        self._asking: dict[str, object] = {}  # source -> its newest request for orders

    def routes(self) -> list[Route]:
        return [
            post("/agent/v1/enrol", Enrol, self._enrol, largest=LARGEST_INVENTORY),
            post("/agent/v1/beat", Beat, self._beat, largest=LARGEST_INVENTORY),
            post("/agent/v1/orders", OrdersRequest, self._orders, largest=4096),
            post("/agent/v1/events", Events, self._events, largest=LARGEST_EVENTS),
        ]

    async def _enrol(self, message: Enrol, request: Request) -> Enrolled:
        address = address_of(request)
        self._attempts.check(address)
        read_csr(message.csr)
        if not message.server.fingerprint:
            raise UserError("The server has no fingerprint.", code="Enrolment.NoFingerprint")
        try:
            source, credential = await run_in_threadpool(self._store.sources.enrol, message, address)
        except UserError:
            self._attempts.failed(address)
            raise
        return Enrolled(source_id=source.id, credential=credential)

    async def _beat(self, message: Beat, request: Request) -> Beaten:
        source = await self._source(request)
        if message.server is not None and message.server.fingerprint != source.fingerprint:
            raise UserError(
                f"The credential is {source.name}'s, and this is another machine.",
                code="Source.OtherMachine",
                hint="Import this machine with an activation code of its own.",
            )
        now = self._store.clock.now()
        sign = Sign(
            time=now,
            clock_ahead=message.clock - now,
            address=address_of(request),
            cpu_usage=message.cpu_usage,
            memory_usage=message.memory_usage,
            server=message.server,
        )
        await run_in_threadpool(self._pulse.beat, source.id, sign)
        return Beaten(clock=now)

    async def _orders(self, message: OrdersRequest, request: Request) -> OrdersReply:
        """Answered at once when run or settings are not what the agent holds, else when they change.

        A newer request of the same source ends the older one: its connection was lost.
        """
        source = await self._source(request)
        self._pulse.beat(source.id, Sign(time=self._store.clock.now(), address=address_of(request)))
        mine = object()
        if self._asking.pop(source.id, None):
            self._store.bell.ring()
        self._asking[source.id] = mine
        deadline = time.monotonic() + ORDERS_SECONDS
        try:
            while True:
                order = await run_in_threadpool(order_for, self._store, source)
                left = deadline - time.monotonic()
                over = left <= 0 or self._store.bell.closed or self._asking.get(source.id) is not mine
                if over or not is_followed(order, message):
                    return OrdersReply(order=order)
                if await request.is_disconnected():
                    return OrdersReply()
                await self._store.bell.wait(min(left, POLL_SECONDS))
        finally:
            if self._asking.get(source.id) is mine:
                del self._asking[source.id]

    async def _events(self, message: Events, request: Request) -> Accepted:
        source = await self._source(request)
        for event in message.events:
            await run_in_threadpool(self._take_event, source, event)
        return Accepted()

    def _take_event(self, source: Source, event: Event) -> None:
        """Events of another source's job, or of a run that is over, are dropped."""
        try:
            job = self._store.jobs.find(run_job(event.run))
            number = run_number(event.run)
        except (ValueError, IndexError) as e:
            raise UserError(f"{event.run!r} is not a run.", code="Run.Invalid") from e
        if job is None or job.source_id != source.id or job.run_number != number:
            return
        self._store.runs.record_agent(job.id, number, lambda state: told(state, event))
        if event.message or event.kind is not EventKind.NOTE:
            self._store.log.add(
                job.id,
                event.message[:LONGEST_MESSAGE] or f"The agent has {event.kind.value} run {number}.",
                level=ERROR if event.kind is EventKind.FAILED else INFO,
                code=event.code,
                hint=event.hint,
            )

    async def _source(self, request: Request) -> Source:
        credential = credential_of(request)
        source = await run_in_threadpool(self._store.sources.authenticate, credential)
        if source is None or source.deleting:
            raise UserError(
                "This migration source is not known here any more, or was imported again.",
                code=UNAUTHORIZED,
                hint="Import the server again with a new import command of the center.",
            )
        return source


def told(state: AgentState, event: Event) -> AgentState:
    """`state` after the agent said `event`."""
    moving = {item.path: item for item in (*state.moving, *event.moving)}
    state = msgspec.structs.replace(state, moving=tuple(moving.values()))
    match event.kind:
        case EventKind.STARTED:
            return msgspec.structs.replace(state, started=True, finished=False, failure=None)
        case EventKind.FINISHED:
            return msgspec.structs.replace(state, finished=True, failure=None)
        case EventKind.FAILED:
            failure = Failure(
                kind=event.failure_kind, code=event.code, message=event.message, hint=event.hint
            )
            return msgspec.structs.replace(state, failure=failure)
        case EventKind.STOPPED:
            return msgspec.structs.replace(state, started=False)
        case EventKind.NOTE:
            level = state.compress_level if event.compress_level is None else event.compress_level
            note = event.message[:LONGEST_MESSAGE] or state.note
            return msgspec.structs.replace(state, note=note, compress_level=level)
