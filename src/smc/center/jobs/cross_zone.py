"""The story of a run that moves an instance of the cloud into another zone: no source, no agent, no receiver.

Until the instance there has taken its place, whatever fails brings the old one back.
Raise `migrate.STORY` when steps are added, left out, renamed or put in another order, here too.
"""

from msgspec import structs

from smc.base.errors import SmcError
from smc.center.jobs.migrate import Steps
from smc.center.jobs.steps.cross import (
    AGAIN,
    arrive,
    clean_crossing,
    launch_there,
    look_over,
    make_system,
    save_all,
    take_off,
)
from smc.center.jobs.steps.ending import fail, finish
from smc.center.jobs.steps.home import come_home, halt_at_home
from smc.center.jobs.values import Overtaken
from smc.center.jobs.work import Work
from smc.model.progress import Failure


def cross_zone(work: Work, run: str) -> str:
    """Tell the story of `run` to its end; the answer is the value of an `Ending`. Raises `Overtaken`."""
    step = Steps(work, run)
    try:
        if not step(look_over):
            step(take_off)
            snapshots = step(save_all)
            if not snapshots:
                step(come_home)
                return step(halt_at_home)
            image = step(make_system, snapshots)
            step(arrive, step(launch_there, image, snapshots))
        step(clean_crossing)
        return step(finish)
    except Overtaken:
        raise
    except SmcError as e:
        failure = Failure.of(e)
        step(come_home)
        return step(fail, failure if failure.hint else structs.replace(failure, hint=AGAIN))
