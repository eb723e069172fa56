"""How a job transfers, what it leaves behind and how far it is, as the official SDK chooses and sees it."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, client_of, refused
from tests.conformance.test_smc_sdk_jobs import create, described, run_of
from tests.conformance.test_smc_sdk_serve import client_of as served_client
from tests.conformance.test_smc_sdk_serve import served
from tests.unit.center.running import Center, center

from smc.center.store.history import KEPT_SECONDS, SLOT_SECONDS, Point
from smc.center.trust.run_ca import new_authority
from smc.model.job import BusinessStatus, JobStatus, RunType
from smc.model.progress import DiskProgress, Phase, Progress
from smc.model.report import Equality, Proof, Report
from smc.wire.orders import Accepted, Event, EventKind, Events, OrdersReply, OrdersRequest, Ssl
from smc.wire.orders import TransferSettings as Wanted

FAST = '{"bandwidth_limit":0,"compress_level":1}'
SLOW = '{"bandwidth_limit":5,"compress_level":9,"checksum":true,"ssl":"off"}'
SLOW_SETTINGS = Wanted(bandwidth_limit_mbit=5, compress_level=9, checksum=True, ssl=Ssl.OFF)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path) as running:
        yield running


def modify(sdk: Client, job: str, **changes: object) -> None:
    request = models.ModifyReplicationJobAttributeRequest(job_id=job, **changes)
    sdk.modify_replication_job_attribute(request)


def settings_of(running: Center, job: str) -> Wanted:
    found = running.parts.store.jobs.find(job)
    assert found is not None
    return found.request.settings


def syncing(running: Center, sdk: Client, source: str, **changes: object) -> str:
    """A job whose agent may copy now."""
    job = create(sdk, source, **changes)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    store, run = running.parts.store, run_of(running, job)
    store.runs.set_endpoint(run, "127.0.0.1", 18700)
    store.jobs.reach(run, BusinessStatus.SYNCING)
    store.runs.order_agent(run, on=True)
    return job


def test_transfer_parameters_are_changed_in_the_states_that_allow_it(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server().source_id, replication_parameters=FAST)
    modify(sdk, job, replication_parameters=SLOW)
    assert described(sdk, job).replication_parameters == SLOW
    assert settings_of(running, job) == SLOW_SETTINGS
    modify(sdk, job, replication_parameters="{}")
    assert settings_of(running, job) == Wanted(), "what is left out has its default"
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    jobs = running.parts.store.jobs
    with refused("ReplicationJob.InvalidBusinessStatus", match="Preparing is invalid"):
        modify(sdk, job, replication_parameters=SLOW)
    jobs.reach(run_of(running, job), BusinessStatus.SYNCING)
    modify(sdk, job, replication_parameters=SLOW)
    jobs.reach(run_of(running, job), BusinessStatus.PROCESSING)
    with refused("ReplicationJob.InvalidBusinessStatus", match="Syncing"):
        modify(sdk, job, replication_parameters=FAST)
    for status in (JobStatus.STOPPED, JobStatus.IN_ERROR, JobStatus.WAITING):
        jobs.end(run_of(running, job), status)
        modify(sdk, job, replication_parameters=FAST)
        sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    jobs.end(run_of(running, job), JobStatus.FINISHED)
    with refused("ReplicationJob.InvalidStatus", match="Ready, Running, Stopped, InError, Waiting"):
        modify(sdk, job, replication_parameters=SLOW)
    assert settings_of(running, job).compress_level == 1
    lines = call(sdk, "DescribeJobLog", JobId=job)["LogLines"]["LogLine"]
    assert (
        "Transfer settings: at most 5 Mbit/s, compression level 9, both ends re-read, data in the clear."
        in [line["Message"] for line in lines]
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not a JSON object"),
        ('{"compress_level":-1}', "compress_level is -1; it must be a whole number from 0 to 10"),
        ('{"bandwidth_limit":1.5}', "bandwidth_limit is 1.5"),
        ('{"checksum":"yes"}', 'checksum is "yes"; it must be true or false'),
        ('{"ssl":null}', "ssl is null; it must be one of auto, on, off"),
        ('{"Ssl":"on"}', "unknown key 'Ssl'"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused_with_a_sentence(
    running: Center, sdk: Client, text: str, why: str
) -> None:
    job = create(sdk, running.import_server().source_id, replication_parameters=FAST)
    with refused("InvalidParameter.ReplicationParameters", match=why):
        modify(sdk, job, replication_parameters=text)
    assert described(sdk, job).replication_parameters == FAST


def test_a_change_while_it_copies_reaches_the_waiting_agent_within_two_seconds(
    running: Center, sdk: Client
) -> None:
    imported = running.import_server()
    job = syncing(running, sdk, imported.source_id, replication_parameters=FAST)
    with running.control(imported.credential) as control:
        held = control.post("/agent/v1/orders", OrdersRequest(), OrdersReply).order
        assert held is not None
        assert held.settings.compress_level == 1
        answers: list[OrdersReply] = []
        holding = OrdersRequest(holding=held.run, revision=held.revision)
        waiting = threading.Thread(
            target=lambda: answers.append(control.post("/agent/v1/orders", holding, OrdersReply))
        )
        waiting.start()
        bell = running.parts.store.bell
        limit = time.monotonic() + 10
        while not bell.waiting:
            assert time.monotonic() < limit
            time.sleep(0.01)
        began = time.monotonic()
        modify(sdk, job, replication_parameters=SLOW)
        waiting.join(10)
        assert time.monotonic() - began < 2
        order = answers[0].order
        assert order is not None
        assert (order.run, order.settings) == (held.run, SLOW_SETTINGS)
        assert order.revision != held.revision
        again = control.post("/agent/v1/orders", holding, OrdersReply).order
        assert again == order, "asked again with what is outdated it is answered at once"


def test_an_agent_that_says_no_revision_is_not_asked_to_change(running: Center, sdk: Client) -> None:
    imported = running.import_server()
    job = syncing(running, sdk, imported.source_id)
    modify(sdk, job, replication_parameters=SLOW)
    answered = threading.Event()

    def ask() -> None:
        with running.control(imported.credential) as control:
            holding = OrdersRequest(holding=f"{job}.1")
            control.post("/agent/v1/orders", holding, OrdersReply)
        answered.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert not answered.wait(0.5)
    running.parts.store.bell.close()
    asking.join(10)


def test_a_change_survives_a_killed_center_and_holds_for_the_next_run_too(tmp_path: Path) -> None:
    with center(tmp_path) as first:
        imported = first.import_server()
        job = syncing(first, client_of(first), imported.source_id, replication_parameters=FAST)
        with first.control(imported.credential) as control:
            held = control.post("/agent/v1/orders", OrdersRequest(), OrdersReply).order
    with served(tmp_path) as (process, _):
        modify(served_client(tmp_path), job, replication_parameters=SLOW)
        process.send_signal(signal.SIGKILL)
        process.wait(15)
    assert held is not None
    with center(tmp_path) as second, second.control(imported.credential) as control:
        for holding in (OrdersRequest(holding=held.run, revision=held.revision), OrdersRequest()):
            order = control.post("/agent/v1/orders", holding, OrdersReply).order
            assert order is not None
            assert (order.run, order.settings) == (held.run, SLOW_SETTINGS)
        store = second.parts.store
        store.jobs.end(run_of(second, job), JobStatus.STOPPED)
        again = store.jobs.begin_run(job, RunType.MANUAL, new_authority())
        store.runs.set_endpoint(again, "127.0.0.1", 18700)
        store.runs.order_agent(again, on=True)
        order = control.post("/agent/v1/orders", OrdersRequest(holding=held.run), OrdersReply).order
        assert order is not None
        assert (order.run, order.settings) == (again.id, SLOW_SETTINGS)


def test_patterns_are_checked_and_kept_by_disk(running: Center, sdk: Client) -> None:
    common = {"RegionId": "local", "SourceId": running.import_server().source_id}
    for excludes, why in (
        (["+ /keep"], "only excluding is possible"),
        (["#x"], "begins like a comment"),
        (["!"], "no list to clear"),
        (["a\nb"], "a line break"),
        (["/"], "matches nothing"),
        (["  "], "it is empty"),
        ([{"Disk": 9, "Pattern": ["/x"]}], "the disk 9, of which nothing is copied"),
        ([{"Disk": 1, "Pattern": ["/x", "+ y"]}], "only excluding is possible"),
    ):
        with refused("InvalidParameter.Excludes", match=why):
            call(sdk, "CreateReplicationJob", **common, Excludes=excludes)
    with refused("MissingParameter.Excludes.1.Pattern"):
        call(sdk, "CreateReplicationJob", **common, Excludes=[{"Disk": 1}])
    with refused("InvalidParameter.Excludes.1.Disk"):
        call(sdk, "CreateReplicationJob", **common, Excludes=[{"Disk": "x", "Pattern": ["/x"]}])
    job = call(
        sdk,
        "CreateReplicationJob",
        **common,
        Excludes=[
            "*.iso",
            {"Disk": 1, "Pattern": ["/cache/", "- tmp/"]},
            "/var/cache/",
            {"Disk": 0, "Pattern": ["/x"]},
        ],
    )["JobId"]
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert stored.plan.excludes == ("*.iso", "/var/cache/")
    assert [disk.excludes for disk in stored.plan.disks] == [("/x",), ("/cache/", "- tmp/")]
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, Excludes=["/only/this"])
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert (stored.plan.excludes, stored.plan.disks[1].excludes) == (("/only/this",), ())
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    running.parts.store.jobs.end(run_of(running, job), JobStatus.STOPPED)
    with refused("ReplicationJob.InvalidStatus"):
        call(sdk, "ModifyReplicationJobAttribute", JobId=job, Excludes=["/too/late"])


def counted(run: str, *, done: int, phase: Phase = Phase.SYNCING) -> Progress:
    disks = (
        DiskProgress(index=0, done=done, total=500, files_done=1, files_total=9),
        DiskProgress(index=1, done=0, total=500),
    )
    return Progress(
        run=run, phase=phase, disks=disks, speed=50.0, wire_speed=20.0, wire=100, resent=7, files_total=9
    )


def test_progress_is_told_in_bytes_and_percent(running: Center, sdk: Client) -> None:
    job = syncing(running, sdk, running.import_server().source_id, replication_parameters=SLOW)
    store, run = running.parts.store, run_of(running, job)
    store.receivers.expect(job, "ticket", valid_seconds=60)
    store.receivers.seen({job: time.time()})
    store.runs.record_progress({(job, 1): counted(run.id, done=250)})
    told = call(sdk, "DescribeJobProgress", JobId=job)
    assert (told["BytesDone"], told["BytesTotal"], told["WireBytes"], told["ResentBytes"]) == (
        250,
        1000,
        100,
        7,
    )
    assert (told["Speed"], told["WireSpeed"], told["SecondsLeft"]) == (50.0, 20.0, 15.0)
    assert told["Disks"]["Disk"] == [
        {"Index": 0, "BytesTotal": 500, "BytesDone": 250, "FilesTotal": 9, "FilesDone": 1},
        {"Index": 1, "BytesTotal": 500, "BytesDone": 0, "FilesTotal": None, "FilesDone": None},
    ]
    assert told["Settings"] == {"BandwidthLimit": 5, "CompressLevel": 9, "Checksum": True, "Ssl": "off"}
    assert told["CompressLevel"] is None
    assert described(sdk, job).progress == told["Progress"] == 5.0 + 75.0 / 4
    store.receivers.seen({job: time.time() - 60})
    silent = call(sdk, "DescribeJobProgress", JobId=job)
    assert (silent["Speed"], silent["WireSpeed"], silent["SecondsLeft"]) == (0.0, 0.0, None)


def test_what_the_sender_says_of_itself_is_seen(running: Center, sdk: Client) -> None:
    imported = running.import_server()
    job = syncing(running, sdk, imported.source_id)
    sentence = "compression lowered to level 3: the line is faster than the compressor"
    events = (
        Event(run=f"{job}.1", kind=EventKind.NOTE, message=sentence),
        Event(run=f"{job}.1", kind=EventKind.NOTE, compress_level=3),
        Event(run=f"{job}.1", kind=EventKind.NOTE, message="x" * 100_000),
    )
    with running.control(imported.credential) as control:
        for event in events[:2]:
            control.post("/agent/v1/events", Events(events=(event,)), Accepted)
        told = call(sdk, "DescribeJobProgress", JobId=job)
        assert (told["AgentNote"], told["CompressLevel"]) == (sentence, 3)
        control.post("/agent/v1/events", Events(events=events[2:]), Accepted)
    messages = [line["Message"] for line in call(sdk, "DescribeJobLog", JobId=job)["LogLines"]["LogLine"]]
    assert sentence in messages
    assert "" not in messages
    assert max(map(len, messages)) < 5000


def test_the_history_of_a_day_is_told_and_bounded(running: Center, sdk: Client) -> None:
    job = syncing(running, sdk, running.import_server().source_id)
    history = running.parts.store.history
    day = int(KEPT_SECONDS / SLOT_SECONDS)
    points = [
        (job, Point(run=1, time=1e9 + at * SLOT_SECONDS, done=at * 3000, wire=at * 300, files_done=at))
        for at in range(day + 100)
    ]
    history.record(points)
    history.record([("j-deleted", points[0][1])])  # its job is gone: nothing is kept, nothing fails
    assert len(history.of_job(job, most=10**6)) == day + 1
    told = call(sdk, "DescribeJobProgress", JobId=job)["History"]["Point"]
    assert len(told) <= 288
    assert told[-1]["BytesDone"] == (day + 99) * 3000
    assert {(point["Speed"], point["WireSpeed"]) for point in told[1:]} == {(100.0, 10.0)}
    assert call(sdk, "DescribeJobProgress", JobId=job, History=False)["History"]["Point"] == []
    newer = Point(run=2, time=1e9 + (day + 99) * SLOT_SECONDS + 1, done=0, wire=0, files_done=0)
    history.record([(job, newer)])
    (last,) = call(sdk, "DescribeJobProgress", JobId=job)["History"]["Point"][-1:]
    assert (last["Run"], last["Speed"]) == (2, 0.0), "a new run begins its counters anew"


def test_a_report_says_how_equality_was_proved_and_what_was_sent_again(running: Center, sdk: Client) -> None:
    job = syncing(running, sdk, running.import_server().source_id)
    store, run = running.parts.store, run_of(running, job)
    store.runs.record_progress({(job, 1): counted(run.id, done=500, phase=Phase.SYNCED)})
    proof = Proof(disk=0, partition=1, files=1, bytes=1, sent="a", written="a", by=Equality.REREAD)
    store.runs.record_report(job, 1, Report(run=run.id, proof=(proof,)))
    (told,) = call(sdk, "DescribeReports", JobId=job)["Reports"]["Report"]
    assert (told["proof"][0]["by"], told["resent"], told["wire"]) == ("both ends re-read", 7, 100)
    assert json.dumps(told)
