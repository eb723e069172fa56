"""The demo's own output: a line when a stage begins, its seconds when it ends, one verdict."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Failed(Exception):
    """A judge said no, or a stage could not be done; the message is for the person who watches."""


class Stages:
    """Times the stages of one run; `where` is the one that is going on."""

    def __init__(self) -> None:
        self.where = "start"
        self.seconds: dict[str, float] = {}
        self._begun = time.monotonic()

    @contextmanager
    def stage(self, name: str, sentence: str) -> Iterator[None]:
        self.where = name
        started = time.monotonic()
        say(f"[{started - self._begun:6.1f} s] {name}: {sentence}")
        yield
        self.seconds[name] = time.monotonic() - started

    @property
    def total(self) -> float:
        return time.monotonic() - self._begun

    def figures(self) -> str:
        return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())


def say(line: str) -> None:
    print(line, flush=True)


def indent(text: str) -> None:
    for line in text.splitlines():
        say(f"    {line}")


def wait_until(what: str, seconds: float, probe: Callable[[], T | None]) -> T:
    """Call `probe` until it gives something true. Raises `Failed` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.5)
    raise Failed(f"{what}: not within {seconds:g} s")


def verdict(stages: Stages, failure: str | None, figures: str) -> int:
    """The last line, and the exit status that matches it."""
    if failure is None:
        say(f"demo: PASSED in {stages.total:.0f} s: {figures}; {stages.figures()}")
        return 0
    say(f"demo: FAILED at {stages.where}: {failure}")
    return 1
