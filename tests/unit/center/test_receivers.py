"""What receivers are told, and what is taken from them, over real TLS."""

import pytest
from cryptography import x509
from tests.unit.center.running import Center
from tests.unit.center.servers import plan
from tests.unit.center.test_agents import begin, eventually, receiver_of, report_progress, run_is_reported

from smc.base.errors import UserError
from smc.center.trust.run_ca import new_authority
from smc.model.job import BusinessStatus, JobStatus, RunType
from smc.model.progress import DiskProgress, Phase, Progress
from smc.model.report import Report
from smc.wire.orders import (
    Accepted,
    Enrolled,
    ReceiverReport,
    TaskKind,
)


def test_a_receiver_does_what_its_run_wants(running: Center, source: Enrolled) -> None:
    run = begin(running, source)
    credential = receiver_of(running, run)
    idle = Progress(run="", phase=Phase.IDLE)
    assert report_progress(running, credential, idle).kind is TaskKind.REST
    running.parts.store.runs.order_receiver(run, TaskKind.REPLICATE)
    task = report_progress(running, credential, idle)
    assert (task.kind, task.run, task.port, task.plan) == (TaskKind.REPLICATE, run.id, 18700, plan())
    certificate = x509.load_pem_x509_certificate(task.certificate.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(task.ca.encode()))
    assert certificate.subject.rfc4514_string() == "CN=receiver"
    assert report_progress(running, credential, idle).certificate == task.certificate
    running.parts.store.jobs.end(run, JobStatus.STOPPED)
    assert report_progress(running, credential, idle).kind is TaskKind.REST


def test_a_receiver_that_works_on_an_older_run_rests_first(running: Center, source: Enrolled) -> None:
    run = begin(running, source)
    credential = receiver_of(running, run)
    store = running.parts.store
    store.jobs.end(run, JobStatus.STOPPED)
    second = store.jobs.begin_run(run.job, RunType.MANUAL, new_authority())
    store.runs.set_endpoint(second, "127.0.0.1", 18700)
    store.runs.order_receiver(second, TaskKind.REPLICATE)
    busy = Progress(run=run.id, phase=Phase.SYNCING, files_done=7)
    assert report_progress(running, credential, busy).kind is TaskKind.REST
    idle = Progress(run=run.id, phase=Phase.IDLE)
    assert report_progress(running, credential, idle).run == second.id
    found = store.runs.find(run.job, 2)
    assert found is not None
    assert found.progress is None


def test_counters_only_grow(running: Center, source: Enrolled) -> None:
    run = begin(running, source)
    running.parts.store.jobs.reach(run, BusinessStatus.SYNCING)
    credential = receiver_of(running, run)

    def report(done: int, phase: Phase = Phase.SYNCING) -> None:
        disks = (DiskProgress(index=0, done=done, total=100),)
        report_progress(running, credential, Progress(run=run.id, phase=phase, disks=disks, wire=done))

    def done() -> tuple[int, int]:
        found = running.parts.store.runs.find(run.job, 1)
        return (found.progress.done, found.progress.wire) if found and found.progress else (0, 0)

    report(50)
    assert done() == (50, 50)
    report(10, Phase.LISTENING)
    assert done() == (50, 50)
    report(80, Phase.LISTENING)
    eventually(lambda: done() == (80, 80))


def test_a_report_is_taken_from_the_current_run_only(running: Center, source: Enrolled) -> None:
    run = begin(running, source)
    credential = receiver_of(running, run)
    with running.control(credential) as control:
        control.post("/receiver/v1/report", ReceiverReport(report=Report(run=run.id)), Accepted)
        with pytest.raises(UserError) as refused:
            control.post("/receiver/v1/report", ReceiverReport(report=Report(run="j-x.1")), Accepted)
    assert refused.value.code == "Run.Outdated"
    assert running.parts.store.runs.report(run.job, 1) == Report(run=run.id)
    assert run_is_reported(running, run)
