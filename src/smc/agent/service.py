"""The agent at work on a source: heartbeat, orders and events until it is told to end."""

import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from smc.agent import hooks
from smc.agent.beats import Beats
from smc.agent.diagnosis import Diagnosis
from smc.agent.home import Home
from smc.agent.orders import Orders, Working
from smc.agent.reporter import Reporter
from smc.agent.talk import Job
from smc.agent.worker import Worker, start_process
from smc.base import log as logs
from smc.base.errors import UserError
from smc.wire.control import Control
from smc.wire.orders import Order

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
FAREWELL_SECONDS = 5.0  # for events that still wait
PID_WIDTH = 10  # digits of the largest, and more


def serve(home: Home, stop: threading.Event) -> None:
    """Returns when `stop` is set. Raises `UserError` when not imported, or already running."""
    credentials, settings = home.credentials(), home.settings()
    with only_one(home):
        logs.set_up(file=home.log, level=settings.log_level, echo=_is_read())
        log.info("agent of %s, center %s", credentials.source_id, credentials.url)

        def control() -> Control:  # one a thread
            return Control(credentials.url, credentials.ca, credentials.credential, proxy=settings.proxy)

        reporter = Reporter(control(), stop)
        diagnosis = Diagnosis(home, control, reporter.tell)

        def begin(order: Order) -> Working:
            diagnosis.begin(order)
            job = Job(order=order, center_host=asking.host, proxy=settings.proxy)
            return Worker(job, start_process(home), diagnosis.tell, home)

        asking = control()
        orders = Orders(home, asking, stop, begin, diagnosis.tell)
        Beats(
            home,
            control(),
            stop,
            seconds=credentials.heartbeat_seconds,
            source_id=credentials.source_id,
            holding=lambda: orders.holding,
        ).start()

        def follow() -> None:
            hooks.settle(home)  # minutes, it may be: the heart beats meanwhile
            orders.follow_until_stopped()

        following = threading.Thread(target=follow, name="orders")
        following.start()
        while following.is_alive() and not stop.wait(TICK_SECONDS):
            pass  # an orders thread that died takes the agent with it: it is started again
        stop.set()
        asking.interrupt()
        following.join()
        reporter.join(FAREWELL_SECONDS)
        log.info("ended")


def _is_read() -> bool:
    """Whether what goes to stderr is for a person or the journal, and not one more file that grows."""
    return sys.stderr.isatty() or "JOURNAL_STREAM" in os.environ


def stop_on_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT. A second one ends the process at once."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Raises `UserError` (`Agent.Running`) when another agent runs here."""
    handle = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise UserError(
                "an agent is already running on this machine",
                code="Agent.Running",
                hint="Stop it with `smc-agent --abort`.",
            ) from e
        os.pwrite(handle, f"{os.getpid():<{PID_WIDTH}}\n".encode(), 0)  # in place: on a full disk too
        yield
    finally:
        os.close(handle)


def running_pid(home: Home) -> int | None:
    """Of the agent that runs here: who holds the lock has written its pid."""
    try:
        with home.lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                with suppress(ValueError):
                    return int(file.read())
            return None
    except FileNotFoundError:
        return None
