"""Moving an instance into another zone: off, a snapshot of each disk, an image, an instance there.

ECS has no call that changes an instance's zone, so the one there is another one, made of the same disks.
"""

from msgspec import structs

from smc.base.errors import Broken, UserError
from smc.center.jobs.steps.clean import release
from smc.center.jobs.steps.crossed import differences_of
from smc.center.jobs.steps.deliver import create_image, power_off, take_snapshot
from smc.center.jobs.steps.home import ON_THE_WAY
from smc.center.jobs.steps.machine import look
from smc.center.jobs.work import Work, tags, token
from smc.center.store.resources import MOVED, TEMPORARY
from smc.center.store.values import Crossing, Job
from smc.center.target.crossing import disks_in_order, own_tags, unknown_image
from smc.cloud.driver import DiskSpec, ImageDisk, ImageSpec, Instance, InstanceSpec, Kind, Power
from smc.model.job import BusinessStatus
from smc.model.report import Report

AGAIN = "Start the job again: it begins anew."
SYNC_FROM, SYNC_TO = 5.0, 60.0  # percent of the whole job in which the disks are saved
SAVE_SECONDS = 12 * 3600.0  # 2 TiB at 50 MB/s: what ECS takes for the first snapshot of a full disk


def look_over(work: Work, run: str) -> bool:
    """Whether an earlier run has brought it there already and only cleaning is left.

    What an earlier run made, and could not use, is older than what is on the disks now: it is dropped.
    """
    job, now = work.current(run)
    what = f"Looking at {job.moved_instance}"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=1.0)
    known = work.store.crossings.find(job.id)
    if known is not None and known.delivered:
        return True
    if known is not None and known.by_run != now.number:
        left = release(work, job.id, keep=set(), purposes=ON_THE_WAY)
        if left:
            raise Broken(f"This could not be released: {'; '.join(left)}.", code="Cleaning.Incomplete")
    seen = _old(work, job)
    if known is None or known.home:
        ran = seen.power in (Power.PENDING, Power.STARTING, Power.RUNNING)
        known = Crossing(instance=seen.id, ran=ran, by_run=now.number)
    work.store.crossings.put(now, structs.replace(known, by_run=now.number, home=False))
    return False


def take_off(work: Work, run: str) -> None:
    """Stop it: what is on its disks holds still from here on. It keeps its public address."""
    job, now = work.current(run)
    what = f"Stopping {job.moved_instance}"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=2.0)
    _old(work, job)
    power_off(work, run, job.moved_instance)


def save_all(work: Work, run: str) -> list[str]:
    """A snapshot of each disk, in the order in which the guest sees them; none when Stop was wished."""
    job, now = work.current(run)
    what = "Taking snapshots"
    work.store.jobs.reach(now, BusinessStatus.SYNCING, note=what, progress=SYNC_FROM)
    made = [
        take_snapshot(work, run, disk.id, _name(run, disk.id), f"cross-{disk.id}", TEMPORARY)
        for disk in disks_in_order(work.driver, job.moved_instance)
    ]

    def over() -> bool | None:
        _, now = work.current(run)
        if now.stop_wanted:
            return True
        done = [_percent(work, snapshot) for snapshot in made]
        share = sum(done) / len(done)
        progress = SYNC_FROM + (SYNC_TO - SYNC_FROM) * share / 100
        work.store.jobs.reach(now, BusinessStatus.SYNCING, note=f"{what}: {share:.0f} %", progress=progress)
        return share == 100 or None

    work.wait_for(run, over, "taking snapshots", limit=SAVE_SECONDS)
    return made if work.store.jobs.end_syncing(now) else []


def make_system(work: Work, run: str, snapshots: list[str]) -> str:
    """An image of its system disk: of a snapshot alone no instance is made."""
    job, now = work.current(run)
    seen = _old(work, job)
    system = disks_in_order(work.driver, job.moved_instance)[0]
    known = work.driver.image(seen.image) if seen.image else None
    if known is None:
        raise unknown_image(seen.id)
    spec = ImageSpec(
        name=_name(run, system.id),
        description=f"{seen.id} on its way to {job.request.zone_id} by {job.id}",
        platform=known.platform,
        architecture=known.architecture,
        firmware=known.firmware,
        disks=(ImageDisk(snapshot=snapshots[0], size_gib=system.size_gib),),
    )

    def tell(percent: int) -> None:
        what = f"Making an image of the system: {percent} %"
        work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=what, progress=60 + percent * 0.25)

    return create_image(work, run, spec, "cross-image", tell, TEMPORARY)


