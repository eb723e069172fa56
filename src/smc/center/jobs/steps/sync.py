"""Copying: the agent is told to replicate; the step watches until everything is there or Stop is wished."""

from msgspec import structs

from smc.base.errors import Broken
from smc.base.units import readable_seconds, readable_size
from smc.center.jobs.steps.receiver import Watch, phase
from smc.center.jobs.values import SYNC_FROM, SYNC_TO, Machine, Synced
from smc.center.jobs.work import Work
from smc.center.store.values import Run
from smc.model.job import BusinessStatus
from smc.model.progress import Phase, Progress
from smc.wire.orders import HEARTBEAT_SECONDS, TaskKind

DONE = (Phase.SYNCED, Phase.CONVERTING, Phase.CONVERTED)
SHOW_SECONDS = 2.0  # a commit each: no oftener than a person reads
OFFLINE_SECONDS = 3 * HEARTBEAT_SECONDS


def sync(work: Work, run: str, machine: Machine) -> str:
    """The answer is the value of a `Synced`."""
    _order(work, run)
    watch, pace, again = Watch(work, run, machine), Pace(work), OrderAgain(work)
    shown = -SHOW_SECONDS
    while True:
        job, now = work.current(run)
        if now.stop_wanted:
            work.store.runs.order_agent(now, on=False)
            work.store.runs.order_receiver(now, TaskKind.REST)
            return Synced.STOPPED.value
        if phase(now) in DONE and work.store.jobs.end_syncing(now):
            return Synced.ALL.value
        pace.check(job.source_id, now)
        again.look(now)
        if work.clock.monotonic() - shown > SHOW_SECONDS:
            shown = work.clock.monotonic()
            _show(work, now)
        watch.look()
        work.pause()


class Pace:
    """Notices when nothing moves any more, and when what would pass does not."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._seen: object = None
        self._moved = work.clock.monotonic()

    def check(self, source_id: str, now: Run) -> None:
        """Raises what the agent or receiver failed with, or what stands still is called."""
        progress = now.progress if phase(now) is not Phase.IDLE else None
        seen = (progress.done, progress.files_done, progress.wire, progress.phase) if progress else None
        if seen != self._seen:
            self._seen, self._moved = seen, self._work.clock.monotonic()
        still = self._work.clock.monotonic() - self._moved
        for failure in (progress.failure if progress else None, now.agent.failure):
            # what passes is tried again by who reported it, for a time
            if failure and (not failure.passes or still > self._work.settings.patience_seconds):
                raise failure.lasting()
        if still > self._work.settings.stall_seconds:
            raise self._standstill(source_id, still)

    def _standstill(self, source_id: str, still: float) -> Broken:
        source = self._work.store.sources.find(source_id)
        if source is None or self._work.clock.now() - source.last_beat > OFFLINE_SECONDS:
            return Broken(
                "The migration source is offline.",
                code="SourceServer.Offline",
                hint="Start the agent on the source, then start the job again: it continues.",
            )
        return Broken(
            f"Nothing was copied for {readable_seconds(still)}.",
            code="Sync.Stalled",
            hint="See the agent's log on the source: does it reach the receiver? Then start the job again.",
        )


class OrderAgain:
    """An agent that reported what may pass rests until the center wants something else.

    So its order is taken back for a while and given again: both are wishes, and a lost one harms nothing.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._next = 0.0

    def look(self, now: Run) -> None:
        is_well = now.agent_ordered and now.agent.failure is None
        if is_well or self._work.clock.monotonic() < self._next:
            return
        settings = self._work.settings
        wait = settings.agent_rest_seconds if now.agent_ordered else settings.agent_try_seconds
        self._work.store.runs.order_agent(now, on=not now.agent_ordered)
        self._next = self._work.clock.monotonic() + wait


def _order(work: Work, run: str) -> None:
    """The agent may dial the receiver from now on; it gets address and certificate with its order."""
    _, now = work.current(run)
    work.store.runs.order_receiver(now, TaskKind.REPLICATE)
    work.store.runs.order_agent(now, on=True)
    work.store.jobs.reach(now, BusinessStatus.SYNCING, note="Waiting for the agent", progress=SYNC_FROM)


def _show(work: Work, now: Run) -> None:
    progress = now.progress
    if progress is None or phase(now) is not Phase.SYNCING:
        return
    share = min(progress.done / progress.total, 1.0) if progress.total else 0.0
    percent = SYNC_FROM + (SYNC_TO - SYNC_FROM) * share
    if not work.store.receivers.is_heard(now.job):
        progress = structs.replace(progress, speed=0.0)
    work.store.jobs.reach(now, BusinessStatus.SYNCING, note=_sentence(progress), progress=round(percent, 2))


def _sentence(progress: Progress) -> str:
    if progress.note and not progress.total:
        return progress.note
    left = progress.seconds_left
    return (
        f"{readable_size(progress.done)} of {readable_size(progress.total)}, "
        f"{readable_size(progress.speed)}/s"
        + (f", {readable_seconds(left)} left" if left is not None else "")
    )
