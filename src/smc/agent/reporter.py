"""Telling the center what happened in a run: each event arrives, in order, however long that takes."""

import logging
import queue
import threading

from smc.base.errors import SmcError, Transient, UserError
from smc.wire.backoff import delays
from smc.wire.control import Control
from smc.wire.orders import Accepted, Event, Events

log = logging.getLogger(__name__)

PATH = "/agent/v1/events"
TICK_SECONDS = 0.5


class Reporter:
    """`tell` returns at once; a thread of its own sends."""

    def __init__(self, control: Control, stop: threading.Event) -> None:
        self._control = control
        self._stop = stop
        self._waiting: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, name="events", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        self._waiting.put(event)

    def join(self, seconds: float) -> None:
        """After `stop` is set: what still waits is tried once."""
        self._thread.join(seconds)

    def _send_all(self) -> None:
        with self._control:
            self._send_until_stopped()

    def _send_until_stopped(self) -> None:
        while True:
            try:
                event = self._waiting.get(timeout=TICK_SECONDS)
            except queue.Empty:
                if self._stop.is_set():
                    return
                continue
            self._send(Events(events=(event,)))

    def _send(self, message: Events) -> None:
        for wait in delays():
            try:
                self._control.post(PATH, message, Accepted)
            except (Transient, OSError) as e:
                log.warning("an event waits to be told: %s", e)
                if self._stop.wait(wait):
                    return
            except UserError as e:
                log.error("the center does not take an event of %s: %s", message.events[0].run, e.message)
                return
            except SmcError as e:
                log.warning("an event waits to be told: %s", e)
                if self._stop.wait(wait):
                    return
            else:
                return
