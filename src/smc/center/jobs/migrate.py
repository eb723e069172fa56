"""The story of a run: a running server becomes an image, once or round after round.

Each step is written into the journal when it is done; after a crash the story is told again, and what the
journal has is not done again. Raise `STORY` when steps are added, left out, renamed or put in another order.
"""

import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from dbos import DBOS

from smc.base.errors import Broken, SmcError
from smc.center.jobs.steps.aim import aim_of, is_delivered
from smc.center.jobs.steps.clean import clean
from smc.center.jobs.steps.convert import contain, convert, is_contained
from smc.center.jobs.steps.deliver import deliver, make_image, name_image, snapshot_disks, switch_off
from smc.center.jobs.steps.ending import fail, finish, halt, wait
from smc.center.jobs.steps.machine import launch, locate_disks
from smc.center.jobs.steps.network import adopt, make_group, make_network
from smc.center.jobs.steps.receiver import await_receiver
from smc.center.jobs.steps.rounds import drop_old_images, switch_on
from smc.center.jobs.steps.sync import sync
from smc.center.jobs.values import Overtaken, Synced
from smc.center.jobs.work import Work
from smc.model.job import RunAim
from smc.model.progress import Failure

STORY = "6"

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


def migrate(work: Work, run: str) -> str:
    """Tell the story of `run` to its end; the answer is the value of an `Ending`. Raises `Overtaken`."""
    step = Steps(work, run)
    try:
        aim = RunAim(step(aim_of))
        if aim is not RunAim.RELEASE and not step(is_delivered):
            step(adopt)
            network = step(make_network)
            group = step(make_group, network)
            machine = step(launch, network, group)
            step(locate_disks, machine)
            step(await_receiver, machine)
            if step(sync, machine) == Synced.STOPPED.value:
                return step(halt)
            if step(is_contained):
                step(contain, machine)
            else:
                step(convert, machine)
                step(switch_off, machine)
                snapshots = step(snapshot_disks, machine)
                name = step(name_image)
                image = step(make_image, name, snapshots)
                step(deliver, image)
        if aim is not RunAim.RELEASE:
            step(drop_old_images)
        if aim is RunAim.ROUND:
            step(switch_on)
            return step(wait)
        step(clean)
        return step(finish)
    except Overtaken:
        raise
    except SmcError as e:
        return step(fail, Failure.of(e))


class Steps:
    """Takes the steps of one run; the answer of each, or its error, goes into the journal.

    A step can be taken again after a crash, and so it is when it meets what may work later.
    """

    def __init__(self, work: Work, run: str) -> None:
        self._work, self._run = work, run

    def __call__(self, do: Callable[Concatenate[Work, str, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def edge() -> T:
            what = do.__name__.replace("_", " ")
            try:
                return self._work.wait_for(
                    self._run, lambda: (do(self._work, self._run, *args, **kwargs),), what
                )[0]
            except SmcError:
                raise
            except Exception as e:  # an error nobody thought of must not leave the job hanging
                log.exception("run %s: %s failed", self._run, do.__name__)
                raise Broken(
                    f"{do.__name__}: {type(e).__name__}: {e}",
                    hint="The log of the center has the details. Start the job again to continue.",
                ) from e

        return DBOS.run_step({"name": do.__name__}, edge)
