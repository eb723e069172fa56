"""CreateReplicationJob: a request that can work becomes a job with a plan; any other is refused here."""

import hashlib
from enum import Enum
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api import layout, replication_parameters
from smc.center.api.context import Context
from smc.center.api.excludes import Item, excluding
from smc.center.api.replication_parameters import ParametersText
from smc.center.api.sources import offline_sentence
from smc.center.api.start_job import start
from smc.center.api.words import (
    TagPair,
    check_name,
    invalid,
    read_time,
    unsupported,
)
from smc.center.store.jobs import NewJob
from smc.center.store.sources import state_of
from smc.center.store.values import JobRequest, Source, Tag
from smc.model.codec import encode
from smc.model.job import JobStatus, SourceState
from smc.model.plan import IpMode
from smc.model.planner import Limits, Wishes, plan
from smc.model.server import platform
from smc.rpc.dispatch import Caller, Reply
from smc.rpc.params import Request, api_name

DAY = 86400.0
VALID_DAYS = 30.0  # as the console's; the API's text contradicts itself (service-facts, 8)
VALID_DAYS_LIMITS = 7, 90
MOST_TAGS = 20
NET_MODE_PRIVATE = 2
TARGET_TYPES = {"image": "Image", "containerimage": "ContainerImage", "targetinstance": "TargetInstance"}
TARGET_TYPES["instance"] = "TargetInstance"
LICENSED = ("Windows", "RedHat", "SUSE", "OpenSUSE")  # whose licences can be brought along
RESERVED_TAGS = ("aliyun", "acs:", "http://", "https://", "smc:")

Gib = Annotated[int, msgspec.Meta(ge=1, le=32768)]
SystemGib = Annotated[int, msgspec.Meta(ge=20, le=2048)]
DiskIndex = Annotated[int, msgspec.Meta(ge=1, le=16)]
Short = Annotated[str, msgspec.Meta(max_length=128)]


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
    disk_id: str = ""
    size: Gib | None = None
    lvm: bool = msgspec.field(default=False, name="LVM")
    part: tuple[Part, ...] = ()


class NewDisks(Request, frozen=True, kw_only=True):
    system: NewDisk | None = None
    data: tuple[NewDisk, ...] = ()


class CreateReplicationJob(Request, frozen=True, kw_only=True):
    """The last block is what the public API or a later version of this center has; see NOT_YET."""

    region_id: str
    source_id: str
    client_token: Annotated[str, msgspec.Meta(max_length=64)] = ""
    name: str = ""
    description: str = ""
    target_type: str = "Image"
    valid_time: str = ""
    image_name: str = ""
    image_name_prefix: str = ""
    system_disk_size: SystemGib | None = None
    system_disk_part: tuple[Part, ...] = ()
    data_disk: tuple[DataDisk, ...] = ()
    disks: NewDisks = NewDisks()
    vpc_id: Short = ""
    v_switch_id: Short = ""
    net_mode: int = 0
    replication_parameters: ParametersText = ""
    run_once: bool = True
    instance_type: Short = ""
    license_type: str = ""
    job_type: int = 0
    tag: tuple[TagPair, ...] = ()
    execution_method: ExecutionMethod = ExecutionMethod.CREATE_ONLY
    excludes: tuple[Item, ...] = ()
    ip_mode: IpMode = IpMode.DHCP

    scheduled_start_time: str = ""
    frequency: str = ""
    max_number_of_image_to_keep: str = ""
    instance_id: str = ""
    instance_ram_role: str = ""
    launch_template_id: str = ""
    launch_template_version: str = ""
    container_namespace: str = ""
    container_repository: str = ""
    container_tag: str = ""
    resource_group_id: str = ""
    private_ip_address: str = ""
    image_check: str = ""
    upload_diagnostic_logs: str = ""
    template_id: str = ""


NOT_YET = {  # parameter -> why it is refused
    "scheduled_start_time": "jobs cannot be scheduled yet.",
    "frequency": "jobs run once.",
    "max_number_of_image_to_keep": "jobs run once.",
    "instance_id": "jobs make images only.",
    "instance_ram_role": "it is for container images only.",
    "launch_template_id": "images are not put into launch templates yet.",
    "launch_template_version": "images are not put into launch templates yet.",
    "container_namespace": "jobs make images of disks only.",
    "container_repository": "jobs make images of disks only.",
    "container_tag": "jobs make images of disks only.",
    "resource_group_id": "there are no resource groups here yet.",
    "private_ip_address": "jobs make images only.",
    "image_check": "images are not checked by the cloud yet.",
    "upload_diagnostic_logs": "agents do not send their logs yet.",
    "template_id": "there are no templates here yet.",
}


