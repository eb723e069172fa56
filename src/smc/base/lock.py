"""One program at a time: a lock on a file, gone with the process that held it."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from smc.base.errors import SmcError


@contextmanager
def exclusively(path: Path, *, say: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock; where another program has it, `say` once and wait. The file stays."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def alone(path: Path, refusal: SmcError) -> Iterator[None]:
    """Hold the lock. Raises `refusal` where another program has it. The file stays."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise refusal from e
        yield
