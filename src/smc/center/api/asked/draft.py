"""A job as it is to be: what was asked before, with what was sent now put over it."""

from dataclasses import dataclass

import msgspec

from smc.base.units import GIB
from smc.center.api.context import Context
from smc.center.api.excludes import DiskExcludes, Item, excluding
from smc.center.api.job_parameters import JobParameters
from smc.center.store.values import Job, JobRequest, Source, Tag
from smc.model.plan import IpMode, Plan
from smc.model.planner import plan
from smc.model.wishes import Limits, Wishes


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """`sizes_gib` by disk index; what is not in `request` is in a column of its own or in the plan."""

    name: str = ""
    description: str = ""
    created: float
    valid_until: float
    request: JobRequest = JobRequest()
    sizes_gib: dict[int, int] = {}
    ip_mode: IpMode = IpMode.DHCP
    excludes: tuple[Item, ...] = ()
    tags: tuple[Tag, ...] | None = None  # None: those it has


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request, of any job; `is_new` when the job is created by it."""

    context: Context
    sent: JobParameters
    is_new: bool

    @property
    def now(self) -> float:
        return self.context.clock.now()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(Sent):
    """The same, of a job that moves a source server."""

    source: Source


def draft_of(job: Job) -> Draft:
    on_disks = [
        DiskExcludes(disk=disk.index, pattern=disk.excludes) for disk in job.plan.disks if disk.excludes
    ]
    return Draft(
        name=job.name,
        description=job.description,
        created=job.created,
        valid_until=job.valid_until,
        request=job.request,
        sizes_gib={disk.index: disk.size // GIB for disk in job.plan.disks},
        ip_mode=job.plan.ip_mode,
        excludes=(*job.plan.excludes, *on_disks),
    )


def plan_of(source: Source, draft: Draft) -> Plan:
    """Raises what the planner raises, and `UserError` (`InvalidParameter.Excludes`)."""
    wishes = Wishes(
        sizes_gib=draft.sizes_gib,
        parts=draft.request.parts,
        lvm=draft.request.lvm,
        ip_mode=draft.ip_mode,
    )
    return excluding(plan(source.server, wishes, Limits()), draft.excludes)
