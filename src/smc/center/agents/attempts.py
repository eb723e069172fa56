"""Slows down whoever guesses activation codes or tickets."""

import threading
from collections import OrderedDict, deque

from smc.base.errors import Transient
from smc.center.clock import Clock

MOST_FAILURES = 10
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 10_000


class Attempts:
    """Failed enrolments by address; after ten in a minute the address has to wait."""

    def __init__(self, clock: Clock) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._clock = clock

    def check(self, address: str) -> None:
        """Raises `Transient` (`Enrolment.TooMany`)."""
        with self._lock:
            times = self._failures.get(address, deque())
            while times and times[0] < self._clock.monotonic() - WINDOW_SECONDS:
                times.popleft()
            if len(times) >= MOST_FAILURES:
                raise Transient(
                    f"{address} failed to enrol {MOST_FAILURES} times within a minute.",
                    code="Enrolment.TooMany",
                    hint="Wait a minute, then use the import command the center gave.",
                )

    def failed(self, address: str) -> None:
        with self._lock:
            self._failures.setdefault(address, deque(maxlen=MOST_FAILURES)).append(self._clock.monotonic())
            self._failures.move_to_end(address)
            if len(self._failures) > MOST_ADDRESSES:
                self._failures.popitem(last=False)
