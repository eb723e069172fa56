"""What time it is for the center: the machine's clock, or one that a test moves by hand."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """One a store: whatever is compared with a time in the store is read here."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward, for limits within this process."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class HandClock:
    """Stands still until it is moved; from any thread."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        with self._lock:
            return self._monotonic

    def tick(self, seconds: float) -> None:
        """Time passes."""
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """The date moves and limits within the process do not: a machine that slept, or was set right."""
        with self._lock:
            self._now += seconds


SYSTEM = SystemClock()
