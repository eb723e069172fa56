"""How fast a run is, from what its counters were over the last seconds."""

from collections import deque
from typing import NamedTuple

AVERAGE_SECONDS = 10.0


class Seen(NamedTuple):
    time: float  # seconds, of any clock that only goes forward
    done: int
    wire: int


class Meter:
    """Averages of two counters that only grow; between two reports an average stays as it is."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque()

    def see(self, now: float, done: int, wire: int) -> None:
        self._seen.append(Seen(now, done, wire))
        while len(self._seen) > 2 and now - self._seen[1].time >= AVERAGE_SECONDS:
            self._seen.popleft()

    @property
    def speeds(self) -> tuple[float, float] | None:
        """Bytes a second of content and on the wire; None before there are two reports."""
        if len(self._seen) < 2:
            return None
        first, last = self._seen[0], self._seen[-1]
        seconds = last.time - first.time
        if seconds <= 0:
            return None
        return (last.done - first.done) / seconds, (last.wire - first.wire) / seconds
