"""Taking a target instance over: what it is, and what brings it back; nothing is overwritten yet."""

from enum import Enum

from smc.base.errors import Broken, UserError
from smc.base.secret import Secret
from smc.center.jobs.steps.clean import release
from smc.center.jobs.steps.deliver import create_image, power_off, take_snapshot, wait_ready
from smc.center.jobs.steps.machine import able_to_run, look, target_gib
from smc.center.jobs.steps.network import adopt
from smc.center.jobs.steps.taken import note, takeover
from smc.center.jobs.values import Network, lost
from smc.center.jobs.work import Work
from smc.center.store.resources import ROLLBACK
from smc.center.store.values import Job, Takeover
from smc.cloud.driver import CloudDisk, ImageDisk, ImageSpec, Instance, Power
from smc.model.job import BusinessStatus
from smc.model.server import Firmware

PLATFORM = "Others Linux"  # where the image that the instance was made from is gone


class Stage(Enum):
    """Which system the instance has; its value is what the journal holds."""

    OWN = "own"
    INTERMEDIATE = "intermediate"
    COPY = "copy"
    DELIVERED = "delivered"  # only cleaning is left to do


def survey(work: Work, run: str) -> str:
    """The value of a `Stage`. What the instance was is written down before anything is done to it."""
    job, now = work.current(run)
    what = "Looking at the target instance"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=0.5)
    adopt(work, run)
    seen = look(work, job.request.instance_id)
    if seen is None:
        raise lost(job.request.instance_id)
    disks = list(work.driver.disks(seen.id))
    known = work.store.takeovers.find(job.id)
    stage = _stage(known, seen, disks[0]) if known else None
    if stage is None:
        if known is not None and known.borrowed:
            raise Broken(
                f"The system disk of {seen.id} was replaced from outside while the job had it.",
                code="TargetInstance.Changed",
                hint="Delete the job, which brings the instance back to what it was, and create it again.",
            )
        _begin(work, run, job, seen, disks)
        stage = Stage.OWN
    if stage is Stage.INTERMEDIATE:
        note(work, run, borrowed=True)  # a crash may have left it unwritten
    work.store.jobs.hold_instance(now, seen.id)
    return stage.value


def network_of_target(work: Work, run: str) -> Network:
    """Its own: the group that lets the source in has to be there too."""
    job, _ = work.current(run)
    taken = takeover(work, run)
    return Network(vpc=taken.vpc, vswitch=job.request.vswitch_id, zone=taken.zone)


def take_down(work: Work, run: str) -> None:
    """Stop it. What an earlier run saved of it may be older than what is on it now: that is dropped."""
    job, now = work.current(run)
    what = f"Stopping the target instance {job.request.instance_id}"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=1.0)
    taken = takeover(work, run)
    if taken.saved_by not in (0, now.number):
        left = release(work, job.id, keep=set(), purposes=(ROLLBACK,))
        if left:
            raise Broken(f"This could not be released: {'; '.join(left)}.", code="Cleaning.Incomplete")
        note(work, run, snapshots={}, old_image="")
    note(work, run, saved_by=now.number)
    power_off(work, run, taken.instance)


def save_disks(work: Work, run: str) -> None:
    """A snapshot of each disk it has."""
    _, now = work.current(run)
    what = "Taking snapshots of the target instance"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=1.5)
    made = {
        disk.id: take_snapshot(work, run, disk.id, _saved_name(run, disk.id), f"old-{disk.id}", ROLLBACK)
        for disk in work.driver.disks(takeover(work, run).instance)
    }
    for snapshot in made.values():
        wait_ready(work, run, snapshot)
    note(work, run, snapshots=made)


def save_system(work: Work, run: str) -> None:
    """An image of the system it has: of a snapshot alone no system disk is made again."""
    job, now = work.current(run)
    taken = takeover(work, run)
    seen = look(work, taken.instance)
    image = work.driver.image(seen.image) if seen and seen.image else None
    spec = ImageSpec(
        name=_saved_name(run, taken.system_disk),
        description=f"{taken.instance} before {job.id}",
        platform=(image.platform if image else "") or PLATFORM,
        architecture=image.architecture if image else able_to_run(job.plan.architecture),
        firmware=image.firmware if image else Firmware.BIOS,
        disks=(ImageDisk(snapshot=taken.snapshots[taken.system_disk], size_gib=taken.system_gib),),
    )

    def tell(percent: int) -> None:
        what = f"Making an image of the old system: {percent} %"
        work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=2.0)

    note(work, run, old_image=create_image(work, run, spec, "old-image", tell, ROLLBACK))


def _stage(known: Takeover, seen: Instance, system: CloudDisk) -> Stage | None:
    """None: it has a system that is neither its own nor one of ours."""
    if known.delivered:
        return Stage.DELIVERED
    if system.id == known.system_disk:
        return Stage.OWN
    if known.image and seen.image == known.image:
        return Stage.COPY
    if known.intermediate and seen.image == known.intermediate:
        return Stage.INTERMEDIATE
    return None


def _begin(work: Work, run: str, job: Job, seen: Instance, disks: list[CloudDisk]) -> None:
    """Raises `UserError` (`TargetInstance.DiskMissing`) when its disks are not those of Create any more."""
    _, now = work.current(run)
    there = {disk.id: disk.size_gib for disk in disks}
    for planned in job.plan.disks:
        name = job.request.target_disks.get(planned.index, disks[0].id)
        if there.get(name, 0) < target_gib(planned):
            raise UserError(
                f"{seen.id} has no disk {name} of {target_gib(planned)} GiB any more.",
                code="TargetInstance.DiskMissing",
                hint="Attach it again, or delete the job and create it again.",
            )
    user_data = Secret(work.driver.alterations.user_data(seen.id))
    taken = Takeover(
        instance=seen.id,
        vpc=seen.vpc,
        zone=seen.zone,
        ran=seen.power is not Power.STOPPED,
        system_disk=disks[0].id,
        system_gib=disks[0].size_gib,
    )
    work.store.takeovers.begin(now, taken, user_data)


def _saved_name(run: str, disk: str) -> str:
    """A letter first, then what names of images may hold."""
    return f"smc-{run.replace('.', '-')}-{disk}"
