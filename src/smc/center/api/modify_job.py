"""ModifyReplicationJobAttribute: what an operator changes of a job, some of it while the job runs."""

from functools import partial

from smc.base.errors import UserError
from smc.center.api import replication_parameters
from smc.center.api.context import Context
from smc.center.api.create_job import DataDisk, NewDisks, Part, valid_until
from smc.center.api.excludes import Item, excluding
from smc.center.api.replication_parameters import ParametersText
from smc.center.api.words import TagPair, check_name, unsupported
from smc.center.store.job_changes import Change, Replication
from smc.rpc.dispatch import Caller, Reply
from smc.rpc.params import Request, api_name


class ModifyReplicationJobAttribute(Request, frozen=True, kw_only=True):
    """A parameter that is not sent stays as it was. The last block is refused, see NOT_YET."""

    job_id: str
    name: str = ""
    description: str = ""
    image_name: str = ""
    valid_time: str = ""
    replication_parameters: ParametersText = ""
    excludes: tuple[Item, ...] = ()

    target_type: str = ""
    scheduled_start_time: str = ""
    instance_id: str = ""
    system_disk_size: int | None = None
    system_disk_part: tuple[Part, ...] = ()
    data_disk: tuple[DataDisk, ...] = ()
    vpc_id: str = ""
    v_switch_id: str = ""
    net_mode: int | None = None
    frequency: str = ""
    max_number_of_image_to_keep: str = ""
    instance_type: str = ""
    launch_template_id: str = ""
    launch_template_version: str = ""
    instance_ram_role: str = ""
    container_namespace: str = ""
    container_repository: str = ""
    container_tag: str = ""
    license_type: str = ""
    disks: NewDisks | None = None
    tag: tuple[TagPair, ...] = ()


_MADE = "it is settled when the job is created: delete the job and create it again."
NOT_YET = {  # parameter -> why it is refused
    "target_type": "jobs make images only.",
    "scheduled_start_time": "jobs cannot be scheduled yet.",
    "instance_id": "jobs make images only.",
    "system_disk_size": _MADE,
    "system_disk_part": _MADE,
    "data_disk": _MADE,
    "vpc_id": _MADE,
    "v_switch_id": _MADE,
    "net_mode": _MADE,
    "frequency": "jobs run once.",
    "max_number_of_image_to_keep": "jobs run once.",
    "instance_type": _MADE,
    "launch_template_id": "images are not put into launch templates yet.",
    "launch_template_version": "images are not put into launch templates yet.",
    "instance_ram_role": "it is for container images only.",
    "container_namespace": "jobs make images of disks only.",
    "container_repository": "jobs make images of disks only.",
    "container_tag": "jobs make images of disks only.",
    "license_type": _MADE,
    "disks": _MADE,
    "tag": _MADE,
}


def modify_job(context: Context, request: ModifyReplicationJobAttribute, _caller: Caller) -> Reply:
    change = _change(context, request)
    if change == Change():
        raise UserError(
            "Nothing is to be changed.",
            code="MissingParameter.ReplicationParameters",
            hint="Give what is to change: Name, Description, ImageName, ValidTime, ReplicationParameters, "
            "Excludes.",
        )
    context.store.changes.apply(request.job_id, change)
    for line in _told(change, request):
        context.store.log.add(request.job_id, line)
    return {}


def _change(context: Context, request: ModifyReplicationJobAttribute) -> Change:
    for field, why in NOT_YET.items():
        if getattr(request, field) not in ("", None, ()):
            raise unsupported(api_name(field), why)
    for text, parameter in (
        (request.name, "Name"),
        (request.description, "Description"),
        (request.image_name, "ImageName"),
    ):
        if text:
            check_name(text, parameter)
    text = request.replication_parameters
    return Change(
        name=request.name or None,
        description=request.description or None,
        image_name=request.image_name or None,
        valid_until=valid_until(request.valid_time, context.clock.now()) if request.valid_time else None,
        replication=Replication(text=text, settings=replication_parameters.read(text)) if text else None,
        plan=partial(excluding, items=request.excludes) if request.excludes else None,
    )


def _told(change: Change, request: ModifyReplicationJobAttribute) -> list[str]:
    """Sentences for the log of the job."""
    lines = []
    if change.replication:
        lines.append(f"Transfer settings: {replication_parameters.told(change.replication.settings)}.")
    if change.plan:
        lines.append("What the job leaves behind was changed.")
    if change.name:
        lines.append(f"The job is named {change.name} now.")
    if change.image_name:
        lines.append(f"The image will be named {change.image_name}.")
    if change.valid_until:
        lines.append(f"The job is valid until {request.valid_time}.")
    return lines
