"""Filesystems that somebody froze (fsfreeze(8)), and how they thaw without writing or starting anything.

Whoever writes to a frozen filesystem waits and cannot be killed: no program is started for it, nothing is
logged, and what the kernel is asked through was opened before.
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from smc.agent.mounts import parse

FITHAW = 0xC0045878  # linux/fs.h: _IOWR('X', 120, int)
MOUNTINFO = Path("/proc/self/mountinfo")
PROBE = ".probe"


def local_filesystems(mountinfo: Path = MOUNTINFO) -> list[Path]:
    """A folder in each filesystem that is on a device of this machine: where it was mounted first, for later
    a file of it may be bound somewhere."""
    mounts = reversed(parse(mountinfo.read_text(errors="replace")))
    found = {mount.source: mount.point for mount in mounts}
    return [Path(point) for source, point in found.items() if source.startswith("/dev/")]


@contextmanager
def opened(folders: Sequence[Path]) -> Iterator[list[int]]:
    """Descriptors of those folders that can be opened; open them before anything may freeze."""
    descriptors = []
    try:
        for folder in folders:
            with suppress(OSError):
                descriptors.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def thaw(descriptors: Sequence[int]) -> int:
    """How many of them were frozen; the others do not mind."""
    thawed = 0
    for descriptor in descriptors:
        with suppress(OSError):
            fcntl.ioctl(descriptor, FITHAW, 0)
            thawed += 1
    return thawed


def is_writable(folder: Path, seconds: float) -> bool:
    """Whether a file can be written there within that time. A thread that waits goes on when it thaws."""
    done = threading.Event()

    def write() -> None:
        with suppress(OSError):  # full, or read-only: it answers, and that is all we ask
            file = folder / PROBE
            file.write_bytes(b"x")
            file.unlink()
        done.set()

    threading.Thread(target=write, name="probe", daemon=True).start()
    return done.wait(seconds)
