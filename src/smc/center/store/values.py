"""What the repositories give back: one frozen value a row; times are seconds since the epoch."""

import msgspec

from smc.base.secret import Secret
from smc.center.access import Role
from smc.cloud.driver import DiskKind, Kind
from smc.model.job import BusinessStatus, DrillStatus, JobStatus, RunAim, RunType, run_id
from smc.model.plan import Plan
from smc.model.progress import Failure, Progress
from smc.model.report import Moving
from smc.model.server import Server
from smc.model.wishes import PartWish
from smc.wire.orders import TaskKind, TransferSettings


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    secret: Secret
    name: str
    role: Role
    disabled: bool
    created: float


class ActivationCode(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str
    code_hash: str
    count: int
    registered: int
    ttl_days: int
    disabled: bool
    created: float
    workgroup: str = ""  # which its servers join

    @property
    def expires(self) -> float:
        return self.created + self.ttl_days * 86400


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`job` is the id of its latest job, `busy` whether an unfinished one exists; `workgroup` "" : none."""

    id: str
    name: str
    description: str
    fingerprint: str
    server: Server
    csr: str
    address: str
    created: float
    last_beat: float
    cpu_usage: float
    memory_usage: float
    clock_ahead: float
    deleting: bool
    resource_group: str
    job: str
    busy: bool
    workgroup: str


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    value: str


class JobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asked for, as validated; new fields need a default (old jobs lack them)."""

    target_type: str = "Image"
    image_name: str = ""
    image_name_prefix: str = ""
    net_mode: int = 0
    vpc_id: str = ""
    vswitch_id: str = ""
    instance_type: str = ""  # of the intermediate instance; "" : the cheapest in stock
    replication_parameters: str = ""  # as it was sent
    settings: TransferSettings = TransferSettings()
    license_type: str = ""
    run_once: bool = True
    job_type: int = 0
    execution_method: str = ""  # of API's ExecutionMethod; "" in a job of an older center
    scheduled_at: float | None = None
    frequency_hours: int = 0  # from the start of a round to that of the next one
    images_to_keep: int = 0
    launch_template_id: str = ""
    launch_template_version: str = ""
    instance_ram_role: str = ""
    instance_id: str = ""  # the target, where that is an instance; what a cross-zone job moves
    zone_id: str = ""  # where a cross-zone job moves it
    disk_kinds: dict[str, DiskKind] = {}  # of a cross-zone job: the instance's disk -> what it becomes
    target_disks: dict[int, str] = {}  # disk index -> the target's disk, of the data disks
    private_ip_address: str = ""  # of the target afterwards; "" : as it is
    container_namespace: str = ""
    container_repository: str = ""
    container_tag: str = ""
    image_check: bool = True
    upload_diagnostic_logs: bool = True
    sizes_gib: dict[int, int] = {}  # of disks, by index, where somebody asked for one
    parts: dict[int, tuple[PartWish, ...]] = {}  # what shall be on which disk, in that order
    lvm: frozenset[int] = frozenset()  # disks that shall have a volume group


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`note` says what is going on, `failure` why it is InError; `run_number` is 0 before the first Start.

    A cross-zone job has a `moved_instance` and no source; all others have a source and no such instance.
    """

    id: str
    name: str
    description: str
    region_id: str
    source_id: str
    request: JobRequest
    plan: Plan
    status: JobStatus
    business_status: BusinessStatus | None
    progress: float
    note: str
    failure: Failure | None
    run_number: int
    image_id: str
    transition_instance_id: str
    created: float
    started: float | None
    ended: float | None
    valid_until: float
    resource_group: str
    moved_instance: str = ""
    drill: DrillStatus = DrillStatus.NOT_RUN

    @property
    def run(self) -> str:
        """The id of its latest run."""
        return run_id(self.id, self.run_number)


class Takeover(msgspec.Struct, frozen=True, kw_only=True):
    """A job's target instance. Each change of it is written here before and after it is made.

    Which system it has now is told by its system disk and its image, whatever a crash left unwritten.
    """

    instance: str
    vpc: str
    zone: str
    ran: bool  # whether it ran when it was taken over
    system_disk: str  # the one it had
    system_gib: int
    snapshots: dict[str, str] = {}  # disk -> snapshot, of all disks it had
    old_image: str = ""  # of the system it had
    saved_by: int = 0  # the run that made these
    intermediate: str = ""  # the image of the intermediate system
    borrowed: bool = False  # it had the intermediate system once: data disks may be written
    temp_disk: str = ""
    image: str = ""  # of the copied system
    delivered: bool = False
    restored: bool = False


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """An instance on its way into another zone."""

    instance: str
    ran: bool  # whether it ran when it was taken off
    by_run: int  # whose snapshots there are
    moved: str = ""  # the instance in the other zone
    delivered: bool = False  # that one has taken its place
    home: bool = False  # it is again what it was before


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent said about a run; `compress_level` is what it compresses at now, where it said so."""

    started: bool = False
    finished: bool = False
    failure: Failure | None = None
    moving: tuple[Moving, ...] = ()
    note: str = ""
    compress_level: int | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of data; those that go on with what was cut off have the same `round`.

    `ending` is the status in which it left its job, None while it runs. `stop_wanted`, `receiver_task` and
    `agent_ordered` say what should be true now."""

    job: str
    number: int
    type: RunType
    aim: RunAim
    round: int
    ending: JobStatus | None
    started: float
    ended: float | None
    image_id: str
    stop_wanted: bool
    ca: str
    ca_key: Secret
    agent_certificate: str
    receiver_certificate: str
    host: str
    port: int
    receiver_task: TaskKind
    agent_ordered: bool
    progress: Progress | None
    reported: bool  # whether its report is here
    agent: AgentState

    @property
    def id(self) -> str:
        return run_id(self.job, self.number)


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver of a job's intermediate instance; `csr` is "" until it enrolled."""

    job: str
    ticket_expires: float
    csr: str
    last_seen: float | None

    @property
    def enrolled(self) -> bool:
        return bool(self.csr)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """Something made in the cloud for a job; `parent` is the instance it was made for, "" for the job."""

    kind: Kind
    id: str
    name: str
    job: str
    run: int
    purpose: str
    parent: str
    created: float
    released: float | None


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    job: str
    time: float
    level: str
    code: str
    message: str
    hint: str
