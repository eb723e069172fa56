"""Threads of a connection end together; what they use is let go when the last of them has ended."""

import os
import threading
from collections.abc import Iterator

import pytest

from smc.transfer.pipeline import Crew

SECONDS = 10.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for handle in ends:
        os.close(handle)


def test_a_failure_of_one_thread_ends_the_others() -> None:
    crew = Crew(threading.Event())

    def wait() -> None:
        while True:
            crew.check()

    def fail() -> None:
        raise KeyError

    threads = [crew.start("waits", wait), crew.start("fails", fail)]
    for thread in threads:
        thread.join(SECONDS)
    assert isinstance(crew.failure, KeyError)
    assert crew.end()


def test_what_threads_use_is_let_go_at_once_when_they_have_ended() -> None:
    crew, closed = Crew(threading.Event()), threading.Event()
    crew.start("short", lambda: None)
    assert crew.end()
    assert crew.afterwards(closed.set) is None
    assert closed.is_set()


def test_a_thread_that_is_stuck_in_a_read_keeps_what_it_uses_until_it_ends(
    pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    crew, closed = Crew(threading.Event()), threading.Event()
    read: list[bool] = []

    def stuck() -> None:
        os.read(pipe[0], 1)
        read.append(closed.is_set())

    crew.start("reads", stuck)
    crew.start("reads too", stuck)
    assert not crew.end(0.05)
    assert [told.levelname for told in caplog.records] == ["ERROR"]
    assert "reads, reads too" in caplog.text
    waiting = crew.afterwards(closed.set)
    assert waiting is not None
    os.write(pipe[1], b"x")
    assert not closed.is_set()
    os.write(pipe[1], b"x")
    waiting.join(SECONDS)
    assert closed.is_set()
    assert read == [False, False]
