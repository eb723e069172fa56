"""Counters and heartbeats on their way into the store."""

import threading
from collections.abc import Mapping

import msgspec
import pytest

from smc.base.secret import Secret
from smc.center.agents.pulse import Pulse
from smc.center.store.sources import Sign
from smc.center.store.values import AgentState, Run
from smc.model.job import RunType
from smc.model.progress import DiskProgress, Phase, Progress
from smc.wire.orders import TaskKind

RUN = Run(
    job="j-1",
    number=1,
    type=RunType.MANUAL,
    started=0.0,
    ended=None,
    image_id="",
    stop_wanted=False,
    ca="",
    ca_key=Secret(""),
    agent_certificate="",
    receiver_certificate="",
    host="",
    port=0,
    receiver_task=TaskKind.REPLICATE,
    agent_ordered=True,
    progress=None,
    reported=False,
    agent=AgentState(),
)


class Rows:
    """What a store keeps; `slow` holds a write up, `full` refuses it."""

    def __init__(self) -> None:
        self.written: dict[tuple[str, int], Progress] = {}
        self.signs: dict[str, Sign] = {}
        self.full = False
        self.slow = False
        self.entered, self.go_on = threading.Event(), threading.Event()

    def beat(self, signs: Mapping[str, Sign]) -> None:
        self.signs |= signs

    def seen(self, times: Mapping[str, float]) -> None:
        pass

    def record_progress(self, latest: Mapping[tuple[str, int], Progress]) -> None:
        if self.full:
            raise OSError("no space left")
        if self.slow and latest:
            self.slow = False
            self.entered.set()
            assert self.go_on.wait(5)
        self.written |= latest


class FakeStore:
    def __init__(self) -> None:
        self.runs = self.sources = self.receivers = Rows()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def pulse(store: FakeStore) -> Pulse:
    return Pulse(store)  # type: ignore[arg-type]  # a fake of the three repositories it uses


def said(phase: Phase, done: int) -> Progress:
    return Progress(run=RUN.id, phase=phase, disks=(DiskProgress(index=0, done=done, total=100),))


def test_a_new_phase_is_written_at_once_and_counters_later(store: FakeStore, pulse: Pulse) -> None:
    pulse.progress(RUN, said(Phase.SYNCING, 1), 0.0)
    pulse.progress(RUN, said(Phase.SYNCING, 2), 0.0)
    assert store.runs.written["j-1", 1].done == 1
    pulse.flush()
    assert store.runs.written["j-1", 1].done == 2


def test_a_slow_write_of_counters_does_not_undo_the_phase_that_came_after(
    store: FakeStore, pulse: Pulse
) -> None:
    pulse.progress(RUN, said(Phase.SYNCING, 1), 0.0)
    pulse.progress(RUN, said(Phase.SYNCING, 2), 0.0)
    store.runs.slow = True
    flusher = threading.Thread(target=pulse.flush)
    flusher.start()
    assert store.runs.entered.wait(5)
    last = threading.Thread(target=pulse.progress, args=(RUN, said(Phase.SYNCED, 100), 0.0))
    last.start()
    last.join(0.05)  # what it writes must wait for the slow one, or it would be undone
    store.runs.go_on.set()
    for thread in (flusher, last):
        thread.join(5)
        assert not thread.is_alive()
    assert store.runs.written["j-1", 1].phase is Phase.SYNCED


def test_what_could_not_be_written_is_written_next_time(store: FakeStore, pulse: Pulse) -> None:
    store.runs.full = True
    with pytest.raises(OSError, match="no space"):
        pulse.progress(RUN, said(Phase.SYNCED, 100), 0.0)
    store.runs.full = False
    pulse.progress(msgspec.structs.replace(RUN), said(Phase.SYNCED, 100), 0.0)
    pulse.flush()
    assert store.runs.written["j-1", 1].phase is Phase.SYNCED
