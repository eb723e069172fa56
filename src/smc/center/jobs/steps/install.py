"""From the converted copy on the temporary disk to the system of the target instance."""

from smc.base.errors import Broken
from smc.center.jobs.steps.clean import release
from smc.center.jobs.steps.deliver import power_off, take_snapshot, wait_ready
from smc.center.jobs.steps.machine import running
from smc.center.jobs.steps.taken import note, replace_system, takeover
from smc.center.jobs.work import Work
from smc.center.store.resources import IMAGE, ROLLBACK, TEMPORARY
from smc.cloud.driver import Kind
from smc.model.job import BusinessStatus, run_job

EVERYTHING = (TEMPORARY, IMAGE, ROLLBACK)


def snapshot_copy(work: Work, run: str) -> list[str]:
    """Of the temporary disk; the data disks stay where they are."""
    job, now = work.current(run)
    what = "Taking a snapshot of the copied system"
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=what, progress=88.0)
    disk = takeover(work, run).temp_disk
    made = take_snapshot(work, run, disk, f"smc-{job.id}-0", "snapshot-0")
    wait_ready(work, run, made)
    return [made]


def install(work: Work, run: str, image: str) -> None:
    """From here on the target instance has the source's system."""
    _, now = work.current(run)
    what = "Replacing the system disk of the target instance"
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=what, progress=96.0)
    note(work, run, image=image)
    replace_system(work, run, image, "install")
    work.store.log.add(run_job(run), f"{takeover(work, run).instance} has the copied system.")


def settle(work: Work, run: str) -> None:
    """What was ours leaves the instance; its private address becomes what was asked for.

    Its user data goes: it was for the system that is gone, and the intermediate's must not run on the copy.
    """
    job, _ = work.current(run)
    alterations = work.driver.alterations
    taken = takeover(work, run)
    if _is_settled(work, run):
        return
    power_off(work, run, taken.instance)
    if taken.temp_disk:
        alterations.detach_disk(taken.temp_disk)
    group = work.kept(run, Kind.SECURITY_GROUP)
    if group:
        alterations.leave_group(taken.instance, group)
    alterations.set_user_data(taken.instance, "")
    seen = work.driver.instance(taken.instance)
    if job.request.private_ip_address and seen:
        alterations.move_address(taken.instance, seen.vswitch, job.request.private_ip_address)


def hand_over(work: Work, run: str) -> None:
    """It starts as the copy; from here on the job has delivered, whatever happens."""
    _, now = work.current(run)
    instance = takeover(work, run).instance
    what = "Starting the target instance"
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note=what, progress=96.5)
    work.driver.start(instance)
    work.wait_for(run, lambda: running(work, run, instance) or None, f"starting {instance}")
    note(work, run, delivered=True)


def clean_target(work: Work, run: str) -> None:
    """After this nothing of the job is left in the cloud. Raises `Broken` naming what is."""
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.CLEANING, note="Releasing what was temporary", progress=97.0)
    left = release(work, job.id, keep=set(), purposes=EVERYTHING)
    work.store.jobs.hold_instance(now, "")
    if left:
        raise Broken(
            f"The instance {job.request.instance_id} is ready, but this could not be released: "
            f"{'; '.join(left)}.",
            code="Cleaning.Incomplete",
            hint="Release it in the cloud, or start the job again to try once more.",
        )


def _is_settled(work: Work, run: str) -> bool:
    """A run that was cut off after it had started the copy does not stop it again."""
    job, _ = work.current(run)
    taken = takeover(work, run)
    seen = work.driver.instance(taken.instance)
    if seen is None:
        return False
    disks = {disk.id for disk in work.driver.disks(taken.instance)}
    return (
        taken.temp_disk not in disks
        and work.kept(run, Kind.SECURITY_GROUP) not in seen.security_groups
        and not work.driver.alterations.user_data(taken.instance)
        and job.request.private_ip_address in ("", seen.private_address)
    )
