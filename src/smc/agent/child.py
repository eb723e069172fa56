"""A process that the agent has started: where its output goes, and how it is ended with all it started."""

import logging
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

log = logging.getLogger(__name__)

END_SECONDS = 5.0  # for the process to end when asked, before it is killed
TICK_SECONDS = 0.05
OUTPUT_BYTES = 1 << 20  # of what a process says outside its log; more than that is begun anew


class Child(Protocol):
    """What is used of a process."""

    pid: int

    def poll(self) -> int | None: ...


def output_file(path: Path) -> BinaryIO:
    """Opened to append, or to begin anew when it is large; on a full disk what is said is lost."""
    try:
        large = path.exists() and path.stat().st_size > OUTPUT_BYTES
        return path.open("wb" if large else "ab")
    except OSError as e:
        log.warning("%s cannot be written: %s", path, e.strerror)
        return Path(os.devnull).open("ab")


def end(child: Child) -> None:
    """It and all it started: it leads a session of its own."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal_number)
        deadline = time.monotonic() + END_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        if child.poll() is not None:
            return
    log.error("process %d does not end", child.pid)
