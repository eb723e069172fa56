"""What the cloud is made of, as it is kept in the store: frozen values, one type a kind of resource."""

import secrets
import string
from datetime import UTC, datetime
from enum import Enum

import msgspec

from smc.localcloud.machine import Forward
from smc.model.server import Architecture, Firmware

_LETTERS = string.ascii_lowercase + string.digits
_RANDOM = 17  # with the three of the region: 20, so that a disk's id without "d-" is its serial number


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str = ""
    description: str = ""
    created: str = ""  # 2026-11-22T10:00:00Z
    tags: dict[str, str] = {}
    resource_group: str = ""


class Vpc(Thing, frozen=True, kw_only=True):
    cidr: str


class VSwitch(Thing, frozen=True, kw_only=True):
    vpc: str
    zone: str
    cidr: str


class LaunchTemplate(Thing, frozen=True, kw_only=True):
    """Its one version. What of it is not "" is taken where a request says nothing."""

    image: str = ""
    instance_type: str = ""
    vswitch: str = ""
    security_group: str = ""
    host_name: str = ""
    user_data: str = ""


class Direction(Enum):
    INGRESS = "ingress"
    EGRESS = "egress"


class Policy(Enum):
    ACCEPT = "accept"
    DROP = "drop"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`ports` are `first/last`, `-1/-1` for all; a lower `priority` number decides before a higher."""

    id: str
    direction: Direction
    protocol: str  # tcp, udp, icmp, gre, all
    ports: str
    cidr: str  # of the other side
    policy: Policy = Policy.ACCEPT
    priority: int = 1
    description: str = ""
    created: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """Two rules with one key are one rule."""
        return (self.direction, self.protocol, self.ports, self.cidr, self.policy, self.priority)


class SecurityGroup(Thing, frozen=True, kw_only=True):
    vpc: str
    rules: tuple[Rule, ...] = ()


class InstanceStatus(Enum):
    PENDING = "Pending"  # its disks are being made
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The running machine behind an instance, found again by all three."""

    pid: int
    start_time: int
    monitor: str


class Instance(Thing, frozen=True, kw_only=True):
    """`image` may be gone; what was taken from it is kept here."""

    status: InstanceStatus
    image: str
    instance_type: str
    architecture: Architecture
    firmware: Firmware
    platform: str
    host_name: str
    zone: str
    vswitch: str
    vpc: str
    groups: tuple[str, ...]
    private_address: str
    mac: str
    bandwidth_out: int = 0
    user_data: str = ""  # base64, as given
    process: Process | None = None
    forwards: tuple[Forward, ...] = ()  # what is set up in `process`
    started: str = ""
    stop_asked: float = 0.0  # when the power button was pressed
    force: bool = False  # STOPPING: pull the plug at once
    start_again: bool = False  # STOPPING is half of a reboot
    released: bool = False  # STOPPING, STOPPED: then remove it with its disks
    failure: str = ""  # why the last start did not work
    stopped_mode: str = ""  # as the last stop asked for
    address_changed: bool = False  # since it was started last: once is all the vendor allows


class DiskStatus(Enum):
    CREATING = "Creating"
    AVAILABLE = "Available"
    IN_USE = "In_use"
    RESETTING = "ReIniting"  # it goes back to its `base`


class Disk(Thing, frozen=True, kw_only=True):
    """`base` is the layer it was made from, "" when it was blank; its own layer is `layers.of_disk`."""

    size_gib: int
    status: DiskStatus
    zone: str
    category: str = "cloud_essd"
    performance_level: str = ""
    system: bool = False
    instance: str = ""
    device: str = ""
    attached: str = ""  # when it was last; "": never
    delete_with_instance: bool = False
    base: str = ""
    source_snapshot: str = ""
    image: str = ""

    @property
    def serial(self) -> str:
        """What the guest sees under /dev/disk/by-id: 20 characters."""
        return self.id.removeprefix("d-")


class SnapshotStatus(Enum):
    PROGRESSING = "progressing"
    ACCOMPLISHED = "accomplished"
    FAILED = "failed"


class Snapshot(Thing, frozen=True, kw_only=True):
    disk: str
    size_gib: int
    system: bool
    status: SnapshotStatus = SnapshotStatus.PROGRESSING


class ImageStatus(Enum):
    CREATING = "Creating"
    AVAILABLE = "Available"
    FAILED = "CreateFailed"


class ImageDisk(msgspec.Struct, frozen=True, kw_only=True):
    """`snapshot` is "" for a system image, whose disks are layers of their own."""

    device: str
    size_gib: int
    layer: str
    snapshot: str = ""


class Image(Thing, frozen=True, kw_only=True):
    """The first of `disks` is the system disk. `origin` tells files that were registered before."""

    status: ImageStatus
    platform: str
    architecture: Architecture
    firmware: Firmware
    disks: tuple[ImageDisk, ...]
    public: bool = False
    family: str = ""
    origin: str = ""


class ExportStatus(Enum):
    PROCESSING = "Processing"
    FINISHED = "Finished"
    FAILED = "Failed"


class Export(Thing, frozen=True, kw_only=True):
    """An image that is written out as files; `why` is told of one that failed."""

    image: str
    format: str
    bucket: str
    prefix: str = ""
    status: ExportStatus = ExportStatus.PROCESSING
    percent: int = 0
    why: str = ""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A qcow2 file by its path in the cloud's folder, and the layer it stands on ("" for none)."""

    id: str
    parent: str = ""


def new_id(prefix: str) -> str:
    """`new_id("i")` -> `i-lc1k3...`: the vendor's shape, with a region of our own."""
    return f"{prefix}-lc1{''.join(secrets.choice(_LETTERS) for _ in range(_RANDOM))}"


def stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
