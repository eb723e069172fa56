"""A center put together: the parts that stand by themselves, then the two web applications on them."""

import ipaddress
import os
import signal
import socket
from dataclasses import dataclass

from starlette.applications import Starlette

from smc.center.agents.app import agents_app
from smc.center.agents.downloads import AgentFile
from smc.center.api.context import Context
from smc.center.api.service import service
from smc.center.batching import go_on_with_batches
from smc.center.blobs import Blobs
from smc.center.clock import SYSTEM, Clock
from smc.center.jobs_port import JobsPort
from smc.center.notify.deliver import deliver_due
from smc.center.settings import Settings
from smc.center.store.database import url_of
from smc.center.store.sole_use import LOOK_SECONDS, SoleUse
from smc.center.store.store import Store, open_store
from smc.center.timetable import look
from smc.center.trust.center_ca import CenterTrust, open_trust
from smc.center.trust.tickets import Tickets
from smc.center.upkeep import Chore, Upkeep
from smc.cloud.driver import Driver
from smc.rpc.dispatch import application

BATCH_SECONDS = 2.0  # how late the next job of a batch begins
TIMETABLE_SECONDS = 5.0  # how late a job begins or expires
PRESENCE_SECONDS = 10.0  # how late it is noticed that a source is silent
DELIVERY_SECONDS = 1.0
RETENTION_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What exists before cloud and workflows; the workflows are built on it."""

    settings: Settings
    store: Store
    trust: CenterTrust
    tickets: Tickets
    agent: AgentFile
    blobs: Blobs
    sole_use: SoleUse

    def close(self) -> None:
        self.store.close()
        self.sole_use.close()


def open_parts(settings: Settings, clock: Clock = SYSTEM) -> Parts:
    """Make or open DATA_DIR: store, keys and certificates.

    Raises `UserError` (`Center.InUse`) when another center uses the database.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    pki = settings.data_dir / "pki"
    trust = open_trust(pki, _names(settings))
    url = settings.database_url or url_of(settings.data_dir)
    sole_use = SoleUse(url)  # before the store, which it may bring to a newer version
    return Parts(
        settings=settings,
        sole_use=sole_use,
        store=open_store(url, settings.region_code, clock, settings.quotas),
        trust=trust,
        tickets=Tickets(pki),
        agent=AgentFile(settings.agent_file, settings.data_dir / "agents"),
        blobs=Blobs(settings.data_dir / "blobs"),
    )


def api_of(parts: Parts, driver: Driver, jobs: JobsPort) -> Starlette:
    """What is on --listen."""
    return application(service(context_of(parts, driver, jobs)))


def context_of(parts: Parts, driver: Driver, jobs: JobsPort) -> Context:
    return Context(
        settings=parts.settings,
        store=parts.store,
        driver=driver,
        jobs=jobs,
        trust=parts.trust,
        agent=parts.agent,
        blobs=parts.blobs,
    )


def agents_of(parts: Parts) -> Starlette:
    """What is on --agent-listen."""
    settings = parts.settings
    return agents_app(
        parts.store, parts.trust, parts.agent, parts.blobs, settings.containers, settings.registry
    )


def upkeep_of(parts: Parts, driver: Driver, jobs: JobsPort) -> Upkeep:
    """What the center does by itself, for as long as it serves."""
    store = parts.store
    context = context_of(parts, driver, jobs)

    def forget() -> None:
        before = store.clock.now() - parts.settings.event_days * 86400.0
        store.outbox.forget(before)
        store.events.forget(before)
        parts.blobs.forget_all_but(store.verifications.blobs() | store.run_logs.blobs())

    return Upkeep(
        (
            Chore("batches", BATCH_SECONDS, lambda: go_on_with_batches(context)),
            Chore("timetable", TIMETABLE_SECONDS, lambda: look(context)),
            Chore("presence", PRESENCE_SECONDS, store.presence.look),
            Chore("notifications", DELIVERY_SECONDS, lambda: deliver_due(store)),
            Chore("sole use", LOOK_SECONDS, lambda: parts.sole_use.look(_end)),
            Chore("retention", RETENTION_SECONDS, forget),
        )
    )


def _end() -> None:
    """As if an operator had ended the center."""
    os.kill(os.getpid(), signal.SIGTERM)


def _names(settings: Settings) -> list[str]:
    """By which this machine is reached, as far as it knows itself."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), settings.public_host]
    names += [settings.listen.host, settings.agent_listen.host]
    return [name for name in names if name and not _is_any(name)]


def _is_any(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False
