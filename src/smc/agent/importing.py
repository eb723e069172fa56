"""Importing this machine into a center: enrol, install, start, and see the first heartbeat answered."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from smc.agent.checks import check_source
from smc.agent.home import Credentials, Home, Settings
from smc.agent.install import Service, copy_agent, forget_old_runtimes, wait_until
from smc.agent.inventory import read_server
from smc.base.errors import Broken, UserError
from smc.model.server import Server
from smc.wire.control import Control
from smc.wire.dial import proxy_for
from smc.wire.orders import Enrol, Enrolled
from smc.wire.trust import Key, fetch_ca

PATH = "/agent/v1/enrol"
PATIENCE_SECONDS = 30.0  # for a center that is just starting, or busy
FIRST_BEAT_SECONDS = 60.0
COMMON_NAME = "agent"  # the center takes only the key from the request


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What the import command carries."""

    url: str
    fingerprint: str
    token_id: str
    token_code: str
    proxy: str | None = None  # None: what the environment says


def import_source(
    wanted: Import,
    home: Home,
    service: Service,
    file: Path | None,
    *,
    read: Callable[[], Server] = read_server,
    check: Callable[[Path], None] = check_source,
) -> str:
    """The id of the source. `file` is the one-file agent to install, None in a source tree.

    When it fails, a machine that was not imported before has nothing of the agent on it. Raises
    `UserError` for what the person can change: the code, the address, the machine.
    """
    known = home.imported()
    try:
        return _import(wanted, home, service, file, read(), check)
    except BaseException:
        if not known:
            service.remove()
        raise


def _import(
    wanted: Import,
    home: Home,
    service: Service,
    file: Path | None,
    server: Server,
    check: Callable[[Path], None],
) -> str:
    check(home.root)
    if foreign := home.foreign():
        raise UserError(
            f"{home.root} is in use for something else: it holds {', '.join(foreign[:3])}",
            code="Agent.FolderTaken",
            hint=f"Move what is in {home.root} elsewhere: the folder is the agent's and is not copied.",
        )
    settings = _settings(wanted, home)
    ca = fetch_ca(wanted.url, wanted.fingerprint, proxy=settings.proxy)
    key = _key(home)
    enrol = Enrol(
        token_id=wanted.token_id,
        token_code=wanted.token_code,
        server=server,
        csr=key.request(COMMON_NAME),
        source_id=_earlier_id(home, ca),
    )
    with Control(wanted.url, ca, proxy=settings.proxy) as control:
        enrolled = control.post(PATH, enrol, Enrolled, patience=PATIENCE_SECONDS)
    service.stop()
    home.create()
    home.keep_settings(settings)
    credentials = Credentials(
        url=wanted.url,
        ca=ca,
        source_id=enrolled.source_id,
        credential=enrolled.credential,
        heartbeat_seconds=enrolled.heartbeat_seconds,
    )
    home.keep(credentials, key)
    if file is not None:
        copy_agent(home, file)
        forget_old_runtimes(home)
    began = time.time()
    service.start()
    if not wait_until(lambda: _beaten_since(home, enrolled.source_id, began), FIRST_BEAT_SECONDS):
        raise Broken(
            f"the agent was installed as {enrolled.source_id}, but its heartbeat was not answered in time",
            code="Agent.NoHeartbeat",
            hint=_last_lines(home) or "The agent did not start.",
        )
    return enrolled.source_id


def _settings(wanted: Import, home: Home) -> Settings:
    """The proxy of this shell is kept: a service has another environment."""
    proxy = wanted.proxy if wanted.proxy is not None else proxy_for(wanted.url.split("/")[2].split(":")[0])
    return msgspec.structs.replace(home.settings(), proxy=proxy)


def _key(home: Home) -> Key:
    """The one it has: the certificate of a run that is under way is for that key."""
    try:
        return home.key()
    except UserError:
        return Key.generate()


def _earlier_id(home: Home, ca: str) -> str:
    try:
        earlier = home.credentials()
    except UserError:
        return ""
    return earlier.source_id if earlier.ca == ca else ""


def _beaten_since(home: Home, source_id: str, began: float) -> bool:
    pulse = home.last_pulse()
    return pulse is not None and pulse.source_id == source_id and pulse.time >= began


def _last_lines(home: Home) -> str:
    try:
        return "\n".join(home.log.read_text(errors="replace").splitlines()[-5:])
    except OSError:
        return ""
