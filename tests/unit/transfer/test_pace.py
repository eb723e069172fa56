"""The rate limit holds on average over all streams, changes at once, and lets go when it is asked to stop."""

import threading
import time
from collections.abc import Iterator

import pytest

from smc.base.errors import Transient
from smc.transfer import pace as pace_module
from smc.transfer.dials import Dials
from smc.transfer.pace import BURST_SECONDS, MBIT, Pace
from smc.wire.orders import TransferSettings

SECONDS = 10.0


def limit(mbit: int) -> TransferSettings:
    return TransferSettings(bandwidth_limit_mbit=mbit)


def never() -> None:
    """No reason to stop."""


class Clock:
    """Stands in for `time` and goes on only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class TimelessDials(Dials):
    """A wait takes no time but the clock's; what was turned meanwhile is in `plan`: (moment, settings)."""

    def __init__(self, settings: TransferSettings, clock: Clock) -> None:
        super().__init__(settings)
        self.clock = clock
        self.plan: list[tuple[float, TransferSettings]] = []

    def wait(self, seconds: float) -> None:
        assert 0 < seconds <= BURST_SECONDS
        until = self.clock.now + seconds
        if self.plan and self.plan[0][0] <= until:
            until, settings = self.plan.pop(0)
            self.turn(settings)
        self.clock.now = until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    fake = Clock()
    monkeypatch.setattr(pace_module, "time", fake)
    yield fake


@pytest.mark.parametrize("mbit", [1, 80, 1000])
@pytest.mark.parametrize("piece", [5_000, 49_152, 1_000_000])
def test_the_mean_rate_is_the_limit(clock: Clock, mbit: int, piece: int) -> None:
    pace = Pace(TimelessDials(limit(mbit), clock), never)
    began, sent = clock.now, 0
    while clock.now - began < SECONDS:
        pace(piece)
        sent += piece
    assert sent / (clock.now - began) == pytest.approx(mbit * MBIT, rel=0.05)


def test_the_limit_holds_in_every_second_and_not_only_on_average(clock: Clock) -> None:
    pace = Pace(TimelessDials(limit(8), clock), never)
    seconds: dict[int, int] = {}
    while clock.now < 1010:
        pace(10_000)
        seconds[int(clock.now)] = seconds.get(int(clock.now), 0) + 10_000
    assert max(seconds.values()) <= 8 * MBIT * (1 + BURST_SECONDS) + 10_000


def test_what_was_not_used_is_not_saved_up(clock: Clock) -> None:
    pace = Pace(TimelessDials(limit(8), clock), never)
    pace(1_000_000)
    clock.now += 3600
    began, sent = clock.now, 0
    while clock.now == began:
        pace(10_000)
        sent += 10_000
    assert sent <= 8 * MBIT * BURST_SECONDS + 10_000


def test_no_limit_waits_for_nothing(clock: Clock) -> None:
    pace = Pace(TimelessDials(limit(0), clock), never)
    pace(1 << 40)
    assert clock.now == 1000


@pytest.mark.parametrize("mbit", [0, 8000])
def test_a_new_limit_ends_a_long_wait(clock: Clock, mbit: int) -> None:
    dials = TimelessDials(limit(1), clock)
    dials.plan = [(1001.1, limit(mbit))]
    Pace(dials, never)(1_000_000)  # eight seconds of the old limit
    assert clock.now == pytest.approx(1001.1)


def test_what_was_owed_at_another_limit_is_forgiven(clock: Clock) -> None:
    dials = TimelessDials(limit(1), clock)
    dials.plan = [(1001, limit(80))]
    pace = Pace(dials, never)
    pace(100_000_000)
    began, sent = clock.now, 0
    while clock.now - began < SECONDS:
        pace(100_000)
        sent += 100_000
    assert sent / (clock.now - began) == pytest.approx(80 * MBIT, rel=0.05)


def test_a_stop_raises_where_it_waits(clock: Clock) -> None:
    def stopped() -> None:
        raise Transient("the transfer was stopped")

    pace = Pace(TimelessDials(limit(1), clock), stopped)
    with pytest.raises(Transient, match="stopped"):
        pace(1 << 30)
    assert clock.now == 1000


def test_threads_that_wait_are_woken_by_a_new_limit() -> None:
    dials = Dials(limit(1))
    pace = Pace(dials, never)
    waiting = threading.Semaphore(0)

    def go() -> None:
        waiting.release()
        pace(1 << 30)  # more than two hours

    threads = [threading.Thread(target=go, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        waiting.acquire()
    began = time.monotonic()
    dials.turn(limit(0))
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert time.monotonic() - began < 1


def test_several_threads_share_one_limit() -> None:
    pace = Pace(Dials(limit(80)), never)  # 10 MB/s

    def go() -> None:
        for _ in range(25):
            pace(50_000)

    began = time.monotonic()
    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    took = time.monotonic() - began
    assert took >= 5_000_000 / (80 * MBIT) - BURST_SECONDS
