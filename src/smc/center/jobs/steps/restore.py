"""Bringing a target instance back to what it was before a job that is being deleted."""

import hashlib
from collections.abc import Callable
from functools import partial

from smc.base.errors import Broken, Transient
from smc.center.jobs.steps.machine import look
from smc.center.jobs.work import Work
from smc.center.store.resources import TEMPORARY
from smc.center.store.values import Takeover
from smc.cloud.driver import Kind, Power


def restore(work: Work, job: str) -> None:
    """Nothing to do when it was never taken over, is delivered, restored or gone; repeatable otherwise.

    It is started after it was noted as restored: what it then writes no repetition throws away.

    Raises `Broken` when the cloud refuses for too long: then the job stays, and what brings it back too.
    """
    taken = work.store.takeovers.find(job)
    if taken is not None and not taken.delivered and not taken.restored:
        until(work, partial(_restore, work, job, taken), f"bringing back {taken.instance}")
    taken = work.store.takeovers.find(job)
    if taken is not None and taken.restored and taken.ran and look(work, taken.instance):
        until(work, partial(work.driver.start, taken.instance), f"starting {taken.instance}")
        work.store.takeovers.note_started(job)


def _restore(work: Work, job: str, taken: Takeover) -> None:
    alterations = work.driver.alterations
    seen = look(work, taken.instance)  # more than once: what brings it back is released after this
    if seen is None:
        return
    is_ours = taken.intermediate and seen.image == taken.intermediate  # a crash left `borrowed` unwritten
    if taken.borrowed or (is_ours and work.driver.disks(seen.id)[0].id != taken.system_disk):
        _bring_back(work, job, taken)
    if taken.temp_disk:
        _off(work, taken.instance)
        alterations.detach_disk(taken.temp_disk)
    for made in work.store.resources.kept(job=job, purpose=TEMPORARY, kind=Kind.SECURITY_GROUP):
        alterations.leave_group(taken.instance, made.id)
    user_data = work.store.takeovers.user_data(job).reveal()
    if alterations.user_data(taken.instance) != user_data:
        _off(work, taken.instance)
        alterations.set_user_data(taken.instance, user_data)
    work.store.takeovers.note_restored(job)
    work.store.log.add(job, f"{taken.instance} is again what it was before the job.")


def _bring_back(work: Work, job: str, taken: Takeover) -> None:
    """The old system from its image, each data disk from its snapshot; all that came later is lost."""
    alterations = work.driver.alterations
    _off(work, taken.instance)
    until(
        work,
        lambda: alterations.replace_system_disk(
            taken.instance, taken.old_image, taken.system_gib, _token(job)
        ),
        f"bringing back the system of {taken.instance}",
    )
    there = {disk.id for disk in work.driver.disks(taken.instance)}
    for disk, snapshot in taken.snapshots.items():
        if disk != taken.system_disk and disk in there:
            until(work, partial(alterations.reset_disk, disk, snapshot), f"bringing back {disk}")


def _off(work: Work, instance: str) -> None:
    def off() -> bool:
        seen = work.driver.instance(instance)
        if seen is None or seen.power is Power.STOPPED:
            return True
        work.driver.stop(instance, force=True)  # what it runs is thrown away
        return False

    until(work, off, f"stopping {instance}")


def until(work: Work, do: Callable[[], object], what: str) -> None:
    """Repeat while it is not yet time (`Transient`, or False). Raises `Broken` (`Restore.Timeout`)."""
    end = work.clock.monotonic() + work.settings.patience_seconds
    while True:
        why = ""
        try:
            if do() is not False:
                return
        except Transient as e:
            why = e.message
        if work.clock.monotonic() > end:
            raise Broken(f"{what}: {why or 'not done in time'}", code="Restore.Timeout")
        work.rest()


def _token(job: str) -> str:
    return hashlib.sha256(f"{job}/restore".encode()).hexdigest()
