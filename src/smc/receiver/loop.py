"""The receiver's loop: tell the center how far we are, hear what should be true, work towards it."""

import logging
import threading

from smc.base.errors import SmcError, Transient, UserError
from smc.model.job import run_job, run_number
from smc.model.progress import Phase, Progress
from smc.receiver.containment import Containment
from smc.receiver.conversion import Conversion
from smc.receiver.session import Session
from smc.receiver.work import Bench, Reporting, Work
from smc.transfer.failures import describe
from smc.wire.backoff import delays
from smc.wire.control import Control
from smc.wire.orders import (
    NOT_KNOWN,
    RECEIVER_SECONDS,
    Accepted,
    ReceiverReport,
    RunLogs,
    Task,
    TaskKind,
)
from smc.wire.run_logs import pack_all

log = logging.getLogger(__name__)

PROGRESS_PATH = "/receiver/v1/progress"
REPORT_PATH = "/receiver/v1/report"
LOGS_PATH = "/receiver/v1/logs"
END_SECONDS = 60.0  # for unmounting, when the program is told to end
KINDS: dict[TaskKind, type[Session] | type[Conversion] | type[Containment]] = {
    TaskKind.REPLICATE: Session,
    TaskKind.CONVERT: Conversion,
    TaskKind.CONTAIN: Containment,
}


class Loop:
    def __init__(self, control: Control, job: str, bench: Bench) -> None:
        self._control = control
        self._job = job
        self._bench = bench
        self._work: Work | None = None
        self._newest = 0  # number of the newest run that was worked on
        self._delivered: Work | None = None  # the work whose report the center has
        self._logged: Work | None = None  # the work whose log was sent

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        waits = delays()
        while not stop.is_set():
            try:
                self.turn()
            except SmcError as e:
                if e.code == NOT_KNOWN:  # the job has been deleted
                    self._drop()
                wait = next(waits)
                log.warning("%s (%s); trying again in %.1f s", e.message, e.code, wait)
                stop.wait(wait)
            else:
                waits = delays()
                stop.wait(RECEIVER_SECONDS)
        self.end()

    def turn(self) -> None:
        """One report and what the center answers to it. Raises what the control connection raises."""
        if isinstance(self._work, Reporting):
            self._deliver(self._work)
        self._send_log()
        self._follow(self._control.post(PROGRESS_PATH, self.progress, Task))

    @property
    def progress(self) -> Progress:
        if self._work is None:
            return Progress(run="", phase=Phase.IDLE)
        return self._work.progress

    def end(self) -> None:
        """Leave nothing mounted."""
        if self._work is not None:
            self._work.stop()
            self._work.join(END_SECONDS)

    def _follow(self, task: Task) -> None:
        if task.kind is not TaskKind.REST and not self._is_ours(task):
            return
        before = self._work
        if before is not None and before.task == task and not before.stopping.is_set():
            return
        if not self._drop():
            return
        if task.kind is not TaskKind.REST:
            log.info("run %s: %s", task.run, task.kind.value)
            self._newest = run_number(task.run)
            self._work = KINDS[task.kind](task, self._bench)
            self._work.start(before.progress if before else None)

    def _drop(self) -> bool:
        """Whether nothing is worked on any more: what was has to end first, two never share the disks."""
        if self._work is not None:
            self._work.stop()
            if not self._work.ended:
                return False
            self._work = None
        return True

    def _is_ours(self, task: Task) -> bool:
        try:
            job, number = run_job(task.run), run_number(task.run)
        except (ValueError, IndexError):
            job, number = "", 0
        if job == self._job and number >= self._newest:
            return True
        log.warning("a task of run %r is refused: this is job %s, run %d", task.run, self._job, self._newest)
        return False

    def _send_log(self) -> None:
        """Once a work that failed, or after which nothing comes, has ended; nothing waits for it."""
        work = self._work
        if work is None or work is self._logged or not work.ended:
            return
        if work.progress.phase is not Phase.FAILED and work is not self._delivered:
            return
        self._logged = work
        try:
            message = RunLogs(run=work.task.run, files=pack_all([self._bench.home.log]))
            self._control.post(LOGS_PATH, message, Accepted)
        except SmcError as e:
            log.warning("the log of %s did not reach the center: %s (%s)", work.task.run, e.message, e.code)

    def _deliver(self, work: Reporting) -> None:
        """The report, until the center has it; only then the phase is CONVERTED."""
        if work.report is None or not work.ended or self._delivered is work:
            return
        try:
            self._control.post(REPORT_PATH, ReceiverReport(report=work.report), Accepted)
        except Transient:
            raise
        except UserError as e:  # the run is over: nobody waits for it any more
            log.error("the center does not take the report of %s: %s", work.task.run, e.message)
            work.show(phase=Phase.FAILED, failure=describe(e), note="")
        else:
            work.show(phase=Phase.CONVERTED, note="")
        self._delivered = work
