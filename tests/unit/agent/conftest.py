"""What the agent's tests share: a center on a loopback port."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.agent.fake_center import FakeCenter, serving


@pytest.fixture
def center(tmp_path: Path) -> Iterator[FakeCenter]:
    with serving(tmp_path) as running:
        yield running
