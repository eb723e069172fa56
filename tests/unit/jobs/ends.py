"""A fake source with its agent and a fake receiver: a thread that reads what they should do, and does it.

The data is a counter that outlives the ends, as a copy on disks does: a resumed run starts where it stopped.
"""

import threading
from collections import Counter

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from smc.base.errors import UserError
from smc.center.agents.work import order_for, task_for
from smc.center.store.store import Store
from smc.center.store.values import Receiver, Run
from smc.cloud.driver import Power
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus
from smc.model.plan import TargetDisk
from smc.model.progress import DiskProgress, Failure, Phase, Progress
from smc.model.report import Check, ContainerImage, Report
from smc.wire.orders import Task, TaskKind

TOTAL = 1000
STEP = 100
TURN = 0.005  # seconds between two messages


class Ends(threading.Thread):
    """`hold_at`: bytes after which the agent sends no more until `go_on` is set."""

    def __init__(self, store: Store, cloud: MemoryCloud, csr: str) -> None:
        super().__init__(name="ends", daemon=True)
        self.store, self.cloud, self.csr = store, cloud, csr
        self.copied = 0
        self.sent: Counter[str] = Counter()  # bytes by run
        self.hold_at = TOTAL + 1
        self.failure: Failure | None = None
        self.agent_failure: Failure | None = None
        self.silent = False
        self.checks: tuple[Check, ...] = ()
        self._rests = ""  # the run that has failed at the agent, until its order is taken back
        self._ending = threading.Event()
        self._said: dict[str, Progress] = {}

    def run(self) -> None:
        while not self._ending.wait(TURN):
            if self.silent:
                continue
            for job in self.store.jobs.in_status(JobStatus.RUNNING):
                run = self.store.runs.find(job.id, job.run_number)
                receiver = self._receiver(job.id, job.transition_instance_id)
                if run is not None and receiver is not None:
                    self._turn(run, receiver)

    def end(self) -> None:
        self._ending.set()
        self.join(10)
        assert not self.is_alive()

    def _receiver(self, job: str, instance: str) -> Receiver | None:
        """It is there while its instance runs; it enrols once with the ticket of its user data."""
        if not instance or self.cloud.state(instance) != Power.RUNNING.value:
            return None
        if not self.cloud.system(instance).startswith("m-intermediate"):
            return None  # another system: it knows nothing of us
        receiver = self.store.receivers.find(job)
        if receiver is None or not receiver.enrolled:
            script = self.cloud.user_data(instance)
            ticket = script.split("|| echo ")[1].split()[0]
            try:
                self.store.receivers.enrol(ticket, self.csr)
            except UserError:
                return None
        return self.store.receivers.find(job)

    def _turn(self, run: Run, receiver: Receiver) -> None:
        said = self._said.get(run.job) or Progress(run=run.id, phase=Phase.IDLE)
        if said.run != run.id:
            said = Progress(run=run.id, phase=Phase.IDLE)
        job = self.store.jobs.find(run.job)
        task = task_for(self.store, job, run, receiver, said)
        said = self._do(run, task, said)
        self._said[run.job] = said
        self.store.runs.record_progress({(run.job, run.number): said})

    def _do(self, run: Run, task: Task, said: Progress) -> Progress:
        phase = said.phase
        if self.failure is not None:
            return msgspec.structs.replace(said, phase=Phase.FAILED, failure=self.failure)
        match task.kind:
            case TaskKind.REST:
                phase = Phase.IDLE
            case TaskKind.REPLICATE if phase is Phase.IDLE:
                assert task.plan
                assert all(disk.serial for disk in task.plan.disks)
                for disk in task.plan.disks:
                    self._write(disk, "a part")
                phase = Phase.LISTENING
            case TaskKind.REPLICATE if phase in (Phase.LISTENING, Phase.SYNCING):
                phase = self._copy(run, phase)
            case TaskKind.CONVERT if phase is not Phase.CONVERTED:
                assert task.plan
                for disk in task.plan.disks:
                    self._write(disk, f"copy of disk {disk.index}")
                report = Report(run=run.id, checks=self.checks, seconds={"copy": 2.0})
                self.store.runs.record_report(run.job, run.number, report)
                phase = Phase.CONVERTED
            case TaskKind.CONTAIN if phase is not Phase.CONVERTED:
                assert task.container
                image = ContainerImage(
                    reference=f"{task.container.repository}:{task.container.tag}",
                    digest="sha256:1",
                    size=1,
                    layers=1,
                )
                self.store.runs.record_report(run.job, run.number, Report(run=run.id, container=image))
                phase = Phase.CONVERTED
            case _:
                pass
        disks = (DiskProgress(index=0, done=self.copied, total=TOTAL),)
        return Progress(run=run.id, phase=phase, disks=disks, speed=1.0)

    def _write(self, disk: TargetDisk, content: str) -> None:
        self.cloud.write(f"d-{disk.serial}", content)

    def _copy(self, run: Run, phase: Phase) -> Phase:
        job = self.store.jobs.find(run.job)
        source = self.store.sources.find(job.source_id) if job else None
        order = order_for(self.store, source) if source else None
        if order is None or order.run != run.id:
            self._rests = ""
            return phase
        assert order.host
        if self._rests == run.id:
            return phase
        failure = self.agent_failure
        if failure is not None or run.agent.failure is not None:
            self.store.runs.record_agent(
                run.job, run.number, lambda state: msgspec.structs.replace(state, failure=failure)
            )
        if failure is not None:
            self._rests = run.id
            return phase
        if self.copied < min(self.hold_at, TOTAL):
            self.copied += STEP
            self.sent[run.id] += STEP
        return Phase.SYNCED if self.copied >= TOTAL else Phase.SYNCING


def new_csr() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode()
