"""What the receiver can be busy with: a thread of its own, of which the loop reads the progress."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smc.base.errors import Broken, SmcError
from smc.base.run import Run, run
from smc.guest.convert import Converted, convert
from smc.model.plan import Plan
from smc.model.progress import Phase, Progress
from smc.model.report import Report
from smc.receiver import disks, layout
from smc.receiver.containers.layers import LAYER_BYTES
from smc.receiver.home import Home
from smc.transfer.failures import describe
from smc.wire.orders import Task

log = logging.getLogger(__name__)

SPEED_SECONDS = 5.0

Convert = Callable[..., Converted]  # as guest.convert.convert


@dataclass(frozen=True)
class Bench:
    """Where the work is done; a test has another one."""

    home: Home
    mounts: Path
    find: disks.Find = disks.find
    run: Run = run
    convert: Convert = convert
    layer_bytes: int = LAYER_BYTES  # of a container image, before compression
    host: str = "0.0.0.0"  # listens on every address: which one the agent dials is the cloud's matter

    def devices(self, plan: Plan) -> dict[int, Path]:
        """Disk index -> device node. Raises `Transient` for one that is not attached."""
        return {disk.index: self.find(disk) for disk in plan.disks}


class Work:
    """Does one task; what fails ends it in the phase FAILED, and the loop goes on."""

    def __init__(self, task: Task, bench: Bench, phase: Phase) -> None:
        self.task = task
        self.bench = bench
        self.stopping = threading.Event()
        self._progress = Progress(run=task.run, phase=phase)
        self._speed = Speed()
        self._thread = threading.Thread(target=self._main, name=task.kind.value, daemon=True)

    def start(self, before: Progress | None = None) -> None:
        """`before`: what the work before this one told; the counters of one run go on from it."""
        if before is not None and before.run == self.task.run:
            self._progress = msgspec.structs.replace(
                before, phase=self._progress.phase, failure=None, note="", speed=0.0
            )
        self._thread.start()

    def work(self) -> None:
        raise NotImplementedError

    @property
    def plan(self) -> Plan:
        if self.task.plan is None:
            raise Broken("the center gave a task without a plan")
        return self.task.plan

    @property
    def progress(self) -> Progress:
        now = self._progress
        return msgspec.structs.replace(now, speed=self._speed.at(now.done))

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end; `ended` says when it has."""
        self.stopping.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def show(self, **changes: object) -> None:
        """Change fields of the progress; for the thread of the work only."""
        self._progress = msgspec.structs.replace(self._progress, **changes)

    def note(self, sentence: str) -> None:
        log.info("run %s: %s", self.task.run, sentence)
        self.show(note=sentence)

    def _main(self) -> None:
        try:
            self.work()
        except Exception as e:
            log.error("run %s failed: %s", self.task.run, e, exc_info=not isinstance(e, SmcError))
            self.show(phase=Phase.FAILED, failure=describe(e), note="")


class Reporting(Work):
    """What is done with a complete copy. It ends with `report`, in the phase CONVERTING.

    CONVERTED is what the center has the report of.
    """

    def __init__(self, task: Task, bench: Bench) -> None:
        super().__init__(task, bench, Phase.CONVERTING)
        self.report: Report | None = None


class Speed:
    """Bytes a second over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, done: int) -> float:
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPEED_SECONDS:
            self._seen.popleft()
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - then) if now > then else 0.0


def partition_nodes(plan: Plan, devices: Mapping[int, Path]) -> dict[str, Path]:
    """Source partition -> device node, of all that the source has too."""
    return {
        part.source: node
        for disk in plan.disks
        for part, node in zip(disk.partitions, layout.partition_nodes(disk, devices[disk.index]), strict=True)
        if part.source
    }
