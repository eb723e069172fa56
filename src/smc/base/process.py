"""Processes: telling one from a later one that got its pid, and how many files ours may have open."""

import os
import resource
import signal
from contextlib import suppress
from pathlib import Path


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid`; None when it is gone or only a zombie (proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else int(fields[18])


def ask_to_end(pid: int) -> None:
    """SIGTERM; a process that is gone already has done what was asked."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def allow_many_files() -> None:
    """As many open files as we may have: a service begins with 1024, few for a copy of many filesystems."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
