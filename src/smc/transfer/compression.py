"""How hard to compress: as the job says, but never so hard that the line has to wait for it.

`compress_level` 0-10 is a scale of ours over zstd's levels. Of each frame it is known how long compressing
and sending took, so both ways can be compared in seconds for a byte: compressed, it costs the time of the
compressor and that of the smaller frame on the line; as it is, only the line's. Where the line wins, the
level falls; a higher one is tried when the line would win no longer, and now and then as contents differ.
"""

import threading
import time
from collections.abc import Callable

from smc.wire.stream import Sending

# 0 sends everything as it is, negative ones are zstd's fast levels; 7, the default, is the fastest that still
# finds repeats well: faster than the disks of most sources.
ZSTD_LEVELS = (None, -50, -20, -10, -5, -3, -1, 1, 3, 7, 12)
SMALLEST = 16 * 1024  # bytes of a frame that tells something about speeds
WEIGHT = 0.2  # of the newest frame in the averages
FEWEST = 4  # frames at a level before it is judged
PROBE_SECONDS = 2.0  # how often a higher level gets another chance
GAIN = 0.9  # it must promise to take less than this share of the time
FORGET_SECONDS = 30.0  # what a level cost before that may have been another kind of content


class Compression:
    """Shared by the streams. `note` is told in a sentence when the level changes, `told` the level itself."""

    def __init__(
        self, wanted: Callable[[], int], note: Callable[[str], None], told: Callable[[int], None]
    ) -> None:
        self._wanted = wanted
        self._note = note
        self._told = told
        self._lock = threading.Lock()
        self._asked = self._level = wanted()
        self._line = 0.0  # seconds a byte on the wire
        self._costs: dict[int, tuple[float, float]] = {}  # level -> seconds and wire bytes, a plain byte
        self._frames = 0
        self._probed = time.monotonic()
        self._left: dict[int, float] = {}  # level -> when it was lowered
        told(self._level)

    def level(self) -> int | None:
        """zstd's level for the next frame; None sends it as it is."""
        wanted = self._wanted()
        if wanted != self._asked:
            with self._lock:
                self._asked = self._level = wanted
                self._frames = 0
            self._told(wanted)
        return ZSTD_LEVELS[self._level]

    def saw(self, sending: Sending) -> None:
        """One frame went out with the level that `level` gave."""
        if sending.plain < SMALLEST:
            return
        with self._lock:
            self._line = _mean(self._line, sending.send_seconds / max(sending.wire, 1))
            if sending.compress_seconds:
                seconds, wire = self._costs.get(self._level, (0.0, 0.0))
                self._costs[self._level] = (
                    _mean(seconds, sending.compress_seconds / sending.plain),
                    _mean(wire, sending.wire / sending.plain),
                )
            self._frames += 1
            if self._frames >= FEWEST:
                self._judge()

    def _judge(self) -> None:
        if self._level and self._level in self._costs and self._cost(self._level) > self._line:
            self._left[self._level] = time.monotonic()
            self._change(self._level // 2, "lowered", "the line is faster than the compressor")
        elif self._level < self._asked and time.monotonic() - self._probed > PROBE_SECONDS:
            self._probed = time.monotonic()
            higher = min(max(self._level * 2, 1), self._asked)
            if time.monotonic() - self._left.get(higher, self._probed) > FORGET_SECONDS:
                self._costs.pop(higher, None)
            if higher not in self._costs or self._cost(higher) < self._line * GAIN:
                self._change(higher, "raised", "the line is slower than the compressor")

    def _cost(self, level: int) -> float:
        seconds, wire = self._costs[level]
        return seconds + wire * self._line

    def _change(self, level: int, how: str, why: str) -> None:
        self._level = level
        self._frames = 0
        self._probed = time.monotonic()
        self._told(level)
        self._note(f"compression {how} to level {level}: {why}")


def _mean(before: float, now: float) -> float:
    return now if not before else before + WEIGHT * (now - before)