def create_job(context: Context, request: CreateReplicationJob, _caller: Caller) -> Reply:
    token_hash = _hash(request)
    job_id = context.store.jobs.made_before(request.client_token, token_hash)
    if not job_id:
        job_id = context.store.jobs.create(_checked(context, request, token_hash))
        context.store.log.add(job_id, "The job was created.")
    job = context.job(job_id)
    wants_start = request.execution_method is ExecutionMethod.MIGRATE_NOW
    if wants_start and job.status is JobStatus.READY and job.run_number == 0:
        start(context, job_id)
    return {"JobId": job_id}


def _checked(context: Context, request: CreateReplicationJob, token_hash: str) -> NewJob:
    context.check_region(request.region_id)
    _refuse_what_is_not_built(request)
    for text, parameter in (
        (request.name, "Name"),
        (request.description, "Description"),
        (request.image_name, "ImageName"),
        (request.image_name_prefix, "ImageNamePrefix"),
    ):
        if text:
            check_name(text, parameter)
    if request.image_name and request.image_name_prefix:
        raise invalid("ImageNamePrefix", "ImageName and ImageNamePrefix cannot be given together.")
    vpc = _network(context, request)
    source = context.source(request.source_id)
    require_available(source, context.clock.now())
    if request.license_type and platform(source.server) not in LICENSED:
        raise invalid(
            "LicenseType", f"A licence can be brought for {', '.join(LICENSED)} only.", "Leave it out."
        )
    wishes = Wishes(sizes_gib=_sizes(request, source), ip_mode=request.ip_mode)
    return NewJob(
        name=request.name,
        description=request.description,
        region_id=request.region_id,
        source_id=source.id,
        request=JobRequest(
            target_type="Image",
            image_name=request.image_name,
            image_name_prefix=request.image_name_prefix,
            net_mode=request.net_mode,
            vpc_id=vpc,
            vswitch_id=request.v_switch_id,
            instance_type=request.instance_type,
            replication_parameters=request.replication_parameters,
            settings=replication_parameters.read(request.replication_parameters),
            license_type=request.license_type,
            tags=_tags(request.tag),
        ),
        plan=excluding(plan(source.server, wishes, Limits()), request.excludes),
        valid_until=valid_until(request.valid_time, context.clock.now()),
        client_token=request.client_token,
        token_hash=token_hash,
    )


def require_available(source: Source, now: float) -> None:
    """Raises `UserError` (`SourceServerState.Invalid`), with the reason."""
    state = state_of(source, now)
    if state is SourceState.AVAILABLE:
        return
    why, cure = "", "Wait until it is Available."
    if state is SourceState.UNAVAILABLE:
        why = f" ({offline_sentence(source)})"
        cure = "See that the server runs and its agent reaches this center, then try again."
    elif state is SourceState.IN_USE:
        why = f" (it has the unfinished job {source.job})"
        cure = f"Finish or delete {source.job} first."
    raise UserError(
        f"The migration source {source.id} is in the status: {state.value}{why}. "
        "This is only allowed in the following status: Available",
        code="SourceServerState.Invalid",
        hint=cure,
    )


def _refuse_what_is_not_built(request: CreateReplicationJob) -> None:
    target = TARGET_TYPES.get(request.target_type.lower())
    if target is None:
        raise invalid("TargetType", f"TargetType must be one of {', '.join(set(TARGET_TYPES.values()))}.")
    if target != "Image":
        raise unsupported("TargetType", "jobs make images only, so far.")
    if request.job_type not in (0, 1, 2, 3):
        raise invalid("JobType", "JobType must be 0.")
    if request.job_type != 0:
        raise unsupported("JobType", "servers (0) are moved here, nothing else.")
    if not request.run_once:
        raise unsupported("RunOnce", "jobs run once, so far.")
    if request.execution_method not in (ExecutionMethod.CREATE_ONLY, ExecutionMethod.MIGRATE_NOW):
        raise unsupported(
            "ExecutionMethod", f"{request.execution_method.value}; CreateOnly and MigrateNow are, so far."
        )
    for field, why in NOT_YET.items():
        if getattr(request, field):
            raise unsupported(api_name(field), why)
    _refuse_parts(request)
    if request.license_type not in ("", "BYOL"):
        raise invalid("LicenseType", "LicenseType must be BYOL or empty.")


