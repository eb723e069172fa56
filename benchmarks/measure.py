"""What a copy costs: the time until it is on disk, and the processor time and memory of each end."""

import os
import select
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_SECONDS = 0.05
IDLE_SECONDS = 10.0  # for the processes of a connection to end after the client has


@dataclass(frozen=True)
class Usage:
    """Of one end: processor seconds, and the sum of its processes' peak resident memory.

    Pages that processes of one end share (rsync's generator and receiver) count for each.
    """

    cpu_s: float
    rss_mib: float


@dataclass(frozen=True)
class Copy:
    """`seconds` until all is on the target's disk; `wire_bytes` where they were counted."""

    seconds: float
    sender: Usage
    receiver: Usage
    wire_bytes: int = 0


class Watch:
    """One end, given by a process: it, and all that it starts, from now until `usage` is asked for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        for process in family(pid):
            _forget_peak(process)
        self._spent = _spent(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def usage(self) -> Usage:
        """The process must still be there, if only as one that nobody waited for yet."""
        self._over.set()
        self._thread.join()
        self._note()
        return Usage(_spent(self._pid) - self._spent, sum(self._peaks.values()) / 1024)

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._note()

    def _note(self) -> None:
        for process in family(self._pid):
            self._peaks[process] = max(self._peaks.get(process, 0), _peak_kib(process))


def family(pid: int) -> Iterator[int]:
    """`pid` and all processes below it."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [word for thread in threads for word in (thread / "children").read_text().split()]
    except OSError:  # ended meanwhile
        return
    for child in children:
        yield from family(int(child))


def wait_until_ended(pid: int, timeout: float) -> bool:
    """Whether child `pid` ended in time; it stays to be asked and waited for."""
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], timeout)[0])
    finally:
        os.close(handle)


def wait_until_childless(pid: int) -> None:
    """A server has waited for the processes of its last connection, so their time counts as its own."""
    limit = time.monotonic() + IDLE_SECONDS
    while len(list(family(pid))) > 1 and time.monotonic() < limit:
        time.sleep(0.01)


def _spent(pid: int) -> float:
    """Processor seconds of a family, with its members that ended and were waited for."""
    return sum(sum(map(int, _fields(process)[11:15])) for process in family(pid)) / TICKS


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the third on: the second is a name that may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 20


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _forget_peak(pid: int) -> None:
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return
