"""The web application on --agent-listen."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from smc.center.agents import downloads
from smc.center.agents.agent_side import AgentSide
from smc.center.agents.attempts import Attempts
from smc.center.agents.downloads import AgentFile
from smc.center.agents.logs_side import LogsSide
from smc.center.agents.pulse import FLUSH_SECONDS, Pulse
from smc.center.agents.receiver_side import ReceiverSide
from smc.center.agents.registry_side import RegistrySide
from smc.center.blobs import Blobs
from smc.center.settings import Registry
from smc.center.store.store import Store
from smc.center.trust.center_ca import CenterTrust

log = logging.getLogger(__name__)


def agents_app(
    store: Store, trust: CenterTrust, agent: AgentFile, blobs: Blobs, containers: Path, registry: Registry
) -> Starlette:
    """`containers` is where container images are kept, unless a `registry` has a URL."""
    pulse = Pulse(store)
    attempts = Attempts(store.clock)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        flusher = asyncio.create_task(_flush_for_ever(pulse))
        yield
        flusher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flusher
        await run_in_threadpool(pulse.flush)

    return Starlette(
        routes=[
            *downloads.routes(trust, agent),
            *AgentSide(store, pulse, attempts).routes(),
            *ReceiverSide(store, pulse, attempts, registry).routes(),
            *LogsSide(store, blobs).routes(),
            *RegistrySide(store, containers).routes(),
        ],
        lifespan=lifespan,
    )


async def _flush_for_ever(pulse: Pulse) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        try:
            await run_in_threadpool(pulse.flush)
        except Exception:  # the edge of a task: the next flush may work
            log.exception("heartbeats and counters could not be written")
