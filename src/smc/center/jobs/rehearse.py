"""The story of a drill: everything a migration does, up to a copy that was seen running; then it is told.

The target of the job is never touched, whatever it is: the copy is tried in an instance of its own, alone.
Raise `migrate.STORY` when steps are added, left out, renamed or put in another order, here too.
"""

from collections.abc import Callable

from msgspec import structs

from smc.base.errors import SmcError
from smc.center.jobs.migrate import Steps
from smc.center.jobs.steps.convert import convert, is_contained
from smc.center.jobs.steps.deliver import make_image, name_image, snapshot_disks, switch_off
from smc.center.jobs.steps.drill import (
    Next,
    await_trial,
    begin_drill,
    begin_trial,
    clear_away,
    conclude,
    drop_trial,
    examine,
    give_up_drill,
    weigh,
)
from smc.center.jobs.steps.ending import fail, go_on, halt, rest
from smc.center.jobs.steps.machine import launch, locate_disks
from smc.center.jobs.steps.network import adopt, make_group, make_network
from smc.center.jobs.steps.receiver import await_receiver
from smc.center.jobs.steps.rounds import switch_on
from smc.center.jobs.steps.sync import sync
from smc.center.jobs.values import Overtaken, Synced
from smc.center.jobs.work import Work
from smc.model.progress import Failure


def rehearse(work: Work, run: str, verify: Callable[[str], None]) -> str:
    """Tell the story of `run` to its end; the answer is the value of an `Ending`. Raises `Overtaken`.

    `verify` begins the verification of that id, once however often it is asked.
    """
    step = Steps(work, run)
    try:
        step(begin_drill)
        step(examine)
        step(adopt)
        network = step(make_network)
        group = step(make_group, network)
        machine = step(launch, network, group)
        step(locate_disks, machine)
        step(await_receiver, machine)
        if step(sync, machine) == Synced.STOPPED.value:
            return step(halt)
        boots = not step(is_contained)
        if boots:
            step(convert, machine)
        step(weigh)
        if boots:
            step(switch_off, machine)
            snapshots = step(snapshot_disks, machine)
            image = step(make_image, step(name_image), snapshots)
            trial = step(begin_trial, image)
            verify(trial)
            step(await_trial, trial)
            step(drop_trial, image)
        following = Next(step(conclude))
        if following is not Next.TAKE_OVER:
            step(clear_away)
        elif boots:
            step(switch_on)
        return step(rest) if following is Next.NOTHING else step(go_on)
    except Overtaken:
        raise
    except SmcError as e:
        failure = Failure.of(e)
        step(give_up_drill, failure)
        return _end(step, failure)


def _end(step: Steps, failure: Failure) -> str:
    """The job ends in error, also when the cloud does not let go: deleting the job asks it once more."""
    try:
        step(clear_away)
    except Overtaken:
        raise
    except SmcError as e:
        left = f"What the migration test used could not be released: {e.message}"
        failure = structs.replace(failure, hint=f"{failure.hint} {left}".strip())
    return step(fail, failure)
