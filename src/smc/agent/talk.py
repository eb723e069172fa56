"""What the agent and the process of a run tell each other, one line of JSON each; both are of one program.

First the agent says a `Job`, then `Told`; the process says `Said`.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from smc.agent.hooks import COPIED, FAILED, Stage
from smc.model.progress import Failure
from smc.wire.orders import Event, Order


class Job(msgspec.Struct, frozen=True, kw_only=True):
    order: Order
    center_host: str
    proxy: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A newer order of the run, or that the scripts of a stage have run, and with what failure."""

    order: Order | None = None
    stage: Stage | None = None
    failure: Failure | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the run, or that the scripts of a stage are to be run; after the copy with its result."""

    event: Event | None = None
    stage: Stage | None = None
    result: str = ""


class Quiet:
    """The process's side of the scripts: the agent runs them, for it outlives the process."""

    def __init__(self, say: Callable[[Said], None]) -> None:
        self._say = say
        self.answers: queue.SimpleQueue[Told] = queue.SimpleQueue()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Raises what the scripts of before/ failed with."""
        self._ask(Said(stage=Stage.BEFORE))
        result = FAILED
        try:
            yield
            result = COPIED
        finally:
            self._ask(Said(stage=Stage.AFTER, result=result))

    def _ask(self, said: Said) -> None:
        self._say(said)
        failure = self.answers.get().failure
        if failure is not None:
            raise failure.error()
