"""What a transfer says of itself on its way, for the job's log: no more lines than a person reads."""

import logging
import threading
import time
from collections.abc import Callable

from smc.wire.orders import Event, EventKind

log = logging.getLogger(__name__)

BURST = 10  # sentences at once
SECONDS_EACH = 20.0  # until one more may be said
MOST = 500  # in the life of a process; a copy that goes on for days says the same again and again
LONGEST = 500  # characters
SAME_SECONDS = 600.0  # the same sentence again within this time is not news


class Notes:
    """Called with a sentence, from any thread. All of them go to the agent's own log."""

    def __init__(
        self, run: str, emit: Callable[[Event], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._allowed = float(BURST)
        self._since = clock()
        self._said: dict[str, float] = {}
        self._left = MOST
        self._dropped = 0
        self._level: int | None = None

    def __call__(self, sentence: str) -> None:
        log.info("run %s: %s", self._run, sentence)
        with self._lock:
            message = self._admitted(sentence[:LONGEST])
        if message:
            self._emit(Event(run=self._run, kind=EventKind.NOTE, message=message))

    def compressing_at(self, level: int) -> None:
        """What the sender compresses at now, 0-10: shown with the job's progress, not in its log."""
        with self._lock:
            changed = level != self._level
            self._level = level
        if changed:
            self._emit(Event(run=self._run, kind=EventKind.NOTE, compress_level=level))

    def _admitted(self, sentence: str) -> str:
        """The sentence with what is said about those before it, "" when it is not to be told."""
        now = self._clock()
        self._allowed = min(self._allowed + (now - self._since) / SECONDS_EACH, BURST)
        self._since = now
        self._said = {said: at for said, at in self._said.items() if now - at < SAME_SECONDS}
        if sentence in self._said:
            return ""
        if self._allowed < 1 or not self._left:
            self._dropped += 1
            return ""
        self._said[sentence] = now
        self._allowed -= 1
        self._left -= 1
        dropped, self._dropped = self._dropped, 0
        return f"{sentence} ({dropped} more in the agent's log)" if dropped else sentence
