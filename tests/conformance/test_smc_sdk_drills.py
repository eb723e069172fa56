"""Reports of drills and estimates, by the SDK's generic call."""

import pytest
from alibabacloud_smc20190601.client import Client
from msgspec import structs
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create
from tests.unit.center.running import Center
from tests.unit.center.servers import server

from smc.center.agents.work import task_for
from smc.center.store.values import Receiver
from smc.model.disk import Filesystem, Volume, VolumeKind
from smc.model.drill import DrillReport, DrillStatus, Group, Item
from smc.model.job import JobStatus, RunAim
from smc.model.progress import Phase, Progress
from smc.model.report import Level
from smc.wire.orders import TaskKind
from smc.wire.trust import Key


def report(run: str, speed: float = 0.0) -> DrillReport:
    items = (
        Item(
            group=Group.SOURCE, name="Firewall", level=Level.WARNING, finding="active: ufw", cure="Open it."
        ),
        Item(group=Group.SOURCE, name="Fstab", level=Level.INFORMATION, finding="by name"),
    )
    return DrillReport(
        run=run, started=1e9, ended=1e9 + 60, size=1000, speed=speed, seconds={"transfer": 10.0}, items=items
    )


def test_reports_of_drills_are_told_newest_first(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    assert call(sdk, "DescribeDrillReports", JobId=job)["DrillReports"] == {"DrillReport": []}
    for run in (1, 3):
        running.parts.store.drills.put(job, run, report(f"{job}.{run}"))
    running.parts.store.drills.put(job, 3, report(f"{job}.3", speed=5.0))
    newest, oldest = call(sdk, "DescribeDrillReports", JobId=job)["DrillReports"]["DrillReport"]
    assert (newest["Run"], oldest["Run"]) == (f"{job}.3", f"{job}.1")
    assert newest["Status"] == "Warning"
    assert newest["Speed"] == 5.0
    assert newest["StartTime"] == "2001-09-09T01:46:40Z"
    assert newest["Stages"]["Stage"] == [{"Name": "transfer", "Seconds": 10.0}]
    assert newest["Items"]["Item"] == [
        {
            "Group": "SourceEnvironment",
            "Name": "Firewall",
            "Level": "Warning",
            "Description": "active: ufw",
            "Solution": "Open it.",
        },
        {
            "Group": "SourceEnvironment",
            "Name": "Fstab",
            "Level": "Passed",
            "Description": "by name",
            "Solution": "",
        },
    ]


def test_a_migration_is_estimated_by_line_or_by_what_was_measured(
    running: Center, sdk: Client, source: str
) -> None:
    with refused("MissingParameter.Bandwidth"):
        call(sdk, "EstimateMigration", SourceId=source)
    with refused("InvalidSourceId.NotFound"):
        call(sdk, "EstimateMigration", SourceId="s-none")
    guessed = call(sdk, "EstimateMigration", SourceId=source, Bandwidth=80)
    assert guessed["DataVolume"] == 3 << 30
    assert (guessed["Speed"], guessed["Measured"]) == (1e7, False)
    stages = {stage["Name"]: stage["Seconds"] for stage in guessed["Stages"]["Stage"]}
    assert list(stages) == ["prepare", "transfer", "process", "clean"]
    assert stages["transfer"] == pytest.approx(322.1)
    assert guessed["TotalSeconds"] == pytest.approx(sum(stages.values()))
    job = create(sdk, source)
    running.parts.store.drills.put(job, 1, report(f"{job}.1", speed=5e7))
    measured = call(sdk, "EstimateMigration", SourceId=source)
    assert (measured["Speed"], measured["Measured"]) == (5e7, True)


def test_what_lies_on_logical_volumes_counts_in_an_estimate(running: Center, sdk: Client) -> None:
    plain = server(fingerprint="lvm", hostname="lvm")
    logs = Filesystem(type="ext4", mount_point="/var/log", size=2 << 30, used=1 << 30)
    volume = Volume(
        kind=VolumeKind.LVM, name="v-l", path="/dev/mapper/v-l", size=2 << 30, on=("0_3",), filesystem=logs
    )
    source = running.import_server(structs.replace(plain, volumes=(volume,))).source_id
    assert call(sdk, "EstimateMigration", SourceId=source, Bandwidth=80)["DataVolume"] == 4 << 30


@pytest.mark.parametrize("method", ["TestOnly", "TestAndMigrate"])
def test_a_job_that_is_to_be_tested_begins_with_its_test(
    running: Center, sdk: Client, source: str, method: str
) -> None:
    job = call(
        sdk,
        "CreateReplicationJob",
        RegionId="local",
        SourceId=source,
        ExecutionMethod=method,
        ImageName="tested",
    )["JobId"]
    assert running.jobs.calls == [("start", job)]
    run = running.parts.store.runs.current(job)
    assert run is not None
    assert run.aim is RunAim.DRILL
    (told,) = call(sdk, "DescribeReplicationJobs", JobId=[job])["ReplicationJobs"]["ReplicationJob"]
    assert (told["Status"], told["DrillStatus"]) == ("Running", "NotRun")


@pytest.mark.parametrize("drill", [True, False])
def test_only_the_copy_of_a_drill_is_made_another_machine(
    running: Center, sdk: Client, source: str, drill: bool
) -> None:
    job = create(sdk, source)
    call(sdk, "RetryDrill" if drill else "StartReplicationJob", JobId=job)
    store = running.parts.store
    run = store.runs.current(job)
    assert run is not None
    store.runs.set_endpoint(run, "127.0.0.1", 18700)
    store.runs.order_receiver(run, TaskKind.CONVERT)
    csr = Key.generate().request("receiver")
    receiver = Receiver(job=job, ticket_expires=0.0, csr=csr, last_seen=None)
    said = Progress(run=run.id, phase=Phase.SYNCED)
    task = task_for(store, store.jobs.find(job), store.runs.current(job), receiver, said)
    assert (task.kind, task.fresh) == (TaskKind.CONVERT, drill)


def test_any_job_can_be_tested_until_its_migration_begins(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    call(sdk, "RetryDrill", JobId=job)
    store = running.parts.store
    run = store.runs.current(job)
    assert run is not None
    assert run.aim is RunAim.DRILL
    with refused("ReplicationJob.InvalidStatus"):
        call(sdk, "RetryDrill", JobId=job)
    store.jobs.set_drill(run, DrillStatus.WARNING)
    store.jobs.end(run, JobStatus.READY)
    call(sdk, "RetryDrill", JobId=job)
    again = store.runs.current(job)
    assert again is not None
    store.jobs.end(again, JobStatus.READY)
    call(sdk, "StartReplicationJob", JobId=job)
    real = store.runs.current(job)
    assert real is not None
    assert real.aim is RunAim.LAST
    store.jobs.end(real, JobStatus.STOPPED)
    with refused("ReplicationJob.AlreadyRun"):
        call(sdk, "RetryDrill", JobId=job)
