"""A thread that takes one step after another, when something changed and at least every second."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

PERIOD = 1.0  # seconds; a guest that powers off by itself is noticed this late
STOP_SECONDS = 5.0


class Worker:
    """A step that fails is logged, and the next one comes all the same."""

    def __init__(self, name: str, step: Callable[[], None], changed: threading.Condition) -> None:
        self._step = step
        self._changed = changed
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A step that takes longer is left behind: each can be done again."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._ending:
            try:
                self._step()
            except Exception:  # the edge of the worker: it must live on
                log.exception("%s: a step failed", self._thread.name)
            with self._changed:
                if not self._ending:
                    self._changed.wait(PERIOD)
