"""How far the receiving end is, in true numbers: counted totals and what is done of them."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smc.model.progress import DiskProgress
from smc.transfer.memory import Memory
from smc.wire.messages import Total

REPORT_SECONDS = 0.5


@dataclass(frozen=True)
class WriterProgress:
    """Counters that only grow, over all connections that share a memory; bytes are of stored content."""

    disks: tuple[DiskProgress, ...] = ()
    files_done: int = 0
    files_total: int = 0
    wire: int = 0
    resent: int = 0
    note: str = ""


class Tally:
    """Totals are what the sender counted before the first pass, and what later passes found changed."""

    def __init__(
        self,
        wire: Callable[[], int],
        memory: Memory,
        disks: Sequence[int],
        tell: Callable[[WriterProgress], None],
    ) -> None:
        """`wire`: the bytes of this connection on the network so far."""
        self._wire = wire
        self._lock = threading.Lock()
        self._memory = memory
        self._wire_before = memory.wire
        self._tell = tell
        self._told = 0.0
        self._total = dict.fromkeys(sorted(disks), 0)
        self._done = dict.fromkeys(self._total, 0)
        self._files_total = self._files_done = 0
        self._counted = False

    def set_totals(self, disks: Sequence[int], totals: Sequence[Total]) -> None:
        for disk, total in zip(disks, totals, strict=True):
            self.expect(disk, total.size, total.files)
        self._counted = True
        self.report()

    def expect(self, disk: int, size: int, files: int = 1) -> None:
        with self._lock:
            self._total[disk] += size
            self._files_total += files

    def credit(self, disk: int, size: int, files: int = 0) -> None:
        with self._lock:
            self._done[disk] += size
            self._files_done += files

    def complete(self) -> None:
        """All that there is was done: files that vanished or shrank are not missing."""
        self._done = {disk: max(done, self._total[disk]) for disk, done in self._done.items()}
        self._files_done = max(self._files_done, self._files_total)

    @property
    def is_due(self) -> bool:
        """Whether the last report is old."""
        return time.monotonic() - self._told >= REPORT_SECONDS

    def report(self, note: str = "") -> None:
        with self._lock:
            self._told = time.monotonic()
            self._tell(self._progress(note))

    def _progress(self, note: str) -> WriterProgress:
        self._memory.wire = self._wire_before + self._wire()
        reached = self._memory.done
        for disk, done in self._done.items():
            reached[disk] = max(reached.get(disk, 0), done)
        self._memory.files_done = max(self._memory.files_done, self._files_done)
        return WriterProgress(
            disks=tuple(
                DiskProgress(
                    index=disk,
                    done=reached[disk],
                    total=max(total, reached[disk]) if self._counted else 0,
                )
                for disk, total in self._total.items()
            ),
            files_done=self._memory.files_done,
            files_total=max(self._files_total, self._memory.files_done) if self._counted else 0,
            wire=self._memory.wire,
            resent=self._memory.resent,
            note=note,
        )
