"""Heartbeats and counters are kept in memory and written every few seconds, never one commit each."""

import threading

import msgspec

from smc.center.store.sources import Sign
from smc.center.store.store import Store
from smc.center.store.values import Run
from smc.model.progress import DiskProgress, Progress

FLUSH_SECONDS = 2.0


class Pulse:
    """Call `flush` every FLUSH_SECONDS and at the end; at a crash only counters of that time are lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # what was taken first is written first
        self._signs: dict[str, Sign] = {}
        self._unsaved: dict[tuple[str, int], Progress] = {}
        self._latest: dict[str, tuple[int, Progress]] = {}  # job -> run number and its counters
        self._seen: dict[str, float] = {}

    def beat(self, source: str, sign: Sign) -> None:
        """A changed inventory is written at once: its agent will not send it again."""
        if sign.server is not None:
            self._store.sources.beat({source: sign})
            return
        with self._lock:
            before = self._signs.get(source)
            if before and not (sign.cpu_usage or sign.memory_usage):
                sign = msgspec.structs.replace(
                    sign, cpu_usage=before.cpu_usage, memory_usage=before.memory_usage
                )
            self._signs[source] = sign

    def progress(self, run: Run, reported: Progress, now: float) -> None:
        """Counters only grow; a new phase and a failure are written at once."""
        with self._lock:
            number, before = self._latest.get(run.job, (0, None))
            if number != run.number:
                before = run.progress
            merged = grown(before, reported)
            self._latest[run.job] = run.number, merged
            self._seen[run.job] = now
            urgent = before is None or (before.phase, before.failure) != (merged.phase, merged.failure)
            if merged != before:
                self._unsaved[run.job, run.number] = merged
        if urgent:
            self.flush()

    def flush(self) -> None:
        """What cannot be written now is kept for the next time."""
        with self._writing:
            with self._lock:
                signs, self._signs = self._signs, {}
                unsaved, self._unsaved = self._unsaved, {}
                seen, self._seen = self._seen, {}
            try:
                self._store.sources.beat(signs)
                self._store.runs.record_progress(unsaved)
                self._store.receivers.seen(seen)
            except Exception:
                with self._lock:
                    self._signs = signs | self._signs
                    self._unsaved = unsaved | self._unsaved
                    self._seen = seen | self._seen
                raise


def grown(before: Progress | None, reported: Progress) -> Progress:
    """`reported`, with no counter below what it was: a receiver that was restarted counts from 0."""
    if before is None:
        return reported
    disks = {disk.index: disk for disk in before.disks}
    for disk in reported.disks:
        old = disks.get(disk.index, disk)
        disks[disk.index] = DiskProgress(
            index=disk.index, done=max(old.done, disk.done), total=max(old.total, disk.total)
        )
    return msgspec.structs.replace(
        reported,
        disks=tuple(disks[index] for index in sorted(disks)),
        files_done=max(before.files_done, reported.files_done),
        files_total=max(before.files_total, reported.files_total),
        wire=max(before.wire, reported.wire),
        resent=max(before.resent, reported.resent),
    )
