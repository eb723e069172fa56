"""The limit of bytes a second on the wire, summed over a job's streams; it may change while it runs."""

import threading
import time
from collections.abc import Callable

from smc.transfer.dials import Dials

MBIT = 1_000_000 / 8  # bytes
BURST_SECONDS = 0.25  # of the rate may go out at once


class Pace:
    """A bucket of tokens: told of bytes that went out, it returns when more may, or `check` raises."""

    def __init__(self, dials: Dials, check: Callable[[], None]) -> None:
        self._dials = dials
        self._check = check
        self._lock = threading.Lock()
        self._rate = 0
        self._free_at = time.monotonic()

    def __call__(self, size: int, /) -> None:
        rate = self._dials.settings.bandwidth_limit_mbit
        if not rate:
            return
        with self._lock:
            now = time.monotonic()
            if rate != self._rate:  # what was owed at another rate is forgiven
                self._rate, self._free_at = rate, now
            self._free_at = max(self._free_at, now - BURST_SECONDS) + size / (rate * MBIT)
            free_at = self._free_at
        while (left := free_at - time.monotonic()) > 0 and self._dials.settings.bandwidth_limit_mbit == rate:
            self._check()
            self._dials.wait(min(left, BURST_SECONDS))
