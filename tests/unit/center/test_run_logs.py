"""Logs of agents and receivers arrive over real TLS, and are kept by the job they are of."""

from pathlib import Path

import pytest
from msgspec import structs
from tests.unit.center.running import Center
from tests.unit.center.servers import plan, server
from tests.unit.center.test_agents import receiver_of

from smc.base.errors import UserError
from smc.center.agents.work import order_for
from smc.center.store.jobs import NewJob
from smc.center.store.values import JobRequest, Run
from smc.center.trust.run_ca import new_authority
from smc.model.job import RunType
from smc.wire.orders import Accepted, Enrolled, LogFile, RunLogs
from smc.wire.run_logs import MOST_FILES, pack


def begun(running: Center, source: Enrolled, *, upload: bool = True) -> Run:
    new = NewJob(
        name="",
        description="",
        region_id="local",
        source_id=source.source_id,
        request=JobRequest(upload_diagnostic_logs=upload),
        plan=plan(),
        valid_until=1e12,
    )
    job = running.parts.store.jobs.create(new)
    return running.parts.store.jobs.begin_run(job, RunType.MANUAL, new_authority())


def logs(tmp_path: Path, run: str, text: str, name: str = "agent.log") -> RunLogs:
    file = tmp_path / "said"
    file.write_text(text)
    packed = pack(file)
    assert packed is not None
    return RunLogs(run=run, files=(structs.replace(packed, name=name),))


def send(running: Center, path: str, credential: str, message: RunLogs) -> None:
    with running.control(credential) as control:
        control.post(path, message, Accepted)


def kept(running: Center, run: Run) -> dict[tuple[str, str], str]:
    store, blobs = running.parts.store, running.parts.blobs
    return {(log.sender, log.name): blobs.read(log.blob).decode() for log in store.run_logs.of_job(run.job)}


def test_logs_of_both_ends_are_kept_the_newest_of_a_name(
    running: Center, source: Enrolled, tmp_path: Path
) -> None:
    run = begun(running, source)
    send(running, "/agent/v1/logs", source.credential, logs(tmp_path, run.id, "first"))
    send(running, "/agent/v1/logs", source.credential, logs(tmp_path, run.id, "second"))
    credential = receiver_of(running, run)
    send(running, "/receiver/v1/logs", credential, logs(tmp_path, run.id, "received", "receiver.log"))
    assert kept(running, run) == {
        ("agent", "agent.log"): "second",
        ("receiver", "receiver.log"): "received",
    }
    assert running.parts.store.run_logs.blobs() <= {
        path.name for path in (running.parts.settings.data_dir / "blobs").iterdir()
    }
    assert running.parts.store.jobs.find(run.job)
    running.parts.store.jobs.remove(run.job)
    assert kept(running, run) == {}


def test_logs_of_another_s_job_are_dropped_and_strangers_are_refused(
    running: Center, source: Enrolled, tmp_path: Path
) -> None:
    run = begun(running, source)
    other = running.import_server(server(fingerprint="f2", hostname="other"))
    send(running, "/agent/v1/logs", other.credential, logs(tmp_path, run.id, "mine?"))
    assert kept(running, run) == {}
    for path in ("/agent/v1/logs", "/receiver/v1/logs"):
        with pytest.raises(UserError) as refused:
            send(running, path, "nobody", logs(tmp_path, run.id, "x"))
        assert refused.value.code == "Credential.Invalid"
    with pytest.raises(UserError) as refused:
        send(running, "/agent/v1/logs", source.credential, logs(tmp_path, "no run", "x"))
    assert refused.value.code == "Run.Invalid"


def test_a_job_that_forbids_it_has_no_logs_and_its_agent_is_not_asked(
    running: Center, source: Enrolled, tmp_path: Path
) -> None:
    run = begun(running, source, upload=False)
    send(running, "/agent/v1/logs", source.credential, logs(tmp_path, run.id, "sent all the same"))
    assert kept(running, run) == {}
    store = running.parts.store
    store.runs.set_endpoint(run, "127.0.0.1", 18700)
    store.runs.order_agent(run, on=True)
    found = store.sources.find(source.source_id)
    assert found is not None
    order = order_for(store, found)
    assert order is not None
    assert not order.diagnostics


def test_a_name_cannot_lead_out_of_a_bundle(running: Center, source: Enrolled, tmp_path: Path) -> None:
    run = begun(running, source)
    message = logs(tmp_path, run.id, "x", "../../etc/passwd" + "a" * 200)
    send(running, "/agent/v1/logs", source.credential, message)
    ((_, name),) = kept(running, run)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) <= 60
    with pytest.raises(UserError) as refused:
        junk = RunLogs(run=run.id, files=(LogFile(name="junk", content=b"junk"),))
        send(running, "/agent/v1/logs", source.credential, junk)
    assert refused.value.code == "Logs.Invalid"


def test_a_sender_cannot_fill_the_center_with_names_or_with_runs_that_never_were(
    running: Center, source: Enrolled, tmp_path: Path
) -> None:
    run = begun(running, source)
    send(running, "/agent/v1/logs", source.credential, logs(tmp_path, f"{run.job}.2", "of the next run"))
    assert kept(running, run) == {}
    for n in range(MOST_FILES + 3):
        send(running, "/agent/v1/logs", source.credential, logs(tmp_path, run.id, f"{n}", f"{n}.log"))
    send(running, "/agent/v1/logs", source.credential, logs(tmp_path, run.id, "newer", "0.log"))
    found = kept(running, run)
    assert len(found) == MOST_FILES
    assert found["agent", "0.log"] == "newer"
