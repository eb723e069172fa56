"""Replication jobs as the official SDK sees them; the workflows only take notes."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import SCHEMES, call, client_of, refused
from tests.conformance.test_smc_sdk import go_offline
from tests.unit.center.running import Center
from tests.unit.center.servers import server

from smc.center.store.resources import IMAGE
from smc.center.store.values import Run
from smc.cloud.driver import Kind
from smc.model.job import BusinessStatus, JobStatus
from smc.model.progress import Failure
from smc.model.report import Change, Moving, Report
from smc.wire.orders import TransferSettings

Described = models.DescribeReplicationJobsResponseBodyReplicationJobsReplicationJob


def request_for(source: str, **changes: object) -> models.CreateReplicationJobRequest:
    values: dict[str, object] = {
        "region_id": "local",
        "source_id": source,
        "target_type": "Image",
        "image_name": "web_image",
        "system_disk_size": 30,
    }
    return models.CreateReplicationJobRequest(**(values | changes))


def create(sdk: Client, source: str, **changes: object) -> str:
    job: str = sdk.create_replication_job(request_for(source, **changes)).body.job_id
    return job


def described(
    sdk: Client, job: str
) -> models.DescribeReplicationJobsResponseBodyReplicationJobsReplicationJob:
    answer = sdk.describe_replication_jobs(models.DescribeReplicationJobsRequest(job_id=[job]))
    (found,) = answer.body.replication_jobs.replication_job
    return found


def run_of(running: Center, job: str) -> Run:
    run = running.parts.store.runs.current(job)
    assert run is not None
    return run


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_job_is_created_with_a_plan(running: Center, source: str, scheme: str) -> None:
    sdk = client_of(running, scheme)
    job = create(
        sdk,
        source,
        name="move-web",
        description="to-the-cloud",
        data_disk=[models.CreateReplicationJobRequestDataDisk(index=1, size=8)],
        replication_parameters='{"bandwidth_limit":100,"compress_level":1,"checksum":true}',
        tag=[models.CreateReplicationJobRequestTag(key="team", value="shop")],
        run_once=True,
        net_mode=0,
    )
    assert job.startswith("j-lcl")
    found = described(sdk, job)
    assert (found.name, found.source_id, found.status, found.region_id) == (
        "move-web",
        source,
        "Ready",
        "local",
    )
    assert (found.system_disk_size, found.image_name, found.target_type) == (30, "web_image", "Image")
    assert (found.data_disks.data_disk[0].index, found.data_disks.data_disk[0].size) == (1, 8)
    assert found.system_disk_parts.system_disk_part[0].device == "0_2"
    assert found.disks.system.parts.part[0].path == "/"
    assert found.disks.data.data[0].parts.part[0].path == "/srv/data"
    assert (found.tags.tag[0].key, found.tags.tag[0].value) == ("team", "shop")
    assert found.run_once
    assert found.progress == 0.0
    valid = datetime.strptime(found.valid_time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(days=29) < valid - datetime.now(UTC) <= timedelta(days=30)
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert stored.request.settings == TransferSettings(
        bandwidth_limit_mbit=100, compress_level=1, checksum=True
    )
    request = models.DescribeSourceServersRequest(source_id=[source])
    (server_found,) = sdk.describe_source_servers(request).body.source_servers.source_server
    assert (server_found.state, server_found.job_id) == ("InUse", job)


def test_the_newer_shape_of_disks_sizes_them_too(running: Center, sdk: Client, source: str) -> None:
    job = create(
        sdk,
        source,
        system_disk_size=None,
        disks=models.CreateReplicationJobRequestDisks(
            system=models.CreateReplicationJobRequestDisksSystem(size=40),
            data=[models.CreateReplicationJobRequestDisksData(size=16)],
        ),
    )
    found = described(sdk, job)
    assert (found.system_disk_size, found.data_disks.data_disk[0].size) == (40, 16)


def test_sizes_default_to_the_sources(sdk: Client, source: str) -> None:
    found = described(sdk, create(sdk, source, system_disk_size=None))
    assert (found.system_disk_size, found.data_disks.data_disk[0].size) == (20, 4)


def test_data_disks_are_named_by_their_index(sdk: Client, source: str) -> None:
    disk = models.CreateReplicationJobRequestDataDisk
    with refused("ReplicationJobDataDiskIndex.Invalid"):
        create(sdk, source, data_disk=[disk(index=2, size=20)])
    with refused("DataDisk.DuplicateIndex"):
        create(sdk, source, data_disk=[disk(index=1, size=20), disk(index=1, size=30)])
    part = models.CreateReplicationJobRequestDataDiskPart(device="1_1", block=True)
    with refused("UnsupportedParameter.Block"):
        create(sdk, source, data_disk=[disk(index=1, size=20, part=[part])])


def test_a_repeated_request_with_its_client_token_is_the_same_job(sdk: Client, source: str) -> None:
    job = create(sdk, source, client_token="once")
    assert create(sdk, source, client_token="once") == job
    with refused("IdempotentParameterMismatch"):
        create(sdk, source, client_token="once", system_disk_size=31)


def test_a_job_is_started_stopped_and_started_again(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    start, stop = models.StartReplicationJobRequest(job_id=job), models.StopReplicationJobRequest(job_id=job)
    with refused("ReplicationJob.InvalidStatus", match="Ready is invalid"):
        sdk.stop_replication_job(stop)
    sdk.start_replication_job(start)
    found = described(sdk, job)
    assert (found.status, found.business_status) == ("Running", "Preparing")
    with refused("ReplicationJob.InvalidStatus", match="Ready, Stopped, InError, Waiting"):
        sdk.start_replication_job(start)
    with refused("ReplicationJob.InvalidBusinessStatus", match="Syncing"):
        sdk.stop_replication_job(stop)
    with refused("ReplicationJob.InvalidStatus"):
        sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
    jobs = running.parts.store.jobs
    jobs.reach(run_of(running, job), BusinessStatus.SYNCING)
    sdk.stop_replication_job(stop)
    run = run_of(running, job)
    assert run.stop_wanted
    jobs.end(run, JobStatus.STOPPED)
    sdk.start_replication_job(start)
    assert run_of(running, job).number == 2
    assert running.jobs.calls == [("start", job), ("stop", job), ("start", job)]


def test_a_job_of_an_offline_source_is_not_started(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    go_offline(running, source)
    with refused("SourceServerState.Invalid", match="has not been heard of since"):
        sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))


def test_a_job_whose_intermediate_instance_was_released_is_not_started_again(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(sdk, source)
    start = models.StartReplicationJobRequest(job_id=job)
    sdk.start_replication_job(start)
    jobs, run = running.parts.store.jobs, run_of(running, job)
    jobs.hold_instance(run, "i-released")
    jobs.end(run, JobStatus.STOPPED)
    with refused("TransitionInstance.NotFound", match="i-released was released"):
        sdk.start_replication_job(start)
    assert described(sdk, job).status == "Stopped"
    assert running.jobs.calls == [("start", job)]


def test_a_failed_job_says_why_and_what_to_do(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    failure = Failure(kind="Broken", code="Sync.Stalled", message="Nothing moved.", hint="Look at the log.")
    running.parts.store.jobs.end(run_of(running, job), JobStatus.IN_ERROR, failure=failure)
    found = described(sdk, job)
    assert (found.status, found.error_code, found.status_info) == (
        "InError",
        "Sync.Stalled",
        "Nothing moved. Look at the log.",
    )


def test_log_and_reports_are_told(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    store = running.parts.store
    store.log.add(job, "It goes well.", code="X")
    report = Report(
        run=f"{job}.1",
        changes=(Change(path="/etc/fstab", why="UUIDs", before="a", after="b"),),
        moving=(Moving(path="/var/log/x", why="grew"),),
    )
    store.runs.record_report(job, 1, report)
    lines = call(sdk, "DescribeJobLog", JobId=job)["LogLines"]["LogLine"]
    assert [line["Message"] for line in lines] == [
        "The job was created.",
        "Run 1 was started.",
        "It goes well.",
    ]
    (told,) = call(sdk, "DescribeReports", JobId=job)["Reports"]["Report"]
    assert (told["run"], told["changes"][0]["path"], told["moving"][0]["path"]) == (
        f"{job}.1",
        "/etc/fstab",
        "/var/log/x",
    )
    with refused("InvalidJobId.NotFound"):
        call(sdk, "DescribeJobLog", JobId="j-none")


def test_a_finished_job_frees_its_source(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    run = run_of(running, job)
    running.parts.store.resources.record(
        Kind.IMAGE, "m-1", name=f"web_image_{job}", job=job, run=1, purpose=IMAGE
    )
    running.parts.store.jobs.deliver(run, "m-1")
    running.parts.store.jobs.end(run, JobStatus.FINISHED)
    found = described(sdk, job)
    assert (found.status, found.progress, found.image_id) == ("Finished", 100.0, "m-1")
    assert found.image_name == f"web_image_{job}"
    (told,) = found.replication_job_runs.replication_job_run
    assert (told.image_id, told.type) == ("m-1", "Manual")
    assert told.start_time <= told.end_time
    assert create(sdk, source) != job


def test_jobs_are_filtered_and_come_in_pages(running: Center, sdk: Client) -> None:
    made = []
    for number in range(3):
        one = running.import_server(server(fingerprint=f"f{number}", hostname=f"h-{number}")).source_id
        made.append((one, create(sdk, one, name=f"job-{number}")))
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=made[0][1]))

    def ids(**wanted: object) -> list[str]:
        request = models.DescribeReplicationJobsRequest(**wanted)
        found = sdk.describe_replication_jobs(request).body.replication_jobs.replication_job
        return [job.job_id for job in found]

    assert ids(status="Running") == [made[0][1]]
    assert ids(source_id=[made[1][0]]) == [made[1][1]]
    assert ids(name="job-2") == [made[2][1]]
    assert ids(region_id="elsewhere") == []
    assert ids(job_type=3) == []
    assert ids(business_status="Preparing") == [made[0][1]]
    assert ids(page_size=2, page_number=2) == [made[0][1]]
    with refused("InvalidParameter.PageNumber"):
        ids(page_number=0)


def test_deleting_a_job_is_handed_to_the_workflows(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source)
    request = models.DeleteReplicationJobRequest(job_id=job)
    sdk.delete_replication_job(request)
    assert described(sdk, job).status == "Deleting"
    assert running.jobs.calls == [("delete", job)]
    with refused("ReplicationJob.InvalidStatus"):
        sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    running.parts.store.jobs.remove(job)
    with refused("InvalidJobId.NotFound"):
        sdk.delete_replication_job(request)


def test_a_source_with_jobs_goes_by_force_and_not_while_one_runs(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(sdk, source)
    with refused("ReplicationJob.Related", match=job):
        sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=source))
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    force = models.DeleteSourceServerRequest(source_id=source, force=True)
    with refused("SourceServer.WithRunningReplicationJob"):
        sdk.delete_source_server(force)
    running.parts.store.jobs.end(run_of(running, job), JobStatus.STOPPED)
    sdk.delete_source_server(force)
    request = models.DescribeSourceServersRequest(source_id=[source])
    assert sdk.describe_source_servers(request).body.source_servers.source_server[0].state == "Deleting"
    running.parts.store.jobs.remove(job)
    assert sdk.describe_source_servers(request).body.total_count == 0


def test_regions_and_zones_are_told(sdk: Client) -> None:
    assert call(sdk, "DescribeRegions")["Regions"]["Region"] == [{"RegionId": "local"}]
    assert len(call(sdk, "DescribeZones", RegionId="local")["Zones"]["Zone"]) == 2
    assert json.dumps(call(sdk, "DescribeRegions"))
