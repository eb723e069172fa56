"""CreateCrossZoneMigrationJob: an instance of the cloud goes into another of its zones."""

import msgspec

from smc.base.errors import UserError
from smc.center.api.asked.times import DAY, VALID_DAYS
from smc.center.api.context import Context
from smc.center.api.target_instances import busy_targets
from smc.center.api.words import ClientToken, ResourceGroup, Short, invalid, request_hash
from smc.center.store.jobs import NewJob
from smc.center.store.values import JobRequest
from smc.center.target.crossing import Wanted, examine_crossing
from smc.cloud.driver import DiskKind
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

CROSS_ZONE = 2  # JobType


class CrossZoneDisk(Request, frozen=True, kw_only=True):
    disk_id: Short
    category: Short = ""
    performance_level: Short = ""


class CreateCrossZoneMigrationJob(Request, frozen=True, kw_only=True):
    """`auto_pay` is of orders for subscribed instances: here all pay as they go."""

    region_id: str
    client_token: ClientToken = ""
    instance_id: Short
    target_zone_id: Short
    target_v_switch_id: Short
    target_instance_type: Short = ""
    auto_pay: bool = True
    disk: tuple[CrossZoneDisk, ...] = ()
    resource_group_id: ResourceGroup = ""


class CrossZoneActions:
    def __init__(self, context: Context) -> None:
        self._context = context

    def actions(self) -> Actions:
        return {"CreateCrossZoneMigrationJob": action(CreateCrossZoneMigrationJob, self._create)}

    def _create(self, request: CreateCrossZoneMigrationJob, _caller: Caller) -> Reply:
        store = self._context.store
        token_hash = request_hash(msgspec.structs.replace(request, client_token=""))
        job = store.jobs.made_before(request.client_token, token_hash)
        if not job:
            job = store.jobs.create(self._new_job(request, token_hash))
            store.log.add(job, "The job was created.")
        return {"JobId": job}

    def _new_job(self, request: CreateCrossZoneMigrationJob, token_hash: str) -> NewJob:
        context = self._context
        context.check_region(request.region_id)
        wanted = Wanted(
            instance=request.instance_id,
            zone=request.target_zone_id,
            vswitch=request.target_v_switch_id,
            instance_type=request.target_instance_type,
            disks=_kinds(request.disk),
        )
        possible = examine_crossing(context.driver, wanted, busy_targets(context.store))
        return NewJob(
            name="",
            description="",
            region_id=request.region_id,
            moved_instance=wanted.instance,
            request=JobRequest(
                target_type="TargetInstance",
                job_type=CROSS_ZONE,
                instance_id=wanted.instance,
                zone_id=wanted.zone,
                vswitch_id=wanted.vswitch,
                vpc_id=possible.vpc,
                instance_type=possible.instance_type,
                disk_kinds=dict(wanted.disks),
            ),
            plan=possible.plan,
            valid_until=context.clock.now() + VALID_DAYS * DAY,
            resource_group=request.resource_group_id,
            client_token=request.client_token,
            token_hash=token_hash,
        )


def require_server_job(moved_instance: str, what: str) -> None:
    """Raises `UserError` (`JobType.NotSupported`) for a cross-zone job."""
    if moved_instance:
        raise UserError(
            f"{what} is of jobs that move a source server; this one moves the instance {moved_instance}.",
            code="JobType.NotSupported",
            hint="Delete the job and create it again to have another one.",
        )


def _kinds(disks: tuple[CrossZoneDisk, ...]) -> dict[str, DiskKind]:
    kinds = {
        disk.disk_id: DiskKind(category=disk.category, performance_level=disk.performance_level)
        for disk in disks
    }
    if len(kinds) != len(disks):
        raise invalid("Disk", "A disk is named twice.", "Name each disk once.")
    return kinds
