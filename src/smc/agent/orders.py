"""What the center wants of this source, asked again and again, and followed: at most one run at a time."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from smc.agent.home import Home
from smc.base.errors import SmcError, UserError
from smc.model.job import run_job, run_number
from smc.wire.backoff import delays
from smc.wire.control import Control
from smc.wire.orders import NOT_KNOWN, Event, EventKind, Order, OrdersReply, OrdersRequest

log = logging.getLogger(__name__)

PATH = "/agent/v1/orders"


class Working(Protocol):
    """Who works on a run."""

    def stop(self) -> None: ...

    def turn(self, order: Order) -> None:
        """Go on with this order of the same run: other settings, or another address of the receiver."""


Begin = Callable[[Order], Working]


class Orders:
    """Level-triggered: only what the center wants now counts, so a lost or repeated answer harms nothing."""

    def __init__(
        self,
        home: Home,
        control: Control,
        stop: threading.Event,
        begin: Begin,
        tell: Callable[[Event], None],
    ) -> None:
        self._home = home
        self._control = control
        self._stop = stop
        self._begin = begin
        self._tell = tell
        self._held = ""
        self._revision = ""
        self._order: Order | None = None
        self._working: Working | None = None

    @property
    def holding(self) -> str:
        """The run the center wants, "" for none; also when it is done here, or was refused."""
        return self._held

    def follow_until_stopped(self) -> None:
        with self._control:
            self._follow_until_stopped()
        self._drop()

    def _follow_until_stopped(self) -> None:
        waits, trouble = delays(), ""
        while not self._stop.is_set():
            try:
                request = OrdersRequest(holding=self._held, revision=self._revision)
                reply = self._control.post(PATH, request, OrdersReply)
            except SmcError as e:
                if trouble != e.code and not self._stop.is_set():
                    log.warning("the center gives no orders: %s (%s)", e.message, e.code)
                    trouble = e.code
                if e.code == NOT_KNOWN:  # the center has deleted this source, or imported it again
                    self._drop()
                self._stop.wait(next(waits))
                continue
            if trouble:
                log.info("the center gives orders again")
                waits, trouble = delays(), ""
            self.follow(reply.order)

    def follow(self, order: Order | None) -> None:
        """Do what `order` says; None: nothing."""
        wanted = order.run if order else ""
        if wanted != self._held:
            self._drop()
            self._held = wanted
            if order is not None:
                self._take(order)
        elif order is not None and order != self._order and self._working is not None:
            log.info("run %s goes on with %s:%d, %s", order.run, order.host, order.port, order.settings)
            self._working.turn(order)
        self._order = order
        if order is not None:
            self._revision = order.revision

    def _take(self, order: Order) -> None:
        try:
            self._remember(order.run)
        except UserError as e:
            log.error("%s", e.message)
            self._tell(Event(run=order.run, kind=EventKind.FAILED, code=e.code, message=e.message))
            return
        log.info("working on run %s", order.run)
        self._working = self._begin(order)

    def _drop(self) -> None:
        if self._working is not None:
            log.info("stopping run %s", self._held)
            self._working.stop()
            self._working = None
            self._tell(Event(run=self._held, kind=EventKind.STOPPED))
        self._held = self._revision = ""

    def _remember(self, run: str) -> None:
        """Raises `UserError` (`Run.Outdated`) for a run that is older than one seen before."""
        job, number = run_job(run), run_number(run)
        newest = self._home.newest_runs()
        if number < newest.get(job, 0):
            raise UserError(
                f"run {run} is not the newest of its job: run {newest[job]} was here", code="Run.Outdated"
            )
        if number != newest.get(job):
            try:
                self._home.keep_newest_runs({**newest, job: number})
            except OSError as e:  # a full disk is no reason not to copy it
                log.warning("run %s could not be noted: %s", run, e)
