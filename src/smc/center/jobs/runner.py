"""Keeps the workflows of the jobs going, also those that the end of the center cut off."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from dbos import DBOS, DBOSConfig, SetWorkflowID

from smc.base.errors import Broken
from smc.center.jobs.cross_zone import cross_zone
from smc.center.jobs.delete import delete, release_expired
from smc.center.jobs.journal import Journal
from smc.center.jobs.migrate import STORY, migrate
from smc.center.jobs.rehearse import rehearse
from smc.center.jobs.steps.ending import NEXT
from smc.center.jobs.take_over import take_over
from smc.center.jobs.values import Ending, Overtaken
from smc.center.jobs.work import Work
from smc.center.jobs_port import JobsPort
from smc.center.store.values import Job
from smc.center.store.verifications import Verification
from smc.center.trust.run_ca import new_authority
from smc.center.verification.probe import Probe, probe
from smc.center.verification.story import verify
from smc.model.job import JobStatus, RunAim, run_job, run_number
from smc.model.progress import Failure

UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]  # what DBOS calls a workflow that is not at its end
AGAIN_SECONDS = 3600.0  # between two tries to release what an expired job keeps
Cleaner = Callable[[str], list[str]]
log = logging.getLogger(__name__)


class Runner:
    """A `JobsPort`. One a process: DBOS is a singleton. Its SQLite file is for this process alone.

    `turn` is how often the journal's listener looks, in seconds, and so how long `close` may take.
    """

    def __init__(
        self,
        work: Work,
        database_url: str,
        *,
        do_probe: Probe = probe,
        story: str = STORY,
        turn: float = 1.0,
    ) -> None:
        self._work = work
        self._story = story
        self._calls = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jobs")
        DBOS(
            config=DBOSConfig(
                name="smc-center",
                system_database_url=database_url,
                application_version=story,
                executor_id="center",
                serializer=Journal(),
                log_level="WARNING",
                notification_listener_polling_interval_sec=turn,
            )
        )
        self._migrate, self._delete, self._release = register(work, self)
        self._verify = register_verify(work, do_probe)

    def open(self) -> None:
        """Recover what was cut off: same story, same workflow; another story, a new run."""
        DBOS.launch()
        self._close_other_stories()
        for job in self._work.store.jobs.in_status(JobStatus.RUNNING):
            self._calls.submit(self._guard, partial(self._continue, job), job.id)
        for job in self._work.store.jobs.in_status(JobStatus.DELETING):
            self.delete(job.id)
        for one in self._work.store.verifications.running():
            self._calls.submit(self._guard, partial(self._continue_verification, one), one.id)

    def close(self) -> None:
        """Waiting steps leave as if the center had crashed; the next start goes on with them."""
        self._calls.shutdown()
        self._work.close()
        DBOS.destroy(destroy_registry=True)

    def start(self, job_id: str) -> None:
        self._calls.submit(self._guard, partial(self._start_or_fail, job_id), job_id)

    def stop(self, job_id: str) -> None:  # noqa: ARG002 (the contract's): the wish is in the store
        self._work.store.bell.ring()

    def delete(self, job_id: str) -> None:
        self._calls.submit(self._guard, partial(self._begin_delete, job_id), job_id)

    def release(self, job_id: str) -> None:
        self._calls.submit(self._guard, partial(self._begin_release, job_id), job_id)

    def verify(self, verification: str) -> None:
        self._calls.submit(self._guard, partial(self._begin_verification, verification), verification)

    def _begin_verification(self, verification: str, attempt: int = 1) -> None:
        with SetWorkflowID(f"{verification}.{attempt}"):
            DBOS.start_workflow(self._verify, verification)

    def _continue_verification(self, one: Verification) -> None:
        """Its workflow that never began, or was closed as one of another story, is begun anew."""
        found = DBOS.get_workflow_status(f"{one.id}.{one.attempt}")
        if found is None:
            self._begin_verification(one.id, one.attempt)
        elif found.status not in UNFINISHED:
            self._work.store.verifications.begin_anew(one.id, one.attempt + 1)
            self._begin_verification(one.id, one.attempt + 1)

    def _guard(self, call: Callable[[], None], job_id: str) -> None:
        try:
            call()
        except Exception:  # the edge of a thread: nobody else would see it
            log.exception("job %s: its workflow could not be started", job_id)

    def _start_or_fail(self, job_id: str) -> None:
        """A job must not be Running with nobody at work on it."""
        try:
            self._start(job_id)
        except Exception as e:  # the edge: it is recorded, and the operator can start the job again
            log.exception("job %s: its workflow could not be started", job_id)
            failure = Failure.of(Broken(f"The run could not be started: {e}", hint=NEXT))
            run = self._work.store.runs.current(job_id)
            if run is not None and self._work.store.jobs.end(run, JobStatus.IN_ERROR, failure=failure):
                self._work.store.log.add_failure(job_id, failure)

    def _start(self, job_id: str) -> None:
        job = self._work.store.jobs.find(job_id)
        if job is not None and job.status is JobStatus.RUNNING:
            with SetWorkflowID(job.run):
                DBOS.start_workflow(self._migrate, job.run)

    def _begin_delete(self, job_id: str) -> None:
        """Each attempt is a workflow of its own; one at a time."""
        earlier = DBOS.list_workflows(workflow_id_prefix=f"{job_id}.delete.", load_output=False)
        if any(found.status in UNFINISHED for found in earlier):
            return
        with SetWorkflowID(f"{job_id}.delete.{len(earlier) + 1}"):
            DBOS.start_workflow(self._delete, job_id)

    def _begin_release(self, job_id: str) -> None:
        """As above, and not at once again when the cloud did not let something go."""
        earlier = DBOS.list_workflows(workflow_id_prefix=f"{job_id}.release.", load_output=False)
        latest = max((found.created_at or 0 for found in earlier), default=0) / 1000
        if any(found.status in UNFINISHED for found in earlier) or time.time() - latest < AGAIN_SECONDS:
            return
        with SetWorkflowID(f"{job_id}.release.{len(earlier) + 1}"):
            DBOS.start_workflow(self._release, job_id)

    def _close_other_stories(self) -> None:
        """Their steps do not fit this program. Nobody works on them: the process that did is gone."""
        for found in DBOS.list_workflows(status=UNFINISHED, load_input=False, load_output=False):
            if found.app_version != self._story:
                log.warning("%s was interrupted: it is of story %s", found.workflow_id, found.app_version)
                DBOS.cancel_workflow(found.workflow_id)

    def _continue(self, job: Job) -> None:
        """A Running job without a living workflow gets one: its own that never began, or a new run."""
        found = DBOS.get_workflow_status(job.run)
        if found is None:
            self._start(job.id)
        elif found.status not in UNFINISHED:
            run = self._work.store.runs.find(job.id, job.run_number)
            if run is not None and self._work.store.jobs.continue_run(run, new_authority()):
                self._work.store.log.add(job.id, "Interrupted by a new version of the center: going on.")
                self._start(job.id)


def register(work: Work, jobs: JobsPort) -> tuple[Callable[[str], str], Cleaner, Cleaner]:
    """Tell DBOS the workflows by name, with what they work with; before `launch`, once a process.

    `jobs` begins what follows a drill, and its trial; asked again after a crash it begins nothing twice.
    """

    @DBOS.workflow(name="migrate", max_recovery_attempts=None)
    def tell(run: str) -> str:
        try:
            if is_drill(work, run):
                ending = rehearse(work, run, jobs.verify)
            else:
                ending = story_of(work, run)(work, run)
        except Overtaken:
            return Ending.OVERTAKEN.value
        if ending == Ending.REHEARSED.value:
            jobs.start(run_job(run))
        return ending

    @DBOS.workflow(name="delete", max_recovery_attempts=None)
    def remove(job: str) -> list[str]:
        return delete(work, job)

    @DBOS.workflow(name="release", max_recovery_attempts=None)
    def let_go(job: str) -> list[str]:
        return release_expired(work, job)

    return tell, remove, let_go


def is_drill(work: Work, run: str) -> bool:
    found = work.store.runs.find(run_job(run), run_number(run))
    return found is not None and found.aim is RunAim.DRILL


def story_of(work: Work, run: str) -> Callable[[Work, str], str]:
    """Which one is told is settled when the job is first started."""
    job = work.store.jobs.find(run_job(run))
    if job is not None and job.moved_instance:
        return cross_zone
    return take_over if job is not None and job.request.instance_id else migrate


def register_verify(work: Work, do_probe: Probe) -> Callable[[str], str]:
    @DBOS.workflow(name="verify", max_recovery_attempts=None)
    def tell(verification: str) -> str:
        return verify(work, verification, do_probe)

    return tell


def journal_url(data_dir: Path, database_url: str = "") -> str:
    """The journal beside the store: another file of the data folder, or another schema of its PostgreSQL."""
    if database_url.startswith("postgresql"):
        return database_url
    return f"sqlite:///{data_dir / 'workflows.db'}"
