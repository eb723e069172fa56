"""A center at work, and a server that it has imported."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.center.running import Center, center

from smc.wire.orders import Enrolled


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path) as running:
        yield running


@pytest.fixture
def source(running: Center) -> Enrolled:
    return running.import_server()
