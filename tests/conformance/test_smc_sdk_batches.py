"""All jobs of a workgroup at once, a few at a time, whatever happens to the center meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, client_of, refused
from tests.conformance.test_smc_sdk import go_offline
from tests.conformance.test_smc_sdk_jobs import create as create_job
from tests.conformance.test_smc_sdk_workgroups import associate, create, described, set_status, source
from tests.unit.center.running import Center, center

from smc.base.errors import UserError
from smc.center.app import context_of
from smc.center.batching import go_on_with_batches
from smc.center.quotas import Quotas
from smc.model.job import JobStatus, RunAim
from smc.model.progress import Failure


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path, agents=False, quotas=Quotas(concurrent_jobs=3)) as running:
        yield running


def go_on(running: Center) -> None:
    go_on_with_batches(context_of(running.parts, running.cloud, running.jobs))


def with_jobs(running: Center, sdk: Client, count: int) -> tuple[str, list[str]]:
    """A workgroup, and a job for each of its sources."""
    workgroup = create(sdk)
    sources = sorted(source(running, f"host-{number}") for number in range(count))
    associate(sdk, workgroup, *sources)
    return workgroup, [create_job(sdk, each, image_name=f"image_{at}") for at, each in enumerate(sources)]


def batch_of(sdk: Client, batch: str) -> dict[str, Any]:
    (found,) = call(sdk, "DescribeBatches", BatchId=[batch])["Batches"]["Batch"]
    return dict(found)


def states(sdk: Client, batch: str) -> list[str]:
    return [job["State"] for job in batch_of(sdk, batch)["Jobs"]["Job"]]


def started(running: Center) -> list[str]:
    return [job for what, job in running.jobs.calls if what == "start"]


def test_all_jobs_of_a_workgroup_are_started_a_few_at_a_time(running: Center, sdk: Client) -> None:
    workgroup, jobs = with_jobs(running, sdk, 4)
    lone = source(running, "lone")
    associate(sdk, workgroup, lone)
    answer = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=2)
    assert answer["JobIds"]["JobId"] == jobs
    assert answer["Skipped"]["Source"] == [{"SourceId": lone, "JobId": "", "Status": ""}]
    batch = answer["BatchId"]
    assert states(sdk, batch) == ["Waiting"] * 4
    go_on(running)
    go_on(running)
    assert started(running) == jobs[:2]
    assert states(sdk, batch) == ["Running", "Running", "Waiting", "Waiting"]
    set_status(running, jobs[0], JobStatus.FINISHED)
    set_status(running, jobs[1], JobStatus.IN_ERROR, Failure.of(UserError("no room", code="Disk.Full")))
    go_on(running)
    found = batch_of(sdk, batch)["Jobs"]["Job"]
    assert [job["State"] for job in found] == ["Done", "Failed", "Running", "Running"]
    assert (found[1]["Code"], found[1]["Message"]) == ("Disk.Full", "no room")
    assert started(running) == jobs
    with refused("Workgroup.BatchInProgress", match=batch):
        call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup)
    for job in jobs[2:]:
        set_status(running, job, JobStatus.FINISHED)
    go_on(running)
    assert states(sdk, batch) == ["Done", "Failed", "Done", "Done"]
    assert batch_of(sdk, batch)["EndTime"]
    again = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup)
    assert again["JobIds"]["JobId"] == [jobs[1]], "only what failed is left"


def test_a_batch_waits_for_the_limit_of_the_center(running: Center, sdk: Client) -> None:
    workgroup, jobs = with_jobs(running, sdk, 4)
    batch = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup)["BatchId"]
    go_on(running)
    assert states(sdk, batch) == ["Running"] * 3 + ["Waiting"]
    set_status(running, jobs[0], JobStatus.FINISHED)
    go_on(running)
    assert states(sdk, batch) == ["Done", "Running", "Running", "Running"]


def test_a_job_that_cannot_be_started_does_not_stop_the_others(running: Center, sdk: Client) -> None:
    workgroup, jobs = with_jobs(running, sdk, 3)
    first = running.parts.store.jobs.find(jobs[0])
    assert first is not None
    go_offline(running, first.source_id)
    batch = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=1)["BatchId"]
    go_on(running)
    assert states(sdk, batch) == ["Failed", "Running", "Waiting"]
    assert batch_of(sdk, batch)["Jobs"]["Job"][0]["Code"] == "SourceServerState.Invalid"


def test_a_batch_is_cancelled_and_what_runs_goes_on(running: Center, sdk: Client) -> None:
    workgroup, jobs = with_jobs(running, sdk, 3)
    batch = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=1)["BatchId"]
    go_on(running)
    call(sdk, "CancelBatch", BatchId=batch)
    go_on(running)
    assert states(sdk, batch) == ["Running", "Cancelled", "Cancelled"]
    set_status(running, jobs[0], JobStatus.FINISHED)
    go_on(running)
    assert states(sdk, batch) == ["Done", "Cancelled", "Cancelled"]
    assert started(running) == jobs[:1]
    with refused("InvalidBatchId.NotFound"):
        call(sdk, "CancelBatch", BatchId="b-none")


def test_a_center_that_was_killed_starts_no_job_twice(running: Center, sdk: Client) -> None:
    """Killed after a job was started and before the batch knew: the job's own run says so."""
    workgroup, jobs = with_jobs(running, sdk, 2)
    batch = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=1)["BatchId"]
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=jobs[0]))
    go_on(running)
    assert states(sdk, batch) == ["Running", "Waiting"]
    set_status(running, jobs[0], JobStatus.IN_ERROR, Failure.of(UserError("no", code="Disk.Full")))
    go_on(running)
    go_on(running)
    assert states(sdk, batch) == ["Failed", "Running"]
    assert started(running) == jobs, "a job that failed in its batch is not begun again by it"


