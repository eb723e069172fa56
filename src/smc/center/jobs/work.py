"""What every step works with: the store, the cloud, patience, and the fence around an older run."""

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from smc.base.errors import Broken, Transient
from smc.base.units import readable_seconds
from smc.center.blobs import Blobs
from smc.center.clock import Clock
from smc.center.jobs.values import Overtaken
from smc.center.store.resources import TEMPORARY
from smc.center.store.store import Store
from smc.center.store.values import Job, Run
from smc.center.trust.tickets import Tickets
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, TAG_RUN, Driver, Kind
from smc.model.job import JobStatus, run_job, run_number

T = TypeVar("T")
log = logging.getLogger(__name__)


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`receiver_host` is the center as intermediate instances reach it; `gateway`: their default gateway."""

    receiver_host: str
    agent_port: int
    ca_fingerprint: str  # SHA-256 of the center's CA, hexadecimal
    agent_sha256: str
    containers: Path | None = None  # where this center keeps container images
    admit: str = ""  # the CIDR that may reach receivers; "": the source's own address alone
    poll_seconds: float = 1.0  # between two looks into the store
    cloud_seconds: float = 2.0  # between two questions to the cloud
    look_seconds: float = 10.0  # between two looks at whether the intermediate instance still runs
    agent_rest_seconds: float = 10.0  # before an agent is told again what it could not do
    agent_try_seconds: float = 60.0  # for the agent to connect before it is told once more
    patience_seconds: float = 900.0  # what may work later is tried for so long
    receiver_seconds: float = 1800.0  # from launch to a listening receiver; minutes under emulation
    convert_seconds: float = 7200.0
    trial_seconds: float = 900.0  # for a copy to answer in a drill; minutes under emulation
    contain_seconds: float = 86400.0  # to push a container image; a registry may be behind a thin line
    stall_seconds: float = 1800.0  # without a single byte
    ticket_seconds: float = 3600.0
    center_cidr: str = ""  # this center as instances see it: what a verification admits
    shared_address: bool = False  # instances are ports of this machine: the local cloud


class CenterStops(BaseException):
    """The center is ending: leave the step as a crash would, so that nothing of it is written down."""


class Work:
    """One for the whole center; steps of several runs use it at once."""

    def __init__(
        self, store: Store, driver: Driver, tickets: Tickets, settings: JobSettings, blobs: Blobs
    ) -> None:
        self.store = store
        self.blobs = blobs
        self.driver = driver
        self.tickets = tickets
        self.settings = settings
        self.choosing_port = threading.Lock()
        self._closing = threading.Event()
        self._alone: dict[str, threading.Lock] = {}

    def alone(self, job: str) -> threading.Lock:
        """Held by who takes apart what the job had."""
        return self._alone.setdefault(job, threading.Lock())

    @property
    def clock(self) -> Clock:
        return self.store.clock

    def close(self) -> None:
        """Every step that waits leaves."""
        self._closing.set()
        self.store.bell.ring()

    def current(self, run: str) -> tuple[Job, Run]:
        """Raises `Overtaken` when the run is not its job's current one."""
        if self._closing.is_set():
            raise CenterStops
        job = self.store.jobs.find(run_job(run))
        found = self.store.runs.find(run_job(run), run_number(run))
        if job is None or found is None or job.run != run or job.status is not JobStatus.RUNNING:
            raise Overtaken(f"run {run} is not the current one of its job")
        return job, found

    def wait_for(
        self, run: str, ask: Callable[[], T | None], what: str, *, limit: float = 0.0, pause: float = 0.0
    ) -> T:
        """Ask until there is an answer; `Transient` is "not yet". Gives up after `limit` with `Broken`."""
        limit = limit or self.settings.patience_seconds
        end = self.clock.monotonic() + limit
        while True:
            self.current(run)
            why: Transient | None = None
            try:
                answer = ask()
                if answer is not None:
                    return answer
            except Transient as e:
                log.info("run %s: %s: %s (%s)", run, what, e.message, e.code)
                why = e
            if self.clock.monotonic() >= end:
                raise Broken(
                    f"{what}: not done after {readable_seconds(limit)}" + (f": {why.message}" if why else ""),
                    code=why.code if why else "Timeout",
                    hint=(why.hint if why else "") or "Start the job again: it continues where it stopped.",
                ) from why
            self._closing.wait(pause or self.settings.cloud_seconds)

    def grouped(self, run: str) -> Driver:
        """What is made through it is in the job's resource group."""
        return self.driver.grouped(self.current(run)[0].resource_group)

    def look_whether_it_closes(self) -> None:
        """Raises `CenterStops`."""
        if self._closing.is_set():
            raise CenterStops

    def pause(self) -> None:
        """Until the store may have changed, at most `poll_seconds`."""
        self.store.bell.wait_here(self.settings.poll_seconds)

    def rest(self) -> None:
        """Between two questions to the cloud. Raises `CenterStops`."""
        if self._closing.wait(self.settings.cloud_seconds):
            raise CenterStops

    def record(self, run: str, kind: Kind, resource: str, name: str, purpose: str = TEMPORARY) -> None:
        self.store.resources.record(
            kind, resource, name=name, job=run_job(run), run=run_number(run), purpose=purpose
        )

    def kept(self, run: str, kind: Kind) -> str:
        """The id of what an earlier step or run of the job made of this kind, "" when there is none."""
        found = self.store.resources.kept(job=run_job(run), purpose=TEMPORARY, kind=kind)
        return found[0].id if found else ""


def tags(run: str, purpose: str = TEMPORARY) -> dict[str, str]:
    return {TAG_JOB: run_job(run), TAG_RUN: str(run_number(run)), TAG_PURPOSE: purpose}


def token(run: str, purpose: str, attempt: int = 1) -> str:
    """The same for the same thing to make, after any crash; 64 ASCII characters."""
    return hashlib.sha256(f"{run_job(run)}/{run_number(run)}/{purpose}/{attempt}".encode()).hexdigest()
