"""Whatever the center compares with a time in its store, it reads from one clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.center.made_store import made_store
from tests.unit.center.servers import server

from smc.center.clock import HandClock
from smc.center.store.sources import OFFLINE_SECONDS, SourceFilter, state_of
from smc.center.store.store import Store, open_store
from smc.model.job import SourceState
from smc.wire.orders import Enrol


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    store = open_store(made_store(tmp_path), "lcl", clock)
    yield store
    store.close()


def test_a_clock_moved_by_hand_stands_still_until_then(clock: HandClock) -> None:
    began = clock.now(), clock.monotonic()
    assert (clock.now(), clock.monotonic()) == began
    clock.tick(60)
    assert (clock.now(), clock.monotonic()) == (began[0] + 60, began[1] + 60)
    clock.jump(3600)
    assert (clock.now(), clock.monotonic()) == (began[0] + 3660, began[1] + 60)


def test_a_source_is_offline_when_the_clock_has_passed_three_beats(store: Store, clock: HandClock) -> None:
    code, text = store.codes.create("", "", 1, 1)
    request = Enrol(token_id=code.id, token_code=text, server=server(), csr="csr")
    source, _ = store.sources.enrol(request, "198.51.100.7")
    assert (code.created, source.last_beat) == (clock.now(), clock.now())
    clock.tick(OFFLINE_SECONDS)
    assert state_of(source, clock.now()) is SourceState.AVAILABLE
    clock.tick(1)
    assert state_of(source, clock.now()) is SourceState.UNAVAILABLE
    assert store.sources.page(SourceFilter(state=SourceState.UNAVAILABLE), offset=0, limit=1)[0] == 1
