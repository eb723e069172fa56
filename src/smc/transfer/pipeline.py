"""Threads that work for one connection, and the bounded pipes between them: one fails, all end."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from smc.base.errors import Transient

log = logging.getLogger(__name__)

TICK_SECONDS = 0.2  # how soon a waiting thread sees that the work has ended
JOIN_SECONDS = 30.0  # a system call on a healthy disk ends sooner

T = TypeVar("T")


class Crew:
    """`stop` is the caller's wish; the first failure of any thread ends the others."""

    def __init__(self, stop: threading.Event) -> None:
        self.failure: BaseException | None = None
        self._stop = stop
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def check(self) -> None:
        """Raises when the work has ended, or should."""
        if self._ended.is_set():
            raise Transient("the transfer has ended", code="Transfer.Ended")
        if self._stop.is_set():
            raise Transient("the transfer was stopped", code="Transfer.Stopped")

    def fail(self, error: BaseException) -> None:
        """The first failure counts; what follows from it does not."""
        if not self._ended.is_set():
            self.failure = error
            self._ended.set()

    def end(self, timeout: float | None = None) -> bool:
        """Let all threads end within `timeout` seconds. False when some are stuck in a system call.

        Those end at their next `check`. What they use must not be closed before: see `afterwards`.
        """
        self._ended.set()
        deadline = time.monotonic() + (JOIN_SECONDS if timeout is None else timeout)
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        if stuck:
            log.error("threads of a transfer are stuck, on a disk that does not answer: %s", ", ".join(stuck))
        return not stuck

    def afterwards(self, close: Callable[[], None]) -> threading.Thread | None:
        """Call `close` when no thread is at work any more: now, or in a thread that waits for the last.

        A handle that is closed under a thread's hands may be another file's when it gets to use it.
        """
        if not any(thread.is_alive() for thread in self._threads):
            close()
            return None
        waiting = threading.Thread(target=self._close_late, args=(close,), name="stragglers", daemon=True)
        waiting.start()
        return waiting

    def join(self, threads: Sequence[threading.Thread] | None = None) -> None:
        """Wait for threads whose work is done; None: for all."""
        for thread in self._threads if threads is None else threads:
            while thread.is_alive():
                self.check()
                thread.join(TICK_SECONDS)

    def _close_late(self, close: Callable[[], None]) -> None:
        for thread in self._threads:
            thread.join()
        close()
        log.warning("threads of a transfer that were stuck have ended")

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as e:  # noqa: BLE001 - the thread's edge: handed to the one who waits
            self.fail(e)


class Pipe(Generic[T]):
    """A queue of at most `size` items whose waits end with the crew's work."""

    def __init__(self, crew: Crew, size: int) -> None:
        self._crew = crew
        self._queue: queue.Queue[T] = queue.Queue(size)

    def full(self) -> bool:
        return self._queue.full()

    def put(self, item: T) -> None:
        while True:
            self._crew.check()
            try:
                return self._queue.put(item, timeout=TICK_SECONDS)
            except queue.Full:
                continue

    def get(self) -> T:
        while True:
            self._crew.check()
            try:
                return self._queue.get(timeout=TICK_SECONDS)
            except queue.Empty:
                continue
