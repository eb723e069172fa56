"""Importing this machine into a center: enrol, install, start, and see the first heartbeat answered."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from smc.agent import exclude_files, hooks
from smc.agent.checks import check_source
from smc.agent.home import Credentials, Home, Settings
from smc.agent.install import Service, copy_agent, forget_old_runtimes, wait_until
from smc.agent.inventory import read_server
from smc.base.errors import Broken, SmcError, UserError
from smc.model.server import Server
from smc.wire.control import Control
from smc.wire.dial import parse_address, proxy_for
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
    known, was_running = home.imported(), service.running()
    try:
        return _import(wanted, home, service, file, read(), check)
    except BaseException:
        with suppress(SmcError, OSError):  # what went wrong first is what is told
            if not known:
                service.remove()
            elif was_running and not service.running():
                service.start()
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
    _check_folder(home)
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
    exclude_files.explain(home.excludes, (disk.index for disk in server.disks))
    hooks.explain(home)
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
    home.pulse.unlink(missing_ok=True)  # and not by its time: a clock may be set while we wait
    service.start()
    if not wait_until(lambda: _beating(home, enrolled.source_id), FIRST_BEAT_SECONDS):
        raise Broken(
            f"the agent was installed as {enrolled.source_id}, but its heartbeat was not answered in time",
            code="Agent.NoHeartbeat",
            hint=_last_lines(home) or "The agent did not start.",
        )
    return enrolled.source_id


def _check_folder(home: Home) -> None:
    foreign = home.foreign()
    if not foreign and not home.is_elsewhere():
        return
    what = f"it holds {', '.join(foreign[:3])}" if foreign else "it is a link or a filesystem of its own"
    raise UserError(
        f"{home.root} is in use for something else: {what}",
        code="Agent.FolderTaken",
        hint=f"Move {home.root} elsewhere: a plain folder of that name is the agent's and is not copied.",
    )


def _settings(wanted: Import, home: Home) -> Settings:
    """The proxy of this shell is kept: a service has another environment."""
    proxy = wanted.proxy if wanted.proxy is not None else proxy_for(parse_address(wanted.url)[0])
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


def _beating(home: Home, source_id: str) -> bool:
    pulse = home.last_pulse()
    return pulse is not None and pulse.source_id == source_id


def _last_lines(home: Home) -> str:
    try:
        return "\n".join(home.log.read_text(errors="replace").splitlines()[-5:])
    except OSError:
        return ""
