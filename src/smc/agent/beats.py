"""The heartbeat: the center sees that the source is there, how busy it is, and what about it has changed."""

import logging
import threading
import time
from collections.abc import Callable

from smc.agent.home import Home, Pulse
from smc.agent.inventory import differs, read_server
from smc.agent.machine import CpuMeter, read_memory
from smc.base.errors import SmcError
from smc.base.files import write_atomic
from smc.model.codec import encode
from smc.model.server import Server
from smc.wire.control import Control
from smc.wire.orders import Beat, Beaten

log = logging.getLogger(__name__)

PATH = "/agent/v1/beat"
CLOCK_SECONDS = 300.0  # more between the two clocks is worth a line in the log


class Beats:
    """A thread of its own from `start` until `stop` is set."""

    def __init__(
        self,
        home: Home,
        control: Control,
        stop: threading.Event,
        *,
        seconds: float,
        source_id: str,
        holding: Callable[[], str],
        read: Callable[[], Server] = read_server,
    ) -> None:
        self._home = home
        self._control = control
        self._stop = stop
        self._seconds = seconds
        self._source_id = source_id
        self._holding = holding
        self._read = read
        self._meter = CpuMeter()
        self._told: Server | None = None
        self._trouble = ""

        self._thread = threading.Thread(target=self._beat_on, name="beats", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> None:
        """After `stop` is set."""
        self._thread.join(seconds)

    def _beat_on(self) -> None:
        with self._control:
            self._beat_until_stopped()

    def _beat_until_stopped(self) -> None:
        while True:
            try:
                self._beat()
                self._say("")
            except SmcError as e:
                self._say(f"the center does not answer the heartbeat: {e.message} ({e.code})")
            except Exception as e:  # noqa: BLE001  the heart goes on, whatever the inventory ran into
                self._say(f"the heartbeat failed: {type(e).__name__}: {e}")
            if self._stop.wait(self._seconds):
                return

    def _beat(self) -> None:
        server = self._read()
        changed = differs(server, self._told)
        beat = Beat(
            clock=time.time(),
            cpu_usage=self._meter.usage(),
            memory_usage=read_memory().usage,
            server=server if changed else None,
        )
        answer = self._control.post(PATH, beat, Beaten)
        if changed:
            self._told = server
        pulse = Pulse(
            source_id=self._source_id,
            time=time.time(),
            center_clock=answer.clock,
            holding=self._holding(),
        )
        write_atomic(self._home.pulse, encode(pulse), mode=0o600)
        if answer.clock and abs(answer.clock - beat.clock) > CLOCK_SECONDS:
            log.info("this machine's clock is %.0f s off the center's", beat.clock - answer.clock)

    def _say(self, trouble: str) -> None:
        """Each trouble once, and its end."""
        if trouble != self._trouble:
            log.warning(trouble) if trouble else log.info("the center answers again")
            self._trouble = trouble
