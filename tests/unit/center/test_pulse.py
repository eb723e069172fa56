"""Counters and heartbeats on their way into the store."""

import threading
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from smc.base.secret import Secret
from smc.center.agents.pulse import Pulse, grown
from smc.center.agents.speed import AVERAGE_SECONDS, Meter
from smc.center.store.history import SLOT_SECONDS, Point
from smc.center.store.sources import Sign
from smc.center.store.values import AgentState, Run
from smc.model.job import RunAim, RunType
from smc.model.progress import DiskProgress, Phase, Progress
from smc.wire.orders import TaskKind

RUN = Run(
    aim=RunAim.LAST,
    round=1,
    ending=None,
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
        self.points: list[tuple[str, Point]] = []
        self.full = False
        self.slow = False
        self.entered, self.go_on = threading.Event(), threading.Event()

    def beat(self, signs: Mapping[str, Sign]) -> None:
        self.signs |= signs

    def seen(self, times: Mapping[str, float]) -> None:
        pass

    def record(self, points: Sequence[tuple[str, Point]]) -> None:
        self.points += points

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
        self.runs = self.sources = self.receivers = self.history = Rows()


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


def test_a_speed_is_an_average_of_seconds_and_stays_between_two_reports() -> None:
    meter = Meter()
    meter.see(0.0, 0, 0)
    assert meter.speeds is None
    speeds: dict[int, tuple[float, float] | None] = {}
    for second in range(1, 31):
        done = 100 * second if second <= 20 else 2000  # from then on nothing moves
        meter.see(float(second), done, done // 2)
        speeds[second] = meter.speeds
        assert meter.speeds == speeds[second], "asking again changes nothing"
    assert speeds[20] == (100.0, 50.0)
    assert speeds[25] == (50.0, 25.0), "half of the last ten seconds"
    assert speeds[30] == (0.0, 0.0)
    assert AVERAGE_SECONDS == 10.0


def test_bursts_do_not_make_a_speed_jump() -> None:
    meter = Meter()
    speeds = []
    for second in range(60):
        meter.see(float(second), 1000 * (second // 3), 0)  # every third second a large file is done
        if second > 20 and meter.speeds:
            speeds.append(meter.speeds[0])
    assert min(speeds) >= 300
    assert max(speeds) <= 400


def test_the_center_measures_the_speed_of_what_is_reported(
    store: FakeStore, pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("smc.center.agents.pulse.time.monotonic", lambda: float(next(clock)))
    for second in range(5):
        pulse.progress(RUN, msgspec.structs.replace(said(Phase.SYNCING, 10 * second), wire=4 * second), 0.0)
    pulse.flush()
    found = store.runs.written["j-1", 1]
    assert (found.speed, found.wire_speed) == (10.0, 4.0)
    pulse.progress(RUN, said(Phase.SYNCING, 0), 0.0)  # a receiver that was started again
    pulse.flush()
    assert 0 < store.runs.written["j-1", 1].speed < 10


def test_each_half_minute_leaves_a_point(store: FakeStore, pulse: Pulse) -> None:
    for second in range(0, 90, 10):
        pulse.progress(RUN, said(Phase.SYNCING, second), float(second))
    pulse.progress(RUN, said(Phase.CONVERTING, 90), 90.0)
    pulse.flush()
    newest = {point.time // SLOT_SECONDS: point for job, point in store.runs.points if job == "j-1"}
    assert [point.done for point in newest.values()] == [20, 50, 80]


def test_files_of_a_disk_are_kept_where_they_are_told() -> None:
    disk = DiskProgress(index=0, done=1, total=2, files_done=3, files_total=4)
    before = msgspec.structs.replace(said(Phase.SYNCING, 0), disks=(disk,))
    assert grown(before, said(Phase.SYNCING, 50)).disks == (
        DiskProgress(index=0, done=50, total=100, files_done=3, files_total=4),
    )
    assert grown(said(Phase.SYNCING, 0), said(Phase.SYNCING, 1)).disks[0].files_done is None
