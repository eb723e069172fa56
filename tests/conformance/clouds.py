"""The clouds the conformance suite is run for, and waiting for them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from smc.cloud.driver import Driver
from smc.cloud.memory import MemoryCloud

LIMIT = 30.0


@contextmanager
def memory(folder: Path) -> Iterator[Driver]:
    yield MemoryCloud(folder / "cloud.json")


CLOUDS: dict[str, Callable[[Path], AbstractContextManager[Driver]]] = {"memory": memory}


def eventually(condition: Callable[[], bool], limit: float = LIMIT) -> None:
    """Asks until it is true; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)
