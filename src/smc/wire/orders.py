"""The control messages, as JSON bodies of POST requests over TLS; the tables are in docs/design/control.md.

Agent and receiver authenticate with `Authorization: Bearer <credential>` from their enrolment.
An answer other than 200 carries `Refusal`. Everything is level-triggered: the program asks what
should be true now and works towards it, so a lost or repeated message harms nothing.
"""

from enum import Enum

import msgspec

from smc.model.job import RunAim
from smc.model.plan import Plan
from smc.model.report import Moving, Report
from smc.model.server import Server

CA_PATH = "/downloads/ca.pem"
AGENT_PATH = "/downloads/smc-agent"  # + / and the SHA-256 of the wanted version, hexadecimal
ORDERS_SECONDS = 25  # longest time a request for orders is held open
HEARTBEAT_SECONDS = 30
NOT_KNOWN = "Credential.Invalid"  # the code of a refusal: what the credential was for has been deleted
RECEIVER_SECONDS = 1.0  # between two reports of a receiver


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str
    hint: str = ""


class Enrol(msgspec.Struct, frozen=True, kw_only=True):
    """POST /agent/v1/enrol, without credential."""

    token_id: str
    token_code: str
    server: Server
    csr: str  # PEM
    source_id: str = ""  # what an earlier enrolment gave


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    source_id: str
    credential: str
    heartbeat_seconds: int = HEARTBEAT_SECONDS


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """POST /agent/v1/beat; `server` when the inventory changed since the last beat that was answered."""

    clock: float  # seconds since the epoch by the source's clock
    cpu_usage: float = 0.0
    memory_usage: float = 0.0
    server: Server | None = None


class Beaten(msgspec.Struct, frozen=True, kw_only=True):
    clock: float


class OrdersRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /agent/v1/orders: answered at once when the wish is not what is held, else after at most 25 s."""

    holding: str = ""  # the run being worked on
    revision: str | None = None  # of the order that is followed; None of an agent that cannot take another


class Ssl(Enum):
    AUTO = "auto"  # as `on`
    ON = "on"  # TLS on every stream
    OFF = "off"  # streams of data in the clear, with a token and a keyed MAC; the first stays TLS


class TransferSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may change while a run transfers: the first two at once, the others at the next connection."""

    bandwidth_limit_mbit: int = 0  # on the wire, summed over all streams; 0: none
    compress_level: int = 7  # 0-10, 0: off
    checksum: bool = False  # both ends read again instead of trusting size and time
    ssl: Ssl = Ssl.AUTO


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Replicate this source to the receiver at host:port.

    A loopback `host` means the machine of the center: the agent substitutes the host by which it reached it.
    `revision` names what may change (settings, address); the agent says it back and never reads it.
    """

    run: str
    host: str
    port: int
    ca: str  # PEM of the run CA
    certificate: str  # PEM, for the key of the agent's CSR
    plan: Plan
    settings: TransferSettings = TransferSettings()
    revision: str = ""
    diagnostics: bool = False  # whether the agent sends its logs when the run ends
    aim: RunAim | None = None  # None of a center that does not tell


class OrdersReply(msgspec.Struct, frozen=True, kw_only=True):
    """`order` None: do nothing, stop what is `holding`."""

    order: Order | None = None


class EventKind(Enum):
    STARTED = "started"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    NOTE = "note"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    kind: EventKind
    failure_kind: str = "Broken"  # of `failed`: as `Failure.kind`
    code: str = ""
    message: str = ""
    hint: str = ""
    moving: tuple[Moving, ...] = ()
    compress_level: int | None = None  # of `note`: what the sender compresses at now


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """POST /agent/v1/events; answered with `Accepted`."""

    events: tuple[Event, ...]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    ok: bool = True


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a log, as `pack` of run_logs.py writes it: zstd of at most `LARGEST_LOG` bytes."""

    name: str
    content: bytes


class RunLogs(msgspec.Struct, frozen=True, kw_only=True):
    """POST /agent/v1/logs and /receiver/v1/logs: what the program's logs said when the run ended."""

    run: str
    files: tuple[LogFile, ...]


class ReceiverEnrol(msgspec.Struct, frozen=True, kw_only=True):
    """POST /receiver/v1/enrol, without credential; the ticket is good once."""

    ticket: str
    csr: str


class ReceiverEnrolled(msgspec.Struct, frozen=True, kw_only=True):
    credential: str
    job: str


class TaskKind(Enum):
    REST = "rest"  # drop what you do; the disks stay as they are
    REPLICATE = "replicate"  # lay out if needed, mount, listen, take the data; phase SYNCED at the end
    CONVERT = "convert"  # make the copy bootable; phase CONVERTED and a report at the end
    CONTAIN = "contain"  # push the copy as a container image; the same phase and report at the end


class ContainerTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where a container image goes. `url` "": to the center itself, with the receiver's credential."""

    repository: str
    tag: str
    url: str = ""  # https://HOST[:PORT] of a registry
    ca: str = ""  # PEM; "": the authorities of the system
    user: str = ""
    password: str = ""
    labels: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"ContainerTarget({self.url} {self.repository}:{self.tag}, ***)"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to POST /receiver/v1/progress (body: `Progress`): what should be true now."""

    kind: TaskKind
    run: str = ""
    plan: Plan | None = None
    port: int = 0
    ca: str = ""  # PEM of the run CA
    certificate: str = ""  # PEM, for the key of the receiver's CSR
    container: ContainerTarget | None = None  # with CONTAIN
    earlier: bool = False  # with CONVERT: the copy that an earlier run completed is converted as it is
    image_check: bool = True  # with CONVERT: whether the converted copy is checked as an image
    fresh: bool = False  # with CONVERT: the copy is tried beside its source, as another machine


class ReceiverReport(msgspec.Struct, frozen=True, kw_only=True):
    """POST /receiver/v1/report; answered with `Accepted`."""

    report: Report