def test_a_deleted_job_leaves_its_batch(running: Center, sdk: Client) -> None:
    workgroup, jobs = with_jobs(running, sdk, 2)
    batch = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=1)["BatchId"]
    for job in jobs:
        sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
        running.parts.store.jobs.remove(job)
    go_on(running)
    assert batch_of(sdk, batch)["EndTime"]


def test_a_batch_with_nothing_to_do_is_refused(running: Center, sdk: Client) -> None:
    with refused("InvalidWorkgroupId.NotFound"):
        call(sdk, "StartWorkgroupJobs", WorkgroupId="w-none")
    workgroup = create(sdk)
    with refused("Workgroup.NothingToDo"):
        call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup)
    for wrong in (0, 1001):
        with refused("InvalidParameter.MaxConcurrency"):
            call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=wrong)
    assert described(sdk)[0].status == "NotStarted"


def waiting_jobs(running: Center, sdk: Client, count: int) -> tuple[str, list[str]]:
    """A workgroup whose incremental jobs have had their first round."""
    workgroup = create(sdk)
    sources = sorted(source(running, f"host-{number}") for number in range(count))
    associate(sdk, workgroup, *sources)
    rounds: dict[str, object] = {"run_once": False, "frequency": 24, "max_number_of_image_to_keep": 2}
    jobs = [create_job(sdk, each, image_name=f"image_{at}", **rounds) for at, each in enumerate(sources)]
    for job in jobs:
        sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
        set_status(running, job, JobStatus.WAITING)
    running.jobs.calls.clear()
    return workgroup, jobs


def aim_of(running: Center, job: str) -> RunAim:
    run = running.parts.store.runs.current(job)
    assert run is not None
    return run.aim


def test_jobs_of_a_workgroup_are_cut_over_a_few_at_a_time(running: Center, sdk: Client) -> None:
    workgroup, jobs = waiting_jobs(running, sdk, 3)
    assert described(sdk)[0].status == "InProgress"
    asked = {"WorkgroupId": workgroup, "MaxConcurrency": 2}
    batch = call(sdk, "CutOverWorkgroupJobs", **asked, SyncData=True)["BatchId"]
    assert described(sdk)[0].status == "Cutover"
    go_on(running)
    assert states(sdk, batch) == ["Running", "Running", "Waiting"]
    assert [aim_of(running, job) for job in jobs] == [RunAim.LAST, RunAim.LAST, RunAim.ROUND]
    set_status(running, jobs[0], JobStatus.FINISHED)
    go_on(running)
    assert states(sdk, batch) == ["Done", "Running", "Running"]
    assert described(sdk)[0].status == "Cutover"
    set_status(running, jobs[1], JobStatus.IN_ERROR, Failure.of(UserError("no", code="Disk.Full")))
    set_status(running, jobs[2], JobStatus.FINISHED)
    go_on(running)
    assert states(sdk, batch) == ["Done", "Failed", "Done"]
    assert described(sdk)[0].status == "Cutover", "one is not finished"
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=jobs[1]))
    set_status(running, jobs[1], JobStatus.FINISHED)
    assert described(sdk)[0].status == "Completed"


def test_without_data_a_cut_over_releases(running: Center, sdk: Client) -> None:
    workgroup, jobs = waiting_jobs(running, sdk, 1)
    call(sdk, "CutOverWorkgroupJobs", WorkgroupId=workgroup)
    go_on(running)
    assert aim_of(running, jobs[0]) is RunAim.RELEASE


def test_a_round_that_began_meanwhile_is_waited_for(running: Center, sdk: Client) -> None:
    workgroup, jobs = waiting_jobs(running, sdk, 2)
    batch = call(sdk, "CutOverWorkgroupJobs", WorkgroupId=workgroup)["BatchId"]
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=jobs[0]))
    go_on(running)
    assert states(sdk, batch) == ["Waiting", "Running"]
    assert aim_of(running, jobs[0]) is RunAim.ROUND
    set_status(running, jobs[0], JobStatus.WAITING)
    go_on(running)
    assert states(sdk, batch) == ["Running", "Running"]
    assert aim_of(running, jobs[0]) is RunAim.RELEASE


def test_jobs_that_do_not_wait_are_not_cut_over(running: Center, sdk: Client) -> None:
    workgroup, _ = with_jobs(running, sdk, 1)
    with refused("Workgroup.NothingToDo", match="Waiting"):
        call(sdk, "CutOverWorkgroupJobs", WorkgroupId=workgroup)


def test_a_center_that_is_started_again_goes_on_with_its_batches(tmp_path: Path) -> None:
    with center(tmp_path, agents=False) as first:
        sdk = client_of(first)
        workgroup, jobs = with_jobs(first, sdk, 3)
        batch = call(sdk, "StartWorkgroupJobs", WorkgroupId=workgroup, MaxConcurrency=1)["BatchId"]
        go_on(first)
        set_status(first, jobs[0], JobStatus.FINISHED)
    with center(tmp_path, agents=False) as again:
        go_on(again)
        assert states(client_of(again), batch) == ["Done", "Running", "Waiting"]
        assert started(again) == [jobs[1]]
