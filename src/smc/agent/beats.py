"""The heartbeat: the center sees that the source is there, how busy it is, and what about it has changed."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

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
# The inventory reads a little of each disk, so it is made again only when the kernel's lists have changed, or
# after so long: a spare disk may sleep, and a passive path to a disk answers each read with an error.
INVENTORY_SECONDS = 600.0
LISTS = (Path("/proc/self/mountinfo"), Path("/proc/partitions"), Path("/proc/swaps"))


def read_lists() -> str:
    return "".join(path.read_text(errors="replace") for path in LISTS)


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
        lists: Callable[[], str] = read_lists,
        inventory_seconds: float = INVENTORY_SECONDS,
    ) -> None:
        self._home = home
        self._control = control
        self._stop = stop
        self._seconds = seconds
        self._source_id = source_id
        self._holding = holding
        self._read = read
        self._lists = lists
        self._inventory_seconds = inventory_seconds
        self._server: Server | None = None
        self._listed = ""
        self._read_at = 0.0
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
        server = self._inventory()
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

    def _inventory(self) -> Server:
        listed, now = self._lists(), time.monotonic()
        if self._server is None or listed != self._listed or now - self._read_at >= self._inventory_seconds:
            self._server = self._read()
            self._listed, self._read_at = listed, now
        return self._server

    def _say(self, trouble: str) -> None:
        """Each trouble once, and its end."""
        if trouble != self._trouble:
            log.warning(trouble) if trouble else log.info("the center answers again")
            self._trouble = trouble
