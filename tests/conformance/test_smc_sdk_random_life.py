"""Random lives of jobs, by the official SDK: whatever is called and whenever, the rules of a job hold."""

import itertools
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from alibabacloud_tea_openapi.exceptions import ClientException
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.conformance.living import DAY, HOUR, Living, living
from tests.unit.center.servers import server
from tests.unit.jobs.center import until
from tests.unit.jobs.ends import TOTAL
from tests.unit.jobs.test_story import failing

from smc.base.errors import UserError
from smc.center.api.words import written
from smc.center.store.events import EventFilter, EventKind
from smc.cloud.driver import TAG_JOB, Kind
from smc.cloud.memory import no_hook
from smc.model.job import UNFINISHED, BusinessStatus, JobStatus

KEEP = 2
S = JobStatus
LEGAL = {  # service-facts 2.2; what a job may become
    S.READY: {S.RUNNING, S.EXPIRED, S.DELETING},
    S.RUNNING: {S.STOPPED, S.IN_ERROR, S.WAITING, S.FINISHED},
    S.STOPPED: {S.RUNNING, S.EXPIRED, S.DELETING},
    S.IN_ERROR: {S.RUNNING, S.EXPIRED, S.DELETING},
    S.WAITING: {S.RUNNING, S.STOPPED, S.EXPIRED, S.DELETING},
    S.FINISHED: {S.DELETING},
    S.EXPIRED: {S.DELETING},
    S.DELETING: set(),
}
ALLOWED = {  # call -> the statuses in which it is taken
    "start": {S.READY, S.STOPPED, S.IN_ERROR, S.WAITING},
    "stop": {S.RUNNING, S.WAITING},
    "cut over": {S.WAITING},
    "cut over with data": {S.WAITING},
    "delete": set(S) - {S.RUNNING},
}
TOLD = {
    EventKind.JOB_READY: S.READY,
    EventKind.JOB_CREATED: S.READY,
    EventKind.JOB_STARTED: S.RUNNING,
    EventKind.JOB_STOPPED: S.STOPPED,
    EventKind.JOB_WAITING: S.WAITING,
    EventKind.JOB_FINISHED: S.FINISHED,
    EventKind.JOB_IN_ERROR: S.IN_ERROR,
    EventKind.JOB_EXPIRED: S.EXPIRED,
    EventKind.JOB_DELETING: S.DELETING,
}
KINDS = st.sampled_from(["rounds", "rounds", "rounds", "once", "scheduled", "now"])
CALLS = st.sampled_from(["start", "start", "start", "stop", "delete", "cut over", "cut over with data"])
SECONDS = 20.0  # for all examples together
JOBS = st.integers(min_value=0, max_value=3)


