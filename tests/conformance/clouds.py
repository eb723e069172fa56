"""The clouds the conformance suite is run for, and waiting for them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.conformance.localcloud import local_cloud

from smc.base.secret import Secret
from smc.cloud.driver import Driver
from smc.cloud.ecs.calls import EcsAccess
from smc.cloud.ecs.driver import LOCAL_PORTS, EcsDriver
from smc.cloud.memory import MemoryCloud

LIMIT = 30.0


@contextmanager
def memory(folder: Path) -> Iterator[Driver]:
    yield MemoryCloud(folder / "cloud.json")


@contextmanager
def ecs(folder: Path) -> Iterator[Driver]:
    """The ECS driver against the local cloud, which runs no machines here."""
    with local_cloud(folder) as access:
        yield EcsDriver(
            EcsAccess(
                region=access.region,
                key_id=access.access_key_id,
                key_secret=Secret(access.access_key_secret),
                endpoint=access.endpoint,
                protocol="HTTP",
            ),
            ports=LOCAL_PORTS,
        )


CLOUDS: dict[str, Callable[[Path], AbstractContextManager[Driver]]] = {"memory": memory, "ecs": ecs}


def eventually(condition: Callable[[], bool], limit: float = LIMIT) -> None:
    """Asks until it is true; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)
