"""Heartbeats and counters are kept in memory and written every few seconds, never one commit each."""

import threading
import time

import msgspec

from smc.center.agents.speed import Meter
from smc.center.store.history import Point, slot_of
from smc.center.store.sources import Sign
from smc.center.store.store import Store
from smc.center.store.values import Run
from smc.model.progress import DiskProgress, Phase, Progress

FLUSH_SECONDS = 2.0
MOVING = (Phase.SYNCING, Phase.SYNCED)  # phases whose counters are worth a point of the history


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
        self._meters: dict[str, tuple[str, Phase, Meter]] = {}  # job -> run and phase that it measures
        self._points: dict[tuple[str, int, int], Point] = {}  # job, run number, slot

    def beat(self, source: str, sign: Sign) -> None:
        """A changed inventory is written at once: its agent will not send it again."""
        if sign.server is not None:
            self._store.sources.beat({source: sign})
            return
        with self._lock:
            before = self._signs.get(source)
            if before and not (sign.cpu_usage or sign.memory_usage):
                sign = msgspec.structs.replace(
                    sign,
                    cpu_usage=before.cpu_usage,
                    memory_usage=before.memory_usage,
                    clock_ahead=before.clock_ahead,
                )
            self._signs[source] = sign

    def progress(self, run: Run, reported: Progress, now: float) -> None:
        """Counters only grow; a new phase and a failure are written at once.

        `now` is the time of day; speeds go by a clock that nobody sets.
        """
        with self._lock:
            number, before = self._latest.get(run.job, (0, None))
            if number != run.number:
                before = run.progress
            merged = self._measured(run, grown(before, reported))
            if merged.phase in MOVING:
                self._points[run.job, run.number, slot_of(now)] = _point(run, merged, now)
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
                points, self._points = self._points, {}
            try:
                self._store.sources.beat(signs)
                self._store.runs.record_progress(unsaved)
                self._store.receivers.seen(seen)
                self._store.history.record([(key[0], point) for key, point in points.items()])
            except Exception:
                with self._lock:
                    self._points = points | self._points
                    self._signs = signs | self._signs
                    self._unsaved = unsaved | self._unsaved
                    self._seen = seen | self._seen
                raise

    def _measured(self, run: Run, progress: Progress) -> Progress:
        """With the speeds in this phase of this run; with the receiver's own until they are known."""
        found = self._meters.get(run.job)
        if found is None or found[:2] != (run.id, progress.phase):
            found = run.id, progress.phase, Meter()
            self._meters[run.job] = found
        meter = found[2]
        meter.see(time.monotonic(), progress.done, progress.wire)
        if meter.speeds is None:
            return progress
        speed, wire_speed = meter.speeds
        return msgspec.structs.replace(progress, speed=speed, wire_speed=wire_speed)


def _point(run: Run, progress: Progress, now: float) -> Point:
    return Point(
        run=run.number, time=now, done=progress.done, wire=progress.wire, files_done=progress.files_done
    )


def grown(before: Progress | None, reported: Progress) -> Progress:
    """`reported`, with no counter below what it was: a receiver that was restarted counts from 0."""
    if before is None:
        return reported
    disks = {disk.index: disk for disk in before.disks}
    for disk in reported.disks:
        old = disks.get(disk.index, disk)
        disks[disk.index] = DiskProgress(
            index=disk.index,
            done=max(old.done, disk.done),
            total=max(old.total, disk.total),
            files_done=_larger(old.files_done, disk.files_done),
            files_total=_larger(old.files_total, disk.files_total),
        )
    return msgspec.structs.replace(
        reported,
        disks=tuple(disks[index] for index in sorted(disks)),
        files_done=max(before.files_done, reported.files_done),
        files_total=max(before.files_total, reported.files_total),
        wire=max(before.wire, reported.wire),
        resent=max(before.resent, reported.resent),
    )


def _larger(old: int | None, new: int | None) -> int | None:
    known = [count for count in (old, new) if count is not None]
    return max(known, default=None)