class Lives(RuleBasedStateMachine):
    """Two sources in one center; each example leaves the center empty for the next one."""

    life: ClassVar[Living]
    end: ClassVar[float]  # of the time there is; after it nothing more is called

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[str] = []  # all that were made, also those that are gone
        self.sources: list[str] = []

    @initialize()
    def begin_with_a_round(self) -> None:
        """What happens between rounds is what there is most to say of."""
        described = (server(fingerprint=name, hostname=name) for name in ("one", "two"))
        self.sources = [self.life.center.import_source(one) for one in described]
        self.create(0, "rounds")
        self.ask("start", 0, self.life.start)

    @rule(source=st.integers(0, 1), kind=KINDS)
    def create_another(self, source: int, kind: str) -> None:
        self.create(source, kind)

    @rule(job=JOBS, call=CALLS)
    def call(self, job: int, call: str) -> None:
        life = self.life
        match call:
            case "start":
                self.ask(call, job, life.start)
            case "stop":
                self.ask(call, job, life.stop)
            case "delete":
                self.ask(call, job, life.delete)
            case _:
                self.ask(call, job, lambda found: life.cut_over(found, sync="data" in call))

    @rule(days=st.sampled_from([0.05, 1.0, 1.0, 1.0, 8.0, 31.0]))
    def pass_time(self, days: float) -> None:
        if not self.is_late():
            self.life.pass_time(days * DAY)
            self.settle()

    @rule()
    def the_cloud_refuses_the_next_image(self) -> None:
        self.life.cloud.hook = failing("create_image", UserError("no quota", code="QuotaExceed"))

    @rule(hold=st.booleans())
    def the_agent_is_held_or_let_go(self, hold: bool) -> None:
        ends = self.life.center.ends
        ends.hold_at = 300 if hold else TOTAL + 1
        ends.copied = min(ends.copied, 300) if hold else ends.copied
        self.settle()

    @rule(job=JOBS)
    def somebody_deletes_an_image(self, job: int) -> None:
        if not self.jobs or self.is_late():
            return
        found = self.life.center.store.jobs.find(self.chosen(job))
        if found is not None and found.status is S.WAITING:
            self.life.cloud.delete(Kind.IMAGE, found.image_id)

    # The rules

    @invariant()
    def a_source_has_one_unfinished_job_at_most(self) -> None:
        for source in range(len(self.sources)):
            assert sum(self.status(job) in UNFINISHED for job in self.of_source(source)) <= 1

    @invariant()
    def nothing_temporary_is_left_after_the_end(self) -> None:
        for job in self.jobs:
            if self.status(job) in (None, S.FINISHED):
                left = {resource.kind for resource in self.life.cloud.find({TAG_JOB: job})}
                assert left <= {Kind.IMAGE, Kind.SNAPSHOT}, (job, left)

    @invariant()
    def no_more_images_are_kept_than_were_asked_for(self) -> None:
        for job in self.jobs:
            found = [r.kind for r in self.life.cloud.find({TAG_JOB: job})]
            if self.status(job) in (S.WAITING, S.FINISHED):
                assert found.count(Kind.IMAGE) <= KEEP
                assert found.count(Kind.SNAPSHOT) == 2 * found.count(Kind.IMAGE)

    @invariant()
    def a_job_becomes_only_what_it_may(self) -> None:
        events = self.life.center.store.events
        for job in self.jobs:
            _, told = events.page(EventFilter(jobs=(job,), after=0), offset=0, limit=1000)
            statuses = [TOLD[event.kind] for event in told if event.kind in TOLD]
            for before, after in itertools.pairwise(statuses):
                assert after in LEGAL[before], (before, after)

    # What the rules above are made of

    def create(self, source: int, kind: str) -> None:
        if self.is_late():
            return
        parameters: dict[str, object] = {"ImageName": f"web_{len(self.jobs)}"}
        match kind:
            case "rounds":
                parameters |= {"RunOnce": False, "Frequency": 24, "MaxNumberOfImageToKeep": KEEP}
            case "scheduled":
                parameters["ScheduledStartTime"] = written(self.life.clock.now() + HOUR)
            case "now":
                parameters["ExecutionMethod"] = "MigrateNow"
        busy = any(self.status(job) in UNFINISHED for job in self.of_source(source))
        leaving = any(self.status(job) is S.DELETING for job in self.of_source(source))
        try:
            job = self.life.create(self.sources[source], **parameters)
        except ClientException as e:
            assert e.code == "SourceServerState.Invalid"
            assert busy or leaving
        else:
            assert not busy
            self.jobs.append(job)
            self.settle()

    def ask(self, what: str, number: int, ask: Callable[[str], None]) -> None:
        if not self.jobs or self.is_late():
            return
        job = self.chosen(number)
        before = self.status(job)
        try:
            ask(job)
        except ClientException as e:
            if before is None:
                assert e.code == "InvalidJobId.NotFound"
            elif e.code == "SourceServerState.Invalid":  # time has passed since its last beat
                assert what in ("start", "cut over with data")
            else:
                assert e.code.startswith("ReplicationJob.Invalid"), e.code
                assert before not in ALLOWED[what] or (before is S.RUNNING and what == "stop")
        else:
            assert before in ALLOWED[what]
            self.settle()

    def is_late(self) -> bool:
        return time.monotonic() > self.end

    def settle(self) -> None:
        """Until no run goes on but those that wait for the held agent."""
        until(lambda: all(self.rests(job) for job in self.jobs))

    def rests(self, job: str) -> bool:
        found = self.life.center.store.jobs.find(job)
        ends = self.life.center.ends
        if found is None or found.status not in (S.RUNNING, S.DELETING):
            return True
        run = self.life.center.store.runs.current(job)
        return (
            found.business_status is BusinessStatus.SYNCING
            and ends.copied >= ends.hold_at
            and not (run and run.stop_wanted)
        )

    def chosen(self, number: int) -> str:
        return self.jobs[-1 - number % len(self.jobs)]

    def status(self, job: str) -> JobStatus | None:
        found = self.life.center.store.jobs.find(job)
        return found.status if found else None

    def of_source(self, source: int) -> list[str]:
        found = []
        for job in self.jobs:
            known = self.life.center.store.jobs.find(job)
            if known is not None and known.source_id == self.sources[source]:
                found.append(job)
        return found

    def teardown(self) -> None:
        """Every job goes, and with it all that is temporary; images stay, as they do."""
        self.life.cloud.hook = no_hook
        self.life.center.ends.hold_at = TOTAL + 1
        if self.sources:
            self.life.beat()
        until(lambda: all(self.rests(job) for job in self.jobs))
        for job in self.jobs:
            if self.status(job) not in (None, S.DELETING):
                self.life.delete(job)
        for job in self.jobs:
            self.life.is_gone(job)
        for image in [r.id for r in self.life.left if r.kind is Kind.IMAGE]:
            self.life.cloud.delete(Kind.IMAGE, image)
        assert self.life.left == []
        self.life.center.ends.copied = 0


def test_random_lives_keep_the_rules() -> None:
    """As many of the examples, always the same, as there is time for."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        Lives.life = stack.enter_context(living(Path(folder)))
        Lives.end = time.monotonic() + SECONDS
        bounded = settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Lives, settings=bounded)
