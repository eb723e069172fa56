"""The immutable and append-only flags of files (chattr +i, +a), lifted for an edit and set again."""

import array
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

GET_FLAGS = 0x80086601  # linux/fs.h FS_IOC_GETFLAGS on 64-bit machines
SET_FLAGS = 0x40086602
APPEND_ONLY = 0x20
IMMUTABLE = 0x10


@contextmanager
def lifted(file: int, *, renamed: bool = False) -> Iterator[int]:
    """Within it the open file or folder can be changed; gives the flags that were lifted.

    They are set again at the end unless the file is `renamed`, when the one that takes its place gets them.
    """
    flags = get(file)
    held = flags & (APPEND_ONLY | IMMUTABLE)
    if held:
        put(file, flags & ~held)
    try:
        yield held
    finally:
        if held and not renamed:
            with suppress(FileNotFoundError):
                put(file, flags)


def get(file: int) -> int:
    """0 on a filesystem without such flags."""
    value = array.array("L", [0])
    try:
        fcntl.ioctl(file, GET_FLAGS, value)
    except OSError:
        return 0
    return value[0] & 0xFFFFFFFF


def put(file: int, flags: int) -> None:
    fcntl.ioctl(file, SET_FLAGS, array.array("L", [flags]))


def of(folder: int, name: str) -> int:
    """Flags of a regular file or folder that is not opened yet; 0 when there is none."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return 0
    try:
        return get(file)
    finally:
        os.close(file)
