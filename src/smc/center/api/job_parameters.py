"""The parameters of CreateReplicationJob and ModifyReplicationJobAttribute, and when each may change.

To add one: a field of `JobParameters`, a row of `PARAMETERS`, and its check in the file of `asked/` with its
subject, which puts it into the `Draft`. It is then known to both actions.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated

import msgspec

from smc.center.api.excludes import Item
from smc.center.api.replication_parameters import ParametersText
from smc.center.api.words import ClientToken, ResourceGroup, Short, TagPair
from smc.center.store.job_changes import When
from smc.model.plan import IpMode
from smc.rpc.params import Request

Gib = Annotated[int, msgspec.Meta(ge=1, le=32768)]
SystemGib = Annotated[int, msgspec.Meta(ge=20, le=2048)]
DiskIndex = Annotated[int, msgspec.Meta(ge=1, le=16)]


class ExecutionMethod(Enum):
    CREATE_ONLY = "CreateOnly"
    MIGRATE_NOW = "MigrateNow"
    TEST_ONLY = "TestOnly"
    TEST_AND_MIGRATE = "TestAndMigrate"
    SCHEDULE = "Schedule"


class Part(Request, frozen=True, kw_only=True):
    """In the older generation a partition has `device`, in the newer one `path`."""

    device: str = ""
    path: str = ""
    size_bytes: int | None = None
    block: bool | None = None


class DataDisk(Request, frozen=True, kw_only=True):
    index: DiskIndex
    size: Gib | None = None
    part: tuple[Part, ...] = ()


class NewDisk(Request, frozen=True, kw_only=True):
    """The fields of encryption are named as in ECS, to be refused: nothing is encrypted at the target."""

    disk_id: str = ""
    size: Gib | None = None
    lvm: bool | None = msgspec.field(default=None, name="LVM")
    encrypted: bool | None = None
    kms_key_id: Short = msgspec.field(default="", name="KMSKeyId")
    part: tuple[Part, ...] = ()


class NewDisks(Request, frozen=True, kw_only=True):
    system: NewDisk | None = None
    data: tuple[NewDisk, ...] = ()


class JobParameters(Request, frozen=True, kw_only=True):
    """What both actions take; each default stands for "not sent"."""

    name: str = ""
    description: str = ""
    target_type: str = ""
    scheduled_start_time: str = ""
    valid_time: str = ""
    image_name: str = ""
    image_name_prefix: str = ""
    instance_id: str = ""
    system_disk_size: SystemGib | None = None
    system_disk_part: tuple[Part, ...] = ()
    data_disk: tuple[DataDisk, ...] = ()
    disks: NewDisks | None = None
    vpc_id: Short = ""
    v_switch_id: Short = ""
    net_mode: int | None = None
    replication_parameters: ParametersText = ""
    frequency: Annotated[int, msgspec.Meta(ge=1, le=168)] | None = None
    max_number_of_image_to_keep: Annotated[int, msgspec.Meta(ge=1, le=10)] | None = None
    instance_type: Short = ""
    instance_ram_role: str = ""
    launch_template_id: Short = ""
    launch_template_version: Short = ""
    container_namespace: str = ""
    container_repository: str = ""
    container_tag: str = ""
    license_type: str = ""
    tag: tuple[TagPair, ...] = ()
    execution_method: ExecutionMethod | None = None
    excludes: tuple[Item, ...] = ()
    ip_mode: IpMode | None = None
    private_ip_address: str = ""
    confirm_erase: Short = ""
    image_check: bool | None = None
    upload_diagnostic_logs: bool | None = None
    template_id: str = ""


class CreateReplicationJob(JobParameters, frozen=True, kw_only=True):
    """With what is settled for ever when a job is created."""

    region_id: str
    source_id: str
    client_token: ClientToken = ""
    run_once: bool | None = None  # it does
    job_type: int = 0
    resource_group_id: ResourceGroup = ""


class ModifyReplicationJobAttribute(JobParameters, frozen=True, kw_only=True):
    """A parameter that is not sent stays as it was."""

    job_id: str


class Parameter(msgspec.Struct, frozen=True):
    """`changes`: when it may change."""

    changes: When = When.BEFORE_RUN


PARAMETERS: Mapping[str, Parameter] = {
    "name": Parameter(When.ANY_TIME),
    "description": Parameter(When.ANY_TIME),
    "target_type": Parameter(),
    "scheduled_start_time": Parameter(),
    "valid_time": Parameter(When.ALIVE),
    "image_name": Parameter(),
    "image_name_prefix": Parameter(),
    "instance_id": Parameter(),
    "system_disk_size": Parameter(),
    "system_disk_part": Parameter(),
    "data_disk": Parameter(),
    "disks": Parameter(),
    "vpc_id": Parameter(),
    "v_switch_id": Parameter(),
    "net_mode": Parameter(),
    "replication_parameters": Parameter(When.SYNCING),
    "frequency": Parameter(When.WAITING),
    "max_number_of_image_to_keep": Parameter(When.WAITING),
    "instance_type": Parameter(),
    "instance_ram_role": Parameter(),
    "launch_template_id": Parameter(),
    "launch_template_version": Parameter(),
    "container_namespace": Parameter(),
    "container_repository": Parameter(),
    "container_tag": Parameter(),
    "license_type": Parameter(),
    "tag": Parameter(),
    "execution_method": Parameter(),
    "excludes": Parameter(When.WAITING),
    "ip_mode": Parameter(),
    "private_ip_address": Parameter(),
    "confirm_erase": Parameter(),
    "image_check": Parameter(),
    "upload_diagnostic_logs": Parameter(When.ALIVE),
    "template_id": Parameter(),
    "resource_group_id": Parameter(),
}


def changeable() -> list[str]:
    return [name for name in ModifyReplicationJobAttribute.__struct_fields__ if name in PARAMETERS]


def sent(request: JobParameters) -> list[str]:
    """The fields of `PARAMETERS` that are not at their default."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(request))}
    return [field for field in PARAMETERS if field in defaults and getattr(request, field) != defaults[field]]
