"""The intermediate system on the target instance, with the temporary disk that takes the copied system."""

from msgspec import structs

from smc.base.errors import Broken
from smc.center.jobs.steps.machine import able_to_run, admit, choose_port, invite, running, target_gib
from smc.center.jobs.steps.taken import note, replace_system, takeover
from smc.center.jobs.values import Machine
from smc.center.jobs.work import Work, tags, token
from smc.center.store.resources import TEMPORARY
from smc.center.store.values import Job, Takeover
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, Kind
from smc.model.job import BusinessStatus, run_job

TEMP_DISK = "SMC_Temp_Disk"


def choose_intermediate(work: Work, run: str) -> str:
    """The image, chosen once: the newest may be another one when a token is repeated."""
    job, _ = work.current(run)
    image = work.driver.catalogue.intermediate_image(able_to_run(job.plan.architecture))
    note(work, run, intermediate=image)
    return image


def borrow(work: Work, run: str, image: str) -> None:
    """From here on the instance has the intermediate system: what it had is in snapshots and an image."""
    _, now = work.current(run)
    what = "Putting the intermediate system on the target instance"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=2.5)
    taken = takeover(work, run)
    if work.driver.disks(taken.instance)[0].id == taken.system_disk:
        work.driver.alterations.set_user_data(taken.instance, invite(work, run))
        replace_system(work, run, image, "borrow")
        work.store.log.add(run_job(run), f"Put the intermediate system on {taken.instance}.")
    note(work, run, borrowed=True)


def equip(work: Work, run: str, group: str) -> Machine:
    """The temporary disk, and a way in for the source; the instance runs when this ends."""
    job, now = work.current(run)
    what = "Starting the intermediate system on the target instance"
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note=what, progress=2.8)
    taken = takeover(work, run)
    port = choose_port(work, run)
    admit(work, run, group, port)
    work.driver.alterations.join_group(taken.instance, group)
    work.driver.alterations.attach_disk(_temp_disk(work, run, job, taken), taken.instance)
    work.driver.start(taken.instance)
    work.wait_for(run, lambda: running(work, run, taken.instance) or None, f"starting {taken.instance}")
    return Machine(instance=taken.instance, port=port)


def locate_target_disks(work: Work, run: str, machine: Machine) -> None:
    """The plan learns the serial numbers: the system goes onto the temporary disk, data in place."""
    job, now = work.current(run)
    temp = takeover(work, run).temp_disk
    there = {disk.id: disk for disk in work.driver.disks(machine.instance)}
    wanted = {disk.index: job.request.target_disks.get(disk.index, temp) for disk in job.plan.disks}
    missing = [name for name in wanted.values() if name not in there]
    if missing:
        raise Broken(
            f"{machine.instance} has lost its disk {', '.join(missing)}.",
            code="TargetInstance.DiskMissing",
            hint="Attach it again and start the job again, or delete the job.",
        )
    disks = tuple(
        structs.replace(planned, serial=there[wanted[planned.index]].serial) for planned in job.plan.disks
    )
    work.store.jobs.set_plan(now, structs.replace(job.plan, disks=disks))


def _temp_disk(work: Work, run: str, job: Job, taken: Takeover) -> str:
    """The one of an earlier run or attempt where there is one: it may hold what was copied."""
    found = work.driver.find({TAG_JOB: job.id, TAG_PURPOSE: TEMPORARY})
    disks = [resource.id for resource in found if resource.kind is Kind.DISK and resource.name == TEMP_DISK]
    disk = disks[0] if disks else ""
    if not disk:
        size = target_gib(job.plan.disks[0])
        disk = work.grouped(run).alterations.create_disk(
            taken.zone, TEMP_DISK, size, tags(run), token(run, "temp-disk")
        )
        work.store.log.add(job.id, f"Made the disk {disk} ({TEMP_DISK}).")
    work.record(run, Kind.DISK, disk, TEMP_DISK)
    note(work, run, temp_disk=disk)
    return disk