def _refuse_parts(request: CreateReplicationJob) -> None:
    disks = [disk for disk in (request.disks.system, *request.disks.data) if disk is not None]
    parts = [*request.system_disk_part]
    parts += [part for data_disk in request.data_disk for part in data_disk.part]
    parts += [part for disk in disks for part in disk.part]
    if any(part.block for part in parts):
        raise unsupported("Block", "files are copied, not blocks, so far.")
    if parts:
        raise unsupported("Part", "partitions are laid out by this center: choose sizes of disks only.")
    if any(disk.lvm for disk in disks):
        raise unsupported("LVM", "partitions are plain, so far.")
    if any(disk.disk_id for disk in disks):
        raise unsupported("DiskId", "jobs make images only.")


def _sizes(request: CreateReplicationJob, source: Source) -> dict[int, int]:
    """GiB by disk index, from either generation of parameters."""
    known = {disk.index for disk in source.server.disks[1:]}
    sizes: dict[int, int] = {}
    for disk in request.data_disk:
        if disk.index in sizes:
            raise UserError(f"DataDisk has the index {disk.index} twice.", code="DataDisk.DuplicateIndex")
        if disk.index not in known:
            raise UserError(
                f"The migration source has no data disk {disk.index}.",
                code="ReplicationJobDataDiskIndex.Invalid",
                hint=f"Its data disks are: {', '.join(map(str, sorted(known))) or 'none'}.",
            )
        sizes[disk.index] = disk.size or 0
    movable = layout.movable_data_disks(source.server)
    if len(request.disks.data) > len(movable):
        raise UserError(
            f"Disks.Data names {len(request.disks.data)} data disks; the source has {len(movable)}.",
            code="ReplicationJobDataDiskIndex.Invalid",
            hint="DescribeSourceServers shows them in their order.",
        )
    for at, new in enumerate(request.disks.data):
        index = movable[at].index
        sizes[index] = new.size or sizes.get(index, 0)
    system = request.disks.system.size if request.disks.system else None
    if system and request.system_disk_size and system != request.system_disk_size:
        raise invalid("SystemDiskSize", "SystemDiskSize and Disks.System.Size contradict each other.")
    sizes[0] = request.system_disk_size or system or 0
    return {index: size for index, size in sizes.items() if size}


def _network(context: Context, request: CreateReplicationJob) -> str:
    """The VPC of the vSwitch, "" when the center makes a network of its own."""
    if request.net_mode not in (0, NET_MODE_PRIVATE):
        raise invalid("NetMode", "NetMode must be 0 (Internet) or 2 (private network).")
    if not request.v_switch_id:
        if request.net_mode == NET_MODE_PRIVATE:
            raise UserError(
                "NetMode 2 needs a VSwitchId.",
                code="MissingParameter.VSwitchId",
                hint="Give the vSwitch that the source reaches by VPN or leased line.",
            )
        if request.vpc_id:
            raise UserError(
                "VpcId is given without VSwitchId.",
                code="MissingParameter.VSwitchId",
                hint="Give the vSwitch for the intermediate instance, or leave VpcId out.",
            )
        return ""
    vpc = context.driver.vpc_of(request.v_switch_id)
    if request.vpc_id not in ("", vpc):
        raise UserError(
            f"The vSwitch {request.v_switch_id} is not in the VPC {request.vpc_id} but in {vpc}.",
            code="VSwitchIdVpcId.Mismatch",
            hint="Leave VpcId out: the vSwitch tells it.",
        )
    return vpc


def _tags(pairs: tuple[TagPair, ...]) -> tuple[Tag, ...]:
    if len(pairs) > MOST_TAGS:
        raise UserError(f"A job has at most {MOST_TAGS} tags.", code="NumberExceed.Tags")
    for pair in pairs:
        if not 1 <= len(pair.key) <= 128 or pair.key.startswith(RESERVED_TAGS):
            raise invalid(
                "Tag.Key",
                f"The tag key {pair.key[:130]!r} cannot be used.",
                f"It has 1 to 128 characters and does not start with {', '.join(RESERVED_TAGS)}.",
            )
        if len(pair.value) > 128 or pair.value.startswith(RESERVED_TAGS):
            raise invalid("Tag.Value", f"The value of the tag {pair.key} cannot be used.")
    return tuple(Tag(key=pair.key, value=pair.value) for pair in pairs)


def valid_until(text: str, now: float) -> float:
    """ "" is the default. Raises `UserError` (`InvalidParameter.ValidTime`)."""
    if not text:
        return now + VALID_DAYS * DAY
    until = read_time(text, "ValidTime")
    low, high = VALID_DAYS_LIMITS
    if not now + low * DAY - 60 <= until <= now + high * DAY + 60:  # a minute for clocks that differ
        raise invalid("ValidTime", f"ValidTime must be {low} to {high} days from now.")
    return until


def _hash(request: CreateReplicationJob) -> str:
    return hashlib.sha256(encode(msgspec.structs.replace(request, client_token=""))).hexdigest()
