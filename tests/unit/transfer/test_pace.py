"""The rate limit holds on average, and lets go when it is asked to stop."""

import threading
import time

import pytest

from smc.transfer.pace import ZSTD_LEVELS, Pace


@pytest.mark.parametrize("piece", [1_000, 20_000, 250_000])
def test_the_mean_rate_is_the_limit(piece: int) -> None:
    pace = Pace(80, threading.Event())  # 10 MB/s
    began = time.monotonic()
    for _ in range(5_000_000 // piece):
        pace(piece)
    assert 0.2 <= time.monotonic() - began <= 1.0  # half a second, less the first burst


def test_no_limit_waits_for_nothing() -> None:
    pace = Pace(0, threading.Event())
    began = time.monotonic()
    pace(1 << 40)
    assert time.monotonic() - began < 0.1


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    Pace(1, stop)(1 << 30)
    assert time.monotonic() - began < 1


def test_a_new_rate_holds_from_the_next_bytes_on() -> None:
    pace = Pace(1, threading.Event())
    pace.rate_mbit = 8000
    began = time.monotonic()
    for _ in range(100):
        pace(1_000_000)
    assert time.monotonic() - began < 1


def test_every_level_of_a_job_means_more_work_than_the_one_before() -> None:
    levels = [-1000 if level is None else level for level in ZSTD_LEVELS]
    assert len(levels) == 11
    assert levels == sorted(set(levels))
