"""An existing instance as destination: does the source fit on it, and is it meant to be erased."""

from collections.abc import Sequence

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.disks import sizes_sent
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.asked.network import NET_MODE_PRIVATE
from smc.center.api.asked.parts import data_targets
from smc.center.api.asked.target import TARGET_INSTANCE
from smc.center.api.job_parameters import JobParameters, ModifyReplicationJobAttribute
from smc.center.api.target_instances import busy_targets
from smc.center.api.words import invalid
from smc.center.store.values import JobRequest
from smc.center.target.address import check_address
from smc.center.target.examine import Examined, Examiner, Wanted
from smc.cloud.driver import CloudDisk, Driver, Instance
from smc.model.server import Server
from smc.rpc.params import api_name

OF_INSTANCES = ("instance_id", "private_ip_address", "confirm_erase")  # no other target has them
OF_IMAGES = ("instance_type",)  # there is no intermediate instance of its own


def check_instance(asking: Asking, draft: Draft) -> Draft:
    sent, request = asking.sent, draft.request
    if request.target_type != TARGET_INSTANCE:
        _refuse(sent, OF_INSTANCES, f"it is for the TargetType {TARGET_INSTANCE}.")
        _refuse_disk_ids(sent)
        return replace(
            draft, request=replace(request, instance_id="", target_disks={}, private_ip_address="")
        )
    _refuse(sent, OF_IMAGES, f"a {TARGET_INSTANCE} is its own intermediate instance.")
    if not asking.is_new and not _concerns_instance(sent):
        return draft  # the cloud need not be asked, nor the instance be there
    instance = _instance(asking.context.driver, sent.instance_id or request.instance_id)
    request = replace(
        request,
        instance_id=instance.id,
        vpc_id=instance.vpc,
        vswitch_id=instance.vswitch,
        private_ip_address=sent.private_ip_address or request.private_ip_address,
    )
    _check_network(asking.context.driver, sent, instance)
    if request.private_ip_address:
        check_address(asking.context.driver, instance, request.private_ip_address)
    if not asking.is_new and not _concerns_disks(sent):
        return replace(draft, request=request)
    examined = _examine(asking, request, instance)
    disks = {index: disk.id for index, disk in examined.placed.items()}
    sizes = {index: disk.size_gib for index, disk in examined.placed.items()}
    if (request.instance_id, disks) != (draft.request.instance_id, draft.request.target_disks):
        _require_confirmation(asking, examined)
    return replace(
        draft,
        request=replace(request, target_disks=disks),
        sizes_gib={0: examined.disks[0].size_gib, **sizes},
    )


def _refuse(sent: JobParameters, fields: Sequence[str], why: str) -> None:
    for field in fields:
        if getattr(sent, field):
            raise invalid(
                api_name(field), f"The parameter {api_name(field)} does not fit: {why}", "Leave it out."
            )


def _refuse_disk_ids(sent: JobParameters) -> None:
    if sent.disks and any(disk.disk_id for disk in (sent.disks.system, *sent.disks.data) if disk):
        raise invalid("DiskId", f"DiskId is for the TargetType {TARGET_INSTANCE}.", "Leave it out.")


def _instance(driver: Driver, name: str) -> Instance:
    if not name:
        raise UserError(
            f"A {TARGET_INSTANCE} needs an InstanceId.",
            code="MissingParameter.InstanceId",
            hint="DescribeTargetInstances lists those that the source fits on.",
        )
    found = driver.instance(name)
    if found is None:
        raise UserError(
            f"There is no instance {name}.",
            code="InvalidInstanceId.NotFound",
            hint="DescribeTargetInstances lists those that the source fits on.",
        )
    return found


def _check_network(driver: Driver, sent: JobParameters, instance: Instance) -> None:
    """The network is the instance's own."""
    vpc = driver.vpc_of(sent.v_switch_id) if sent.v_switch_id else sent.vpc_id
    if vpc not in ("", instance.vpc) or sent.vpc_id not in ("", instance.vpc):
        raise UserError(
            f"The instance {instance.id} is in the VPC {instance.vpc}, not in {vpc or sent.vpc_id}.",
            code="TargetInstance.NetworkMismatch",
            hint="Leave VpcId and VSwitchId out: the instance tells them.",
        )


def _concerns_instance(sent: JobParameters) -> bool:
    return _concerns_disks(sent) or any((sent.private_ip_address, sent.vpc_id, sent.v_switch_id))


def _concerns_disks(sent: JobParameters) -> bool:
    named = (sent.instance_id, sent.target_type, sent.system_disk_size, sent.disks)
    parts = (sent.system_disk_part, sent.data_disk)
    return any(named) or any(parts) or sent.net_mode is not None


def _examine(asking: Asking, request: JobRequest, instance: Instance) -> Examined:
    """Raises `UserError` with the code of the first reason, the message and the cure of all."""
    context, server = asking.context, asking.source.server
    sent = asking.sent
    own = sent.job_id if isinstance(sent, ModifyReplicationJobAttribute) else ""
    busy = busy_targets(context.store, but=own)
    wanted = Wanted(
        sizes_gib=sizes_sent(sent, server),
        disks=_chosen(sent, server),
        parts=request.parts,
        lvm=request.lvm,
        private=request.net_mode == NET_MODE_PRIVATE,
    )
    examined = Examiner(context.driver, busy).examine(server, instance, wanted)
    if examined.reasons:
        raise UserError(
            " ".join(reason.message for reason in examined.reasons),
            code=examined.reasons[0].code,
            hint=" ".join(reason.cure for reason in examined.reasons),
        )
    return examined


def _chosen(sent: JobParameters, server: Server) -> dict[int, str]:
    """Disk index -> the target's disk that `Disks.Data.N.DiskId` names."""
    if sent.disks is None:
        return {}
    return {disk.index: new.disk_id for disk, new in data_targets(sent.disks, server) if new.disk_id}


def _require_confirmation(asking: Asking, examined: Examined) -> None:
    """Raises `UserError` (`ConfirmErase.Missing`) with all that will be lost."""
    instance = examined.instance.id
    if asking.sent.confirm_erase == instance:
        return
    taken = {disk.id for disk in examined.placed.values()}
    lost = [_described(disk) for disk in examined.disks if disk.system or disk.id in taken]
    automatic = asking.context.driver.automatic_snapshots(examined.disks[0].id)
    if automatic:
        lost.append(f"the automatic snapshots {', '.join(snapshot.id for snapshot in automatic)}")
    raise UserError(
        f"The job erases on the instance {instance}: {'; '.join(lost)}.",
        code="ConfirmErase.Missing",
        hint=f"If that is meant, send ConfirmErase={instance} (smc job create --yes-erase {instance}).",
    )


def _described(disk: CloudDisk) -> str:
    kind = "system" if disk.system else "data"
    return f"the {kind} disk {disk.id} ({disk.name or disk.device}, {disk.size_gib} GiB)"
