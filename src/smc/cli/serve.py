"""`smc serve`: a center with its destination cloud; the one place where all parts meet."""

import ipaddress
import signal
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated

import typer

from smc.base import log
from smc.base.errors import UserError
from smc.base.lock import alone
from smc.center.admin_key import AdminKey
from smc.center.app import Parts, open_parts
from smc.center.jobs.runner import Runner, journal_url
from smc.center.jobs.work import JobSettings, Work
from smc.center.quotas import Quotas, with_changes
from smc.center.serve import serve as serve_center
from smc.center.settings import Settings, read_address, read_registry
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.destination import open_cloud
from smc.cli.output import out
from smc.cloud.driver import Driver

AGENT_FILE = Path("build/smc-agent")


def serve(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    listen: Annotated[
        str, typer.Option(help="HOST:PORT of API and console; HTTP on loopback, else HTTPS.")
    ] = "127.0.0.1:8700",
    agent_listen: Annotated[
        str, typer.Option(help="HOST:PORT for agents and receivers, always TLS.")
    ] = "0.0.0.0:8701",
    public_host: Annotated[str, typer.Option(help="Address by which other machines reach this one.")] = "",
    agent_file: Annotated[
        Path, typer.Option(help="The agent as `make agent` builds it.", envvar="SMC_AGENT_FILE")
    ] = AGENT_FILE,
    database_url: Annotated[
        str,
        typer.Option(
            help="SQLAlchemy URL of store and workflows (postgresql+psycopg://...); default: SQLite."
        ),
    ] = "",
    cloud_endpoint: Annotated[
        str, typer.Option(help="ECS endpoint of a real cloud; default: the embedded local cloud.")
    ] = "",
    region: Annotated[str, typer.Option(help="Region of a real cloud.")] = "local",
    verify_from: Annotated[
        str,
        typer.Option(
            help="CIDR from which this center reaches instances it verifies; default: the public host."
        ),
    ] = "",
    event_days: Annotated[float, typer.Option(help="For how many days events are kept.", min=1)] = 90,
    quota: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER", help=f"Another limit; names: {', '.join(Quotas.__struct_fields__)}."
        ),
    ] = None,
    registry: Annotated[
        str, typer.Option(help="Where container images are pushed; default: they stay in the data folder.")
    ] = "",
    registry_user: Annotated[str, typer.Option(help="Account that may push.")] = "",
    registry_password_file: Annotated[
        Path | None, typer.Option(help="File that holds the account's password.")
    ] = None,
    registry_ca: Annotated[Path | None, typer.Option(help="PEM of the registry's own authority.")] = None,
) -> None:
    """Run the center until Ctrl-C: API, agents' endpoint, jobs, and the embedded local cloud.

    A real cloud's keys are read from ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.
    """
    settings = Settings(
        data_dir=data_dir,
        listen=read_address(listen),
        agent_listen=read_address(agent_listen),
        public_host=public_host,
        agent_file=agent_file,
        database_url=database_url,
        region=region,
        event_days=event_days,
        quotas=with_changes(Quotas(), quota or []),
        registry=read_registry(registry, registry_user, registry_password_file, registry_ca),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started ends with us
    with ExitStack() as stack:
        stack.enter_context(_sole_use(data_dir))
        cloud = open_cloud(settings, cloud_endpoint, stack)  # first: it starts while the rest is opened
        parts = open_parts(settings)
        stack.callback(parts.close)
        log.set_up(file=data_dir / "logs" / "center.log")
        work = _work(parts, cloud.driver, embedded=not cloud_endpoint, verify_from=verify_from)
        runner = Runner(work, journal_url(data_dir, database_url))
        stack.callback(runner.close)
        cloud.wait()
        runner.open()
        serve_center(parts, cloud.driver, runner, ready=_announce)


def _sole_use(data_dir: Path) -> AbstractContextManager[None]:
    """The folder, for its owner alone, and for one center: a second one would take the same jobs up again."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    in_use = UserError(
        f"another center uses the folder {data_dir}",
        code="Center.InUse",
        hint="Use that one, end it first, or give another --data-dir.",
    )
    return alone(data_dir / "center.lock", in_use)


def _work(parts: Parts, driver: Driver, *, embedded: bool, verify_from: str) -> Work:
    settings = parts.settings
    return Work(
        parts.store,
        driver,
        parts.tickets,
        JobSettings(
            receiver_host="gateway" if embedded else settings.public_host,
            agent_port=settings.agent_listen.port,
            ca_fingerprint=parts.trust.fingerprint,
            agent_sha256=parts.agent.sha256(),
            containers=settings.containers,
            center_cidr=verify_from or ("127.0.0.1/32" if embedded else _own_address(settings.public_host)),
            shared_address=embedded,
        ),
        parts.blobs,
    )


def _own_address(public_host: str) -> str:
    """As a CIDR, where it is an address; a name may stand for another one at the cloud."""
    try:
        return str(ipaddress.ip_network(public_host))
    except ValueError:
        return ""


def _announce(key: AdminKey, is_new: bool) -> None:
    out.print(f"serving at {key.endpoint}")
    if is_new:
        words = f"admin access key, shown once: {key.access_key_id} {key.access_key_secret}"
        out.print(words, markup=False, soft_wrap=True)
        out.print("(kept in admin-key.json of the data folder, where the command line finds it)")