def launch_there(work: Work, run: str, image: str, snapshots: list[str]) -> str:
    """Its like in the other zone. No user data: that has done its work, and would do it once more."""
    job, now = work.current(run)
    what = f"Making the instance in {job.request.zone_id}"
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=what, progress=86.0)
    spec = _like(work, job, image, snapshots)
    old = _old(work, job)
    marks = own_tags(old) | tags(run, MOVED)
    cloud = work.driver.grouped(job.resource_group or old.resource_group)
    moved = work.wait_for(run, lambda: cloud.launch(spec, marks, token(run, "cross")), what)
    work.record(run, Kind.INSTANCE, moved, spec.name, purpose=MOVED)
    work.store.log.add(job.id, f"Made the instance {moved} in {job.request.zone_id}.")
    return moved


def arrive(work: Work, run: str, moved: str) -> None:
    """It runs, and is stopped again where the old one was; from here on the job has delivered."""
    job, now = work.current(run)
    what = f"Starting {moved}"
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=what, progress=92.0)
    known = work.store.crossings.find(job.id)
    if known is None:
        raise Broken(f"nothing is known of {job.moved_instance}")

    def runs() -> bool | None:
        seen = look(work, moved)
        if seen is None:
            raise _vanished(moved)
        if seen.power is Power.STOPPED:
            work.driver.start(moved)
        return seen.power is Power.RUNNING or None

    work.wait_for(run, runs, what)
    report = Report(run=run, differs=differences_of(work, job, moved))
    if not known.ran:
        power_off(work, run, moved)
    work.store.runs.record_report(job.id, now.number, report)
    known = structs.replace(known, moved=moved, delivered=True)
    work.store.crossings.deliver(
        now, known, f"moved {job.moved_instance} to {job.request.zone_id} as {moved}"
    )


def clean_crossing(work: Work, run: str) -> None:
    """After this only the two instances are left. Raises `Broken` naming what else is."""
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.CLEANING, note="Releasing what was temporary", progress=97.0)
    left = release(work, job.id, keep=set(), purposes=(TEMPORARY,))
    if left:
        raise Broken(
            f"The instance is there, but this could not be released: {'; '.join(left)}.",
            code="Cleaning.Incomplete",
            hint="Release it in the cloud, or start the job again to try once more.",
        )


def _like(work: Work, job: Job, image: str, snapshots: list[str]) -> InstanceSpec:
    asked, old = job.request, _old(work, job)
    system, *data = disks_in_order(work.driver, job.moved_instance)
    return InstanceSpec(
        name=old.name,
        zone=asked.zone_id,
        vswitch=asked.vswitch_id,
        security_group=old.security_groups[0],
        more_groups=old.security_groups[1:],
        architecture=job.plan.architecture,
        image=image,
        instance_type=asked.instance_type,
        system_disk_gib=system.size_gib,
        system_disk_kind=asked.disk_kinds.get(system.id, system.kind),
        data_disks=tuple(
            DiskSpec(
                name=disk.name,
                size_gib=disk.size_gib,
                snapshot=snapshot,
                kind=asked.disk_kinds.get(disk.id, disk.kind),
                stays=disk.stays,
            )
            for disk, snapshot in zip(data, snapshots[1:], strict=True)
        ),
        public_address=bool(old.public_address) and not old.elastic,
        bandwidth_mbit=old.bandwidth_mbit,
        host_name=old.host_name,
        keeps_password=True,
    )


def _old(work: Work, job: Job) -> Instance:
    seen = look(work, job.moved_instance)
    if seen is None:
        raise _vanished(job.moved_instance)
    return seen


def _percent(work: Work, snapshot: str) -> float:
    seen = work.driver.snapshot(snapshot)
    if seen is None or seen.failed:
        raise Broken(
            f"The cloud could not take the snapshot {snapshot}.",
            code="Snapshot.CreateFailed",
            hint=f"{AGAIN} In a local cloud, is its filesystem full?",
        )
    return 100.0 if seen.ready else min(seen.percent, 99)


def _vanished(instance: str) -> UserError:
    return UserError(
        f"The instance {instance} was released.",
        code="InvalidInstanceId.NotFound",
        hint="Delete the job: there is nothing to move any more.",
    )


def _name(run: str, disk: str) -> str:
    """A letter first, then what names of images may hold."""
    return f"smc-{run.replace('.', '-')}-{disk}"
