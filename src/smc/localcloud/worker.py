"""A thread that takes one step after another, when something changed and at least every second."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

PERIOD = 1.0  # seconds; a guest that powers off by itself is noticed this late
STOP_SECONDS = 5.0


class Bell:
    """Rung by whoever changes something; who is busy just then hears it afterwards."""

    def __init__(self) -> None:
        self._ears: list[threading.Event] = []

    def listen(self) -> threading.Event:
        ear = threading.Event()
        self._ears.append(ear)
        return ear

    def ring(self) -> None:
        for ear in self._ears:
            ear.set()


class Worker:
    """A step that fails is logged, and the next one comes all the same."""

    def __init__(self, name: str, step: Callable[[], None], bell: Bell) -> None:
        self._step = step
        self._called = bell.listen()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A step that takes longer is left behind: each can be done again."""
        self._ending = True
        self._called.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._ending:
            self._called.clear()
            try:
                self._step()
            except Exception:  # the edge of the worker: it must live on
                log.exception("%s: a step failed", self._thread.name)
            self._called.wait(PERIOD)
