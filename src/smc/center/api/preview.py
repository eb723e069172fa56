"""DescribePlan (ours): how the target disks would be laid out, before a job is created or changed."""

from collections.abc import Iterator

from smc.base.errors import UserError
from smc.base.units import GIB
from smc.center.api import layout
from smc.center.api.asked.disks import check_disks
from smc.center.api.asked.draft import Asking, Draft, draft_of, plan_of
from smc.center.api.context import Context
from smc.center.api.cross_zone import require_server_job
from smc.center.api.job_parameters import (
    DataDisk,
    ModifyReplicationJobAttribute,
    NewDisks,
    Part,
    SystemGib,
)
from smc.center.store.values import Source
from smc.model.places import Place, places
from smc.model.plan import TargetDisk, TargetPartition
from smc.model.planner import smallest_gib
from smc.model.server import Server
from smc.model.wishes import Limits, Wishes
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request


class DescribePlan(Request, frozen=True, kw_only=True):
    """The parameters of CreateReplicationJob that concern disks; with `job_id` those of Modify."""

    source_id: str = ""
    job_id: str = ""
    system_disk_size: SystemGib | None = None
    system_disk_part: tuple[Part, ...] = ()
    data_disk: tuple[DataDisk, ...] = ()
    disks: NewDisks | None = None


class PlanActions:
    def __init__(self, context: Context) -> None:
        self._context = context

    def actions(self) -> Actions:
        return {"DescribePlan": action(DescribePlan, self._describe)}

    def _describe(self, request: DescribePlan, _caller: Caller) -> Reply:
        """How the target disks of a source would be laid out, or those of a job after a change, without doing
        either; refused as the job would be. Parts are in their order, with where the source has each;
        `SmallestSize` is what a disk needs at least, in GiB, for what is on it.
        """
        source, before = self._before(request)
        sent = ModifyReplicationJobAttribute(
            job_id=request.job_id,
            system_disk_size=request.system_disk_size,
            system_disk_part=request.system_disk_part,
            data_disk=request.data_disk,
            disks=request.disks,
        )
        asking = Asking(context=self._context, source=source, sent=sent, is_new=not request.job_id)
        draft = check_disks(asking, before)
        plan = plan_of(source, draft)
        wishes = Wishes(parts=draft.request.parts, lvm=draft.request.lvm)
        smallest = smallest_gib(source.server, Limits(), wishes)
        disks = [_disk(source.server, disk, smallest.get(disk.index, 0)) for disk in plan.disks]
        return {
            "SourceId": source.id,
            "TargetDisks": {"TargetDisk": disks},
            **layout.beside_the_plan(plan),
        }

    def _before(self, request: DescribePlan) -> tuple[Source, Draft]:
        if request.job_id:
            job = self._context.job(request.job_id)
            require_server_job(job.moved_instance, "A plan")
            return self._context.source(job.source_id), draft_of(job)
        if not request.source_id:
            raise UserError(
                "A plan is made of a source, or of a job.",
                code="MissingParameter.SourceId",
                hint="Give SourceId, or JobId.",
            )
        now = self._context.clock.now()
        return self._context.source(request.source_id), Draft(created=now, valid_until=now)


def _disk(server: Server, disk: TargetDisk, smallest: int) -> dict[str, object]:
    return {
        "Index": disk.index,
        "Size": disk.size // GIB,
        "SmallestSize": smallest,
        "Table": disk.table.value,
        "LVM": disk.group is not None,
        "Parts": {"Part": [_part(server, part) for part in disk.partitions]},
    }


def _part(server: Server, part: TargetPartition) -> dict[str, object]:
    home, place = next(_home(server, part.source), (None, None))
    return {
        "Path": part.mount_point,
        "Device": part.source,
        "Role": part.role.value,
        "Filesystem": part.filesystem,
        "SizeBytes": part.size,
        "Volume": part.logical,
        "SourceDisk": home,
        "SourceTitle": place.title if place else "",
        "SourceSizeBytes": place.part.size if place else 0,
    }


def _home(server: Server, name: str) -> Iterator[tuple[int, Place]]:
    for disk in server.disks:
        for place in places(server, disk):
            if place.key == name:
                yield disk.index, place
