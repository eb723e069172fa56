"""The story of a run onto an existing instance: it becomes the source, and keeps what it is in the cloud.

A round of an incremental job brings the disks up to date; only its cutover makes the copy bootable.
Raise `migrate.STORY` when steps are added, left out, renamed or put in another order, here too.
"""

from smc.base.errors import SmcError
from smc.center.jobs.migrate import Steps
from smc.center.jobs.steps.aim import aim_of
from smc.center.jobs.steps.borrow import borrow, choose_intermediate, equip, locate_target_disks
from smc.center.jobs.steps.convert import convert
from smc.center.jobs.steps.deliver import make_image, name_image, switch_off
from smc.center.jobs.steps.ending import fail, finish, halt, wait
from smc.center.jobs.steps.install import clean_target, hand_over, install, settle, snapshot_copy
from smc.center.jobs.steps.network import make_group
from smc.center.jobs.steps.receiver import await_receiver
from smc.center.jobs.steps.sync import sync
from smc.center.jobs.steps.take_over import (
    Stage,
    network_of_target,
    save_disks,
    save_system,
    survey,
    take_down,
)
from smc.center.jobs.values import Overtaken, Synced
from smc.center.jobs.work import Work
from smc.model.job import RunAim
from smc.model.progress import Failure


def take_over(work: Work, run: str) -> str:
    """Tell the story of `run` to its end; the answer is the value of an `Ending`. Raises `Overtaken`."""
    step = Steps(work, run)
    try:
        aim, stage = RunAim(step(aim_of)), Stage(step(survey))
        if stage is Stage.OWN:
            step(take_down)
            step(save_disks)
            step(save_system)
            step(borrow, step(choose_intermediate))
        if stage in (Stage.OWN, Stage.INTERMEDIATE):
            group = step(make_group, step(network_of_target))
            machine = step(equip, group)
            step(locate_target_disks, machine)
            if aim is not RunAim.RELEASE:
                step(await_receiver, machine)
                if step(sync, machine) == Synced.STOPPED.value:
                    return step(halt)
            if aim is RunAim.ROUND:
                return step(wait)
            step(convert, machine)
            step(switch_off, machine)
            snapshots = step(snapshot_copy)
            step(install, step(make_image, step(name_image), snapshots))
        if stage is not Stage.DELIVERED:
            step(settle)
            step(hand_over)
        step(clean_target)
        return step(finish)
    except Overtaken:
        raise
    except SmcError as e:
        return step(fail, Failure.of(e))
