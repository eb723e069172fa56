"""A worker lives through a failing step and hears what happened while it was busy."""

import threading

import pytest

from smc.localcloud.worker import Bell, Worker


def test_a_ring_during_a_step_is_heard_after_it_and_a_failure_is_survived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bell, steps, enough = Bell(), [0], threading.Event()

    def step() -> None:
        steps[0] += 1
        bell.ring()
        if steps[0] == 3:
            enough.set()
        raise ValueError("odd")

    worker = Worker("test", step, bell)
    worker.start()
    assert enough.wait(0.9), "three steps within less than a period"
    worker.stop()
    assert "odd" in caplog.text
