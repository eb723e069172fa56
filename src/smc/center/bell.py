"""Wakes those who wait for a change in the store, within this process."""

import asyncio
import contextlib
import threading


class Bell:
    """`ring` from any thread; a ring that nobody waits for is lost, so waiters also look now and then."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.closed = False

    @property
    def waiting(self) -> int:
        """How many wait in event loops."""
        with self._rung:
            return len(self._waiting)

    def ring(self) -> None:
        with self._rung:
            self._rung.notify_all()
            for loop, event in self._waiting:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """The center ends: whoever waits should answer now."""
        self.closed = True
        self.ring()

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, or after `seconds`; in an event loop."""
        entry = asyncio.get_running_loop(), asyncio.Event()
        with self._rung:
            self._waiting.add(entry)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(entry[1].wait(), seconds)
        finally:
            with self._rung:
                self._waiting.discard(entry)

    def wait_here(self, seconds: float) -> None:
        """Return at the next ring, or after `seconds`; blocks the calling thread."""
        with self._rung:
            self._rung.wait(seconds)
