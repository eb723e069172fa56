"""The contract every destination cloud keeps; `memory.py` is the fake, tests/conformance holds them to it.

A call asks for one thing and returns as soon as the cloud has accepted it: waiting is the caller's.
Whatever makes something takes a `token`: the same token with the same values gives the same thing back.
Deleting or stopping what is gone is success; describing it gives None.
Raises `UserError` for what the person must change (quota, stock, permission: `code` is the cloud's),
`Transient` for what may work later (throttling, a state that will pass), `Broken` for anything else.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol

import msgspec

from smc.cloud.alterations import Alterations
from smc.cloud.catalogue import Catalogue
from smc.cloud.exports import Exports
from smc.model.server import Architecture, Firmware

TAG_JOB = "smc:job"
TAG_RUN = "smc:run"
TAG_PURPOSE = "smc:purpose"
TAG_IMAGE = "smc:image"  # on the snapshots behind an image: they go when it goes
TAG_LICENSE = "smc:license"  # on an image whose licences were brought along: BYOL
TAG_FORWARD = "smc:forward:"  # + guest port = host port; the local cloud alone reads it

Tags = Mapping[str, str]


class Kind(Enum):
    VPC = "vpc"
    VSWITCH = "vswitch"
    SECURITY_GROUP = "security_group"
    INSTANCE = "instance"
    DISK = "disk"
    SNAPSHOT = "snapshot"
    IMAGE = "image"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    id: str
    name: str = ""
    created: str = ""  # 2026-11-22T10:00:00Z
    resource_group: str = ""


class Power(Enum):
    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class DiskKind(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a disk is, in the cloud's words; "": what the cloud takes for a new one."""

    category: str = ""
    performance_level: str = ""


class DiskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A blank disk, or a copy of what `snapshot` holds; `size_gib` 0 is then the snapshot's size."""

    name: str
    size_gib: int
    snapshot: str = ""
    kind: DiskKind = DiskKind()
    stays: bool = False  # when its instance is released


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`image` "" : the cloud's image for intermediate instances of that architecture.

    `system_disk_gib` 0: the size that the cloud takes for the image. Data disks are seen by the guest in
    their order. `keeps_password`: nobody's is set, that of the image stays.
    """

    name: str
    zone: str
    vswitch: str
    security_group: str
    more_groups: tuple[str, ...] = ()
    architecture: Architecture = Architecture.X86_64
    image: str = ""
    instance_type: str = ""  # "": the cheapest that is in stock (service-facts 2.3)
    user_data: str = ""  # plain text, at most 16 KB
    system_disk_gib: int = 20
    system_disk_kind: DiskKind = DiskKind()
    data_disks: tuple[DiskSpec, ...] = ()
    public_address: bool = True
    bandwidth_mbit: int = 0  # to the public; 0: what an intermediate instance gets
    host_name: str = ""  # "": the cloud makes one of the id
    keeps_password: bool = False
    launch_template: str = ""  # for what is not said here; then also the instance type, where that is ""
    launch_template_version: str = ""  # "": its default


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """`os` is linux or windows; `elastic`: its public address is a thing of its own, bound to it."""

    id: str
    name: str
    power: Power
    image: str = ""
    public_address: str = ""
    elastic: bool = False
    bandwidth_mbit: int = 0  # to the public
    private_address: str = ""
    security_groups: tuple[str, ...] = ()
    vswitch: str = ""
    vpc: str = ""
    zone: str = ""
    mac: str = ""
    instance_type: str = ""
    host_name: str = ""
    resource_group: str = ""
    os: str = "linux"
    tags: dict[str, str] = {}


class CloudDisk(msgspec.Struct, frozen=True, kw_only=True):
    """`serial` is what the guest sees under /dev/disk/by-id (at most 20 characters)."""

    id: str
    name: str
    size_gib: int
    serial: str
    instance: str = ""
    system: bool = False
    device: str = ""  # as the cloud names it: /dev/xvda
    kind: DiskKind = DiskKind()
    stays: bool = False  # when its instance is released


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    disk: str
    ready: bool
    failed: bool = False
    percent: int = 0


class ImageDisk(msgspec.Struct, frozen=True, kw_only=True):
    """The first of an image's disks is its system disk."""

    snapshot: str
    size_gib: int


