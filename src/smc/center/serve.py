"""Runs a center until it is told to stop: the API and the agents' endpoint, two listeners in one process."""

import asyncio
import contextlib
import dataclasses
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import msgspec
import uvicorn
from starlette.types import ASGIApp

from smc.base.errors import UserError
from smc.center.admin_key import AdminKey, admin_key
from smc.center.app import Parts, agents_of, api_of, upkeep_of
from smc.center.jobs_port import JobsPort
from smc.center.settings import Address
from smc.center.trust.center_ca import CenterTrust
from smc.cloud.driver import Driver
from smc.wire.dial import is_loopback

BACKLOG = 1024
KEEP_ALIVE_SECONDS = 75  # longer than an agent's heartbeat, so that it keeps its connection
GRACE_SECONDS = 10  # for requests that are being answered when the center is told to stop
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(parts: Parts, driver: Driver, jobs: JobsPort, *, ready: Callable[[AdminKey, bool], None]) -> None:
    """Serve until SIGTERM or SIGINT; for the main thread.

    When both listeners answer, `ready` gets the admin's access key, which is in DATA_DIR/admin-key.json by
    then, and whether it is new. Raises `UserError` (`Center.CannotListen`). The caller closes `parts` and
    the workflows afterwards.
    """
    settings = parts.settings
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(listen(settings.listen))
        agents = stack.enter_context(listen(settings.agent_listen))
        settings = msgspec.structs.replace(
            settings, listen=_bound(settings.listen, api), agent_listen=_bound(settings.agent_listen, agents)
        )
        parts = dataclasses.replace(parts, settings=settings)
        admin, is_new = admin_key(parts)
        trust = None if is_loopback(settings.listen.host) else parts.trust
        servers = [
            (_server(api_of(parts, driver, jobs), trust), api),
            (_server(agents_of(parts), parts.trust), agents),
        ]
        stack.enter_context(upkeep_of(parts, driver, jobs))
        asyncio.run(_run(servers, stopping=parts.store.bell.close, ready=lambda: ready(admin, is_new)))


def listen(address: Address) -> socket.socket:
    """Raises `UserError` (`Center.CannotListen`)."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
    except OSError as e:
        raise UserError(
            f"cannot listen on {address.url_host}:{address.port}: {e.strerror or e}",
            code="Center.CannotListen",
            hint="Is another center running here? Choose another address.",
        ) from e


def _bound(address: Address, listener: socket.socket) -> Address:
    """With the port that was found, where 0 asked for any."""
    return msgspec.structs.replace(address, port=listener.getsockname()[1])


class _Server(uvicorn.Server):
    """Leaves the signals to us: there are two servers and one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp, trust: CenterTrust | None) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody may tell us another address than his own
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=trust.certificate_file if trust else None,
            ssl_keyfile=trust.key_file if trust else None,
        )
    )


async def _run(
    servers: Sequence[tuple[_Server, socket.socket]],
    *,
    stopping: Callable[[], None],
    ready: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping()
        for server, _ in servers:
            server.should_exit = True

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
    tasks.append(asyncio.create_task(_announce([server for server, _ in servers], ready)))
    try:
        await asyncio.gather(*tasks)
    finally:
        stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def _announce(servers: Sequence[_Server], ready: Callable[[], None]) -> None:
    while not all(server.started or server.should_exit for server in servers):
        await asyncio.sleep(0.02)
    if all(server.started for server in servers):
        ready()
