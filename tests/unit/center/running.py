"""A center for tests: both web applications on loopback ports, a cloud in memory, workflows that note."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from tests.unit.center.made_store import made_store
from tests.unit.center.servers import server

from smc.center.admin_key import AdminKey, admin_key
from smc.center.app import Parts, agents_of, api_of, open_parts
from smc.center.clock import SYSTEM, Clock
from smc.center.quotas import Quotas
from smc.center.serve import listen
from smc.center.settings import Address, Settings
from smc.center.store.store import DEFAULT_QUOTAS
from smc.center.trust.center_ca import CenterTrust
from smc.cloud.memory import MemoryCloud
from smc.model.server import Server
from smc.rpc.serving import serving
from smc.wire.control import Control
from smc.wire.orders import Enrol, Enrolled
from smc.wire.trust import Key

ANY = Address(host="127.0.0.1", port=0)


@dataclass
class NotedJobs:
    """`JobsPort` that does nothing but remember."""

    calls: list[tuple[str, str]] = field(default_factory=list)

    def start(self, job_id: str) -> None:
        self.calls.append(("start", job_id))

    def stop(self, job_id: str) -> None:
        self.calls.append(("stop", job_id))

    def delete(self, job_id: str) -> None:
        self.calls.append(("delete", job_id))

    def release(self, job_id: str) -> None:
        self.calls.append(("release", job_id))

    def verify(self, verification: str) -> None:
        self.calls.append(("verify", verification))


@dataclass
class Center:
    parts: Parts
    cloud: MemoryCloud
    jobs: NotedJobs
    admin: AdminKey
    api_port: int
    agents_port: int

    @property
    def agents_url(self) -> str:
        return f"https://127.0.0.1:{self.agents_port}"

    def control(self, credential: str = "") -> Control:
        return Control(self.agents_url, self.parts.trust.ca, credential)

    def import_server(self, described: Server | None = None) -> Enrolled:
        """With a new activation code; as an agent does it, when there is an agents' endpoint."""
        code, text = self.parts.store.codes.create("", "", 1, 1)
        request = Enrol(
            token_id=code.id,
            token_code=text,
            server=described or server(),
            csr=Key.generate().request("agent"),
        )
        if not self.agents_port:
            source, credential = self.parts.store.sources.enrol(request, "127.0.0.1")
            return Enrolled(source_id=source.id, credential=credential)
        with self.control() as control:
            return control.post("/agent/v1/enrol", request, Enrolled)


@contextlib.contextmanager
def center(
    data_dir: Path,
    *,
    agents: bool = True,
    clock: Clock = SYSTEM,
    quotas: Quotas = DEFAULT_QUOTAS,
    database_url: str = "",
) -> Iterator[Center]:
    agent_file = data_dir / "smc-agent"
    agent_file.write_bytes(b"#!/bin/sh\n")
    settings = Settings(
        data_dir=data_dir,
        listen=ANY,
        agent_listen=ANY,
        agent_file=agent_file,
        quotas=quotas,
        database_url=database_url or made_store(data_dir),
    )
    parts = open_parts(settings, clock)
    cloud, jobs = MemoryCloud(), NotedJobs()
    try:
        with contextlib.ExitStack() as stack:
            api_port = stack.enter_context(serving(api_of(parts, cloud, jobs)))
            agents_port = 0
            if agents:
                agents_port = stack.enter_context(_serving_tls(agents_of(parts), parts.trust))
            yield Center(parts, cloud, jobs, admin_key(parts)[0], api_port, agents_port)
            parts.store.bell.close()
    finally:
        parts.close()


@contextlib.contextmanager
def _serving_tls(app: ASGIApp, trust: CenterTrust) -> Iterator[int]:
    with listen(ANY) as listener:
        uvicorn_server = uvicorn.Server(
            uvicorn.Config(
                app, log_config=None, ssl_certfile=trust.certificate_file, ssl_keyfile=trust.key_file
            )
        )
        thread = threading.Thread(target=uvicorn_server.run, args=([listener],), name="agents")
        thread.start()
        try:
            limit = time.monotonic() + 10
            while not uvicorn_server.started:
                assert thread.is_alive()
                assert time.monotonic() < limit
                time.sleep(0.005)
            yield listener.getsockname()[1]
        finally:
            uvicorn_server.should_exit = True
            thread.join()
