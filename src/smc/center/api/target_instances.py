"""Existing instances as destinations (ours): DescribeTargetInstances."""

from collections.abc import Mapping

from smc.center.api.context import Context
from smc.center.api.words import Text, check_ids
from smc.center.store.store import Store
from smc.center.target.examine import Examined, Examiner, Wanted
from smc.center.target.place import Reason
from smc.cloud.driver import CloudDisk
from smc.model.job import UNFINISHED, JobStatus
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

PRIVATE = 2  # NetMode


class DescribeTargetInstances(Request, frozen=True, kw_only=True):
    """`net_mode` as in the job: 0 by the public address, 2 by the private one."""

    region_id: str
    source_id: Text
    instance_id: tuple[str, ...] = ()
    net_mode: int = 0


class TargetInstanceActions:
    def __init__(self, context: Context) -> None:
        self._context = context

    def actions(self) -> Actions:
        return {"DescribeTargetInstances": action(DescribeTargetInstances, self._describe)}

    def _describe(self, request: DescribeTargetInstances, _caller: Caller) -> Reply:
        """Instances that a source could be moved onto, or why it cannot; each reason has its cure."""
        self._context.check_region(request.region_id)
        wanted_ids = check_ids(request.instance_id, "InstanceId")
        server = self._context.source(request.source_id).server
        examiner = Examiner(self._context.driver, busy_targets(self._context.store))
        wanted = Wanted(private=request.net_mode == PRIVATE)
        found = [
            _described(examiner.examine(server, instance, wanted))
            for instance in self._context.driver.instances()
            if not wanted_ids or instance.id in wanted_ids
        ]
        return {"TotalCount": len(found), "TargetInstances": {"TargetInstance": found}}


def busy_targets(store: Store, *, but: str = "") -> dict[str, str]:
    """Instance -> the job that has it for its target; one that is being deleted brings it back just now."""
    jobs = store.jobs.in_status(*UNFINISHED, JobStatus.DELETING)
    return {job.request.instance_id: job.id for job in jobs if job.request.instance_id and job.id != but}


def _described(examined: Examined) -> Mapping[str, object]:
    instance = examined.instance
    placed = {disk.id: index for index, disk in examined.placed.items()}
    return {
        "InstanceId": instance.id,
        "InstanceName": instance.name,
        "InstanceType": instance.instance_type,
        "Status": instance.power.value,
        "ZoneId": instance.zone,
        "VpcId": instance.vpc,
        "VSwitchId": instance.vswitch,
        "PrivateIpAddress": instance.private_address,
        "PublicIpAddress": instance.public_address,
        "Eligible": not examined.reasons,
        "Reasons": {"Reason": [_reason(reason) for reason in examined.reasons]},
        "Disks": {"Disk": [_disk(disk, placed) for disk in examined.disks]},
    }


def _reason(reason: Reason) -> Mapping[str, str]:
    return {"Code": reason.code, "Message": reason.message, "Cure": reason.cure}


def _disk(disk: CloudDisk, placed: Mapping[str, int]) -> Mapping[str, object]:
    """`Index` is that of the source's disk it would take, -1 when it would stay as it is."""
    return {
        "DiskId": disk.id,
        "DiskName": disk.name,
        "Size": disk.size_gib,
        "Type": "system" if disk.system else "data",
        "Device": disk.device,
        "Index": 0 if disk.system else placed.get(disk.id, -1),
    }
