"""Of a copy that has ended nothing stays in memory."""

import gc
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

from tests.unit.transfer.two_folders import TwoFolders

from smc.transfer.give_back import giving_back
from smc.transfer.ledger import Ledger
from smc.transfer.outgoing import Outgoing
from smc.transfer.pipeline import Crew
from smc.wire.stream import ReceivingStream, SendingStream

LAST_STEPS_SECONDS = 5.0  # for threads that have done their work and have not ended yet
OF_A_COPY = (Ledger, Outgoing, Crew, SendingStream, ReceivingStream)
# Free blocks between others that are in use: no end of the heap that malloc would cut off by itself.
FRAGMENTED = """
from pathlib import Path
from smc.transfer import native

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

blocks = [bytes(15_000) for _ in range(4000)]
blocks = blocks[::8]
before = resident()
native.trim()
print(before - resident())
"""


def test_nothing_of_a_copy_waits_for_the_collector(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source / "below", target):
        folder.mkdir(parents=True)
    for number in range(20):
        (source / "below" / str(number)).write_bytes(b"content" * number)
    ends = TwoFolders(source, target)
    gc.collect()
    others = of_copies()  # what earlier tests in this process still hold
    gc.disable()  # what the copy leaves would wait for it
    try:
        assert ends.copy().is_right
        deadline = time.monotonic() + LAST_STEPS_SECONDS
        while (left := names_of_new_ones(others)) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        gc.enable()
    ends.memory.close()
    assert left == []


def names_of_new_ones(others: list[object]) -> list[str]:
    """Names alone: a list of the objects would itself keep them."""
    return [type(each).__name__ for each in of_copies() if not any(each is other for other in others)]


def of_copies() -> list[object]:
    return [each for each in gc.get_objects() if isinstance(each, OF_A_COPY)]


class Held:
    """In a cycle, and its end takes until `may_go`."""

    def __init__(self) -> None:
        self.me = self
        self.begun, self.may_go = threading.Event(), threading.Event()

    def __del__(self) -> None:
        self.begun.set()
        self.may_go.wait(LAST_STEPS_SECONDS)


class Left:
    """In a cycle."""

    def __init__(self) -> None:
        self.me = self


def test_a_connection_that_ends_while_another_gives_back_is_not_forgotten() -> None:
    left: list[weakref.ref[Left]] = []

    @giving_back
    def leave_nothing() -> None: ...

    @giving_back
    def leave_one() -> None:
        left.append(weakref.ref(Left()))

    held = Held()
    begun, may_go = held.begun, held.may_go
    gc.collect()
    gc.disable()
    try:
        del held
        one = threading.Thread(target=leave_nothing)
        one.start()
        assert begun.wait(LAST_STEPS_SECONDS)  # it is in the middle of collecting
        other = threading.Thread(target=leave_one)
        other.start()
        other.join(0.2)
        may_go.set()
        one.join(LAST_STEPS_SECONDS)
        other.join(LAST_STEPS_SECONDS)
        assert left[0]() is None
    finally:
        gc.enable()


def test_free_memory_between_blocks_in_use_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", FRAGMENTED], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 30_000  # KiB, of 50,000 that are free
