"""The limit of bytes a second on the wire, and what the compression levels mean."""

import threading
import time

MBIT = 1_000_000 / 8  # bytes
BURST_SECONDS = 0.25  # of the rate may go out at once

# A job's `compress_level` to zstd's: 0 sends everything as it is, negative ones are zstd's fast levels;
# 7, the default, is the fastest that still finds repeats well: faster than the disks of most sources.
ZSTD_LEVELS = (None, -50, -20, -10, -5, -3, -1, 1, 3, 7, 12)


class Pace:
    """A bucket of tokens: told of bytes that went out, it returns when more may, or when `stop` is set."""

    def __init__(self, rate_mbit: int, stop: threading.Event) -> None:
        self.rate_mbit = rate_mbit
        self._stop = stop
        self._free_at = time.monotonic()

    def __call__(self, size: int, /) -> None:
        if not self.rate_mbit:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now - BURST_SECONDS) + size / (self.rate_mbit * MBIT)
        if self._free_at > now:
            self._stop.wait(self._free_at - now)