class ImageSpec(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str
    platform: str  # as model.server.platform gives it
    architecture: Architecture
    firmware: Firmware
    disks: tuple[ImageDisk, ...]


class ImageState(Enum):
    CREATING = "Creating"
    AVAILABLE = "Available"
    FAILED = "CreateFailed"


class Image(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    state: ImageState
    percent: int = 0
    snapshots: tuple[str, ...] = ()
    platform: str = ""
    architecture: Architecture = Architecture.X86_64
    firmware: Firmware = Firmware.BIOS


class Driver(Protocol):
    """Everything the center asks of a cloud, in one region."""

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def alterations(self) -> Alterations: ...

    @property
    def exports(self) -> Exports: ...

    def grouped(self, resource_group: str) -> "Driver":
        """The same cloud; what is made through this one is in that resource group. "": the default one."""
        ...

    def zones(self) -> Sequence[str]:
        """Zone ids, those first where an intermediate instance is in stock."""
        ...

    def create_vpc(self, name: str, cidr: str, tags: Tags, token: str) -> str: ...

    def vpc_ready(self, vpc: str) -> bool: ...

    def create_vswitch(self, vpc: str, zone: str, name: str, cidr: str, tags: Tags, token: str) -> str: ...

    def vswitch_ready(self, vswitch: str) -> bool: ...

    def vpc_of(self, vswitch: str) -> str:
        """The VPC a vSwitch is in. Raises `UserError` (`InvalidVSwitchId.NotFound`) when there is none."""
        ...

    def create_security_group(self, vpc: str, name: str, tags: Tags, token: str) -> str: ...

    def admit(self, group: str, port: int, cidr: str) -> None:
        """Let `cidr` reach TCP `port` of the group's instances; repeating it changes nothing."""
        ...

    def launch(self, spec: InstanceSpec, tags: Tags, token: str) -> str:
        """Create and start an instance with its disks, which carry `tags` too.

        A disk outlives it only when it `stays`. Raises `UserError` (`InvalidParameter.Mismatch`) when the
        vSwitch is not in the zone.
        """
        ...

    def instance(self, instance: str) -> Instance | None: ...

    def instances(self) -> Sequence[Instance]:
        """All of the region, whoever made them."""
        ...

    def disks(self, instance: str) -> Sequence[CloudDisk]:
        """All its disks, the system disk first, then the data disks in the order of their names."""
        ...

    def start(self, instance: str) -> None: ...

    def stop(self, instance: str, *, force: bool = False) -> None: ...

    def create_snapshot(self, disk: str, name: str, tags: Tags, token: str) -> str: ...

    def snapshot(self, snapshot: str) -> Snapshot | None: ...

    def automatic_snapshots(self, disk: str) -> Sequence[Snapshot]:
        """Those that a policy of the cloud took; of a system disk they go with it."""
        ...

    def create_image(self, spec: ImageSpec, tags: Tags, token: str) -> str: ...

    def image(self, image: str) -> Image | None: ...

    def image_named(self, name: str) -> Image | None: ...

    def delete(self, kind: Kind, resource: str) -> None:
        """Ask for the resource to be released; an image takes its snapshots with it.

        Raises `Transient` while something that still exists depends on it.
        """
        ...

    def exists(self, kind: Kind, resource: str) -> bool: ...

    def find(self, tags: Tags) -> Sequence[Resource]:
        """Everything that carries all of `tags`, in an order in which it can be deleted."""
        ...

    def endpoint(self, instance: str, port: int, *, private: bool = False) -> tuple[str, int]:
        """Where a connection to `port` of the instance has to go; the only way to an address.

        `private`: its private address, also when it has a public one.
        Raises `Transient` while the instance has no address yet.
        """
        ...

    def receiver_port(self, taken: Sequence[int]) -> int:
        """The port a new receiver listens on: 8703 in ECS; in the local cloud a free one, none of `taken`."""
        ...

    def console_output(self, instance: str) -> str: ...

    def screenshot(self, instance: str) -> bytes:
        """A JPEG of the screen; b"" where there is none."""
        ...
