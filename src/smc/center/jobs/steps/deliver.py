"""From converted disks to an image: switch the instance off, snapshot each disk, make the image."""

from collections.abc import Callable

from smc.base.errors import Broken, UserError
from smc.center.jobs.steps.machine import disk_name, target_disks, target_gib
from smc.center.jobs.values import Machine, lost
from smc.center.jobs.work import Work, tags, token
from smc.center.store.resources import IMAGE
from smc.cloud.driver import (
    TAG_JOB,
    TAG_LICENSE,
    TAG_PURPOSE,
    ImageDisk,
    ImageSpec,
    ImageState,
    Kind,
    Power,
    Tags,
)
from smc.model.job import BusinessStatus, run_job
from smc.model.server import platform
from smc.wire.orders import TaskKind

LONGEST_NAME = 128
FORCE_AFTER = 120.0  # seconds a clean shutdown of the intermediate instance may take
IMAGE_SECONDS = 6 * 3600.0  # 2 TiB at the planning figure of 100 MB/s


def switch_off(work: Work, run: str, machine: Machine) -> None:
    """The receiver has unmounted everything: a snapshot of a stopped instance is a whole one."""
    _, now = work.current(run)
    work.store.runs.order_receiver(now, TaskKind.REST)
    work.store.jobs.reach(
        now, BusinessStatus.PROCESSING, note="Stopping the intermediate instance", progress=86.0
    )
    power_off(work, run, machine.instance)


def power_off(work: Work, run: str, instance: str) -> None:
    """Ends when it is Stopped; it keeps its address. Raises `InstanceLost`."""
    force_at = work.clock.monotonic() + FORCE_AFTER

    def off() -> bool | None:
        seen = work.driver.instance(instance)
        if seen is None:
            raise lost(instance)
        if seen.power is Power.STOPPED:
            return True
        if seen.power is not Power.STOPPING or work.clock.monotonic() > force_at:
            work.driver.stop(instance, force=work.clock.monotonic() > force_at)
        return None

    work.wait_for(run, off, f"stopping {instance}")


def snapshot_disks(work: Work, run: str, machine: Machine) -> list[str]:
    """One a disk of the plan, in its order."""
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note="Taking snapshots", progress=88.0)
    disks = target_disks(work, job, machine.instance)
    made = [
        take_snapshot(work, run, disk.id, disk_name(run_job(run), planned.index), f"snapshot-{planned.index}")
        for planned, disk in zip(job.plan.disks, disks, strict=True)
    ]
    for snapshot in made:
        wait_ready(work, run, snapshot)
    return made


def name_image(work: Work, run: str) -> str:
    """The wished name; with the job's id behind it when another image has that name.

    The images of an incremental job have the number of their round in the end.
    """
    job, now = work.current(run)
    delivered = work.store.runs.delivered(job.id)
    for earlier in work.driver.find({TAG_JOB: job.id, TAG_PURPOSE: IMAGE}):
        if earlier.kind is Kind.IMAGE and earlier.id not in delivered:
            _give_up(work, run, earlier.id)  # an earlier run made and never delivered it: the copy moved on
    prefix = job.request.image_name_prefix
    wished = f"{prefix}_{job.id}" if prefix else job.request.image_name or f"smc_{job.id}"
    cycle = "" if job.request.run_once else f"_CYCLE_{now.round}"
    name = _cut(wished, cycle)
    return name if work.driver.image_named(name) is None else _cut(wished, f"_{job.id}{cycle}")


def make_image(work: Work, run: str, name: str, snapshots: list[str]) -> str:
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=f"Making the image {name}", progress=90.0)
    source = work.store.sources.find(job.source_id)
    if source is None:
        raise UserError(f"There is no migration source {job.source_id}.", code="InvalidSourceId.NotFound")
    spec = ImageSpec(
        name=name,
        description=f"Migrated from {source.server.hostname} by {job.id}",
        platform=platform(source.server),
        architecture=job.plan.architecture,
        firmware=job.plan.firmware,
        disks=tuple(
            ImageDisk(snapshot=snapshot, size_gib=target_gib(disk))
            for snapshot, disk in zip(snapshots, job.plan.disks[: len(snapshots)], strict=True)
        ),
    )

    def tell(percent: int) -> None:
        note = f"Making the image {name}: {percent} %"
        work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=note, progress=90 + percent * 0.06)

    brought = {TAG_LICENSE: job.request.license_type} if job.request.license_type else {}
    return create_image(work, run, spec, "image", tell, more=brought)


def create_image(
    work: Work,
    run: str,
    spec: ImageSpec,
    what: str,
    tell: Callable[[int], None],
    purpose: str = IMAGE,
    more: Tags | None = None,
) -> str:
    """Ends when it is Available; `what` makes the token, `tell` hears how many percent are made.

    `more`: tags beside ours; making an image has no field for a licence.
    """
    image = work.wait_for(
        run,
        lambda: work.grouped(run).create_image(
            spec, {**tags(run, purpose), **(more or {})}, token(run, what)
        ),
        f"making the image {spec.name}",
    )
    work.record(run, Kind.IMAGE, image, spec.name, purpose=purpose)

    def available() -> bool | None:
        seen = work.driver.image(image)
        if seen is None or seen.state is ImageState.FAILED:
            raise Broken(f"The cloud could not make the image {spec.name}.", code="Image.CreateFailed")
        tell(seen.percent)
        return seen.state is ImageState.AVAILABLE or None

    work.wait_for(run, available, f"the image {spec.name}", limit=IMAGE_SECONDS)
    return image


def deliver(work: Work, run: str, image: str) -> None:
    """From here on the job has its image, whatever happens."""
    job, now = work.current(run)
    work.store.jobs.deliver(now, image)
    work.store.log.add(job.id, f"The image {image} is there.")
    if template := job.request.launch_template_id:  # no call of the Driver changes one
        told = f"Instances made here from {image} take the rest from the launch template {template}"
        work.store.log.add(job.id, f"{told}, which was not changed: choose the image in it for others.")


def _cut(name: str, suffix: str) -> str:
    return name[: LONGEST_NAME - len(suffix)] + suffix


def take_snapshot(work: Work, run: str, disk: str, name: str, what: str, purpose: str = IMAGE) -> str:
    """Asked for, and not yet ready. `what` makes the token."""
    snapshot = work.wait_for(
        run,
        lambda: work.grouped(run).create_snapshot(disk, name, tags(run, purpose), token(run, what)),
        f"taking a snapshot of {disk}",
    )
    work.record(run, Kind.SNAPSHOT, snapshot, name, purpose=purpose)
    return snapshot


def wait_ready(work: Work, run: str, snapshot: str) -> None:
    def ready() -> bool | None:
        seen = work.driver.snapshot(snapshot)
        if seen is None:
            raise Broken(f"The snapshot {snapshot} has vanished.", code="Snapshot.NotFound")
        if seen.failed:
            raise Broken(
                f"The cloud could not take the snapshot {snapshot}.",
                code="Snapshot.CreateFailed",
                hint="Start the job again: it takes another. In a local cloud, is its filesystem full?",
            )
        return seen.ready or None

    work.wait_for(run, ready, f"the snapshot {snapshot}", limit=IMAGE_SECONDS)


def _give_up(work: Work, run: str, image: str) -> None:
    def gone() -> bool | None:
        work.driver.delete(Kind.IMAGE, image)
        return work.driver.image(image) is None or None

    work.wait_for(run, gone, f"deleting {image}")
    work.store.resources.released(Kind.IMAGE, image)
