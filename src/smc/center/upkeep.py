"""What a center does by itself again and again: a thread for each chore, from its start to its end."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

END_SECONDS = 5.0  # for a chore that is at work when the center ends


@dataclass(frozen=True, slots=True)
class Chore:
    """`do` is called every `seconds`; it can be cut off at any moment and begun anew."""

    name: str
    seconds: float
    do: Callable[[], object]


class Upkeep:
    def __init__(self, chores: Sequence[Chore]) -> None:
        self.chores = chores
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(chore,), name=chore.name, daemon=True)
            for chore in chores
        ]

    def __enter__(self) -> "Upkeep":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def _repeat(self, chore: Chore) -> None:
        while not self._ending.wait(chore.seconds):
            try:
                chore.do()
            except Exception:  # the edge of a thread: the next time may go well
                log.exception("%s failed", chore.name)
