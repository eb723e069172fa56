"""The agent's logs for the center, when a run has ended and the operator has not forbidden it."""

import logging
import threading
from collections.abc import Callable

from smc.agent.home import Home
from smc.base.errors import SmcError
from smc.wire.control import Control
from smc.wire.orders import Accepted, Event, EventKind, Order, RunLogs
from smc.wire.run_logs import pack_all

log = logging.getLogger(__name__)

PATH = "/agent/v1/logs"
ENDINGS = frozenset({EventKind.FINISHED, EventKind.FAILED, EventKind.STOPPED})
PATIENCE_SECONDS = 30.0  # logs are worth a few tries, and nothing waits for them


class Diagnosis:
    """Wraps what tells events: the logs of a wanted run follow its end, from a thread of their own."""

    def __init__(self, home: Home, control: Callable[[], Control], tell: Callable[[Event], None]) -> None:
        self._home = home
        self._control = control
        self._tell = tell
        self._wanted: set[str] = set()

    def begin(self, order: Order) -> None:
        if order.diagnostics:
            self._wanted.add(order.run)

    def tell(self, event: Event) -> None:
        self._tell(event)
        if event.kind in ENDINGS and event.run in self._wanted:
            threading.Thread(target=self._send, args=(event.run,), name="logs", daemon=True).start()

    def _send(self, run: str) -> None:
        home = self._home
        others = (home.logs / name for name in ("replicate.out", "daemon.log", "hooks.log"))
        paths = (home.log, home.replicate_log, *others)
        try:
            with self._control() as control:
                message = RunLogs(run=run, files=pack_all(paths))
                control.post(PATH, message, Accepted, patience=PATIENCE_SECONDS)
        except SmcError as e:
            log.warning("the logs of run %s did not reach the center: %s (%s)", run, e.message, e.code)
