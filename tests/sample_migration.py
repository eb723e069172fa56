"""Fixtures of tests that move the sample server: a center with its local cloud, and the server itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import sample
from demo.center import Center


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    started = Center(tmp_path / "data")
    started.start()
    yield started
    started.stop()
    print(started.last_lines())


@pytest.fixture
def source(tmp_path: Path) -> Iterator[sample.Source]:
    booted = sample.boot(sample.build(), tmp_path / "source")
    yield booted
    booted.stop()
