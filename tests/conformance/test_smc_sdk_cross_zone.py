"""CreateCrossZoneMigrationJob through the official SDK: refusals, a whole life, what the others say of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from tests.conformance.living import DAY, Living, living
from tests.conformance.smc_sdk import call, refused
from tests.unit.center.targets import settle
from tests.unit.jobs.center import until
from tests.unit.jobs.crossing import THERE, crossing, has_moved, moved, traveller, vswitch_there
from tests.unit.jobs.onto_instance import Before, remember
from tests.unit.jobs.test_story import failing

from smc.base.errors import Transient, UserError
from smc.center.api.words import written
from smc.cloud.driver import DiskKind, Power
from smc.cloud.memory_desk import no_hook
from smc.model.job import BusinessStatus, JobStatus

Jobs = models.DescribeReplicationJobsRequest


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Living]:
    with living(tmp_path) as here:
        yield here


@pytest.fixture
def before(here: Living) -> Before:
    return remember(here.cloud, traveller(here.cloud))


def asked(
    here: Living,
    before: Before,
    **changes: Any,  # Any: fields of the SDK's request
) -> models.CreateCrossZoneMigrationJobRequest:
    values = {
        "region_id": "local",
        "instance_id": before.seen.id,
        "target_zone_id": THERE,
        "target_vswitch_id": vswitch_there(here.cloud),
        **changes,
    }
    return models.CreateCrossZoneMigrationJobRequest(**values)


def create(here: Living, before: Before, **changes: Any) -> str:  # Any: fields of the SDK's request
    answer = here.sdk.create_cross_zone_migration_job(asked(here, before, **changes))
    return str(answer.body.job_id)


def told(here: Living, **wanted: Any) -> list[Any]:  # Any: the SDK's models
    return list(here.sdk.describe_replication_jobs(Jobs(**wanted)).body.replication_jobs.replication_job)


def test_an_instance_is_moved_by_the_sdk_alone(here: Living, before: Before) -> None:
    job = create(here, before, auto_pay=False, resource_group_id="rg-1")
    (seen,) = told(here, job_id=[job])
    assert (seen.status, seen.job_type, seen.source_id, seen.instance_id) == ("Ready", 2, "", before.seen.id)
    assert (seen.v_switch_id, seen.vpc_id) == (vswitch_there(here.cloud), before.seen.vpc)
    assert (seen.instance_type, seen.resource_group_id) == (before.seen.instance_type, "rg-1")
    assert (seen.system_disk_size, [disk.size for disk in seen.data_disks.data_disk]) == (20, [4, 8])
    here.start(job)
    here.center.ends_as(job, JobStatus.FINISHED)
    has_moved(here.cloud, job, before)
    (seen,) = told(here, instance_id=[before.seen.id])
    assert (seen.job_id, seen.status, seen.progress) == (job, "Finished", 100.0)
    ours = call(here.sdk, "DescribeReplicationJobs", JobId=[job])["ReplicationJobs"]["ReplicationJob"][0]
    assert ours["TargetZoneId"] == THERE
    assert ours["DeliveredInstanceId"] == moved(here.cloud, before).id
    assert ours["KeptResources"]["KeptResource"] == []
    (report,) = call(here.sdk, "DescribeReports", JobId=job)["Reports"]["Report"]
    assert ours["DeliveredInstanceId"] in report["differs"][0]
    progress = call(here.sdk, "DescribeJobProgress", JobId=job)
    assert (progress["Status"], progress["Progress"]) == ("Finished", 100.0)


def test_jobs_are_listed_by_their_type(here: Living, before: Before) -> None:
    one, other = create(here, before), here.create()
    assert [seen.job_id for seen in told(here, job_type=2)] == [one]
    assert [seen.job_id for seen in told(here, job_type=0)] == [other]
    assert {seen.job_id for seen in told(here)} == {one, other}
    assert told(here, job_type=1) == []


def test_a_repeated_request_makes_one_job(here: Living, before: Before) -> None:
    first = create(here, before, client_token="once")
    assert create(here, before, client_token="once") == first
    with refused("IdempotentParameterMismatch"):
        create(here, before, client_token="once", target_instance_type="mem.large")


def test_an_instance_has_one_unfinished_job(here: Living, before: Before) -> None:
    job = create(here, before)
    with refused("CrossZone.InstanceInUse", match=job):
        create(here, before)
    here.sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
    until(lambda: here.center.store.jobs.find(job) is None)
    create(here, before)


def test_a_job_onto_the_same_instance_and_a_move_of_it_exclude_each_other(
    here: Living, before: Before
) -> None:
    source = here.import_source()
    job = create(here, before)
    onto = {"TargetType": "TargetInstance", "InstanceId": before.seen.id, "ConfirmErase": before.seen.id}
    with refused("TargetInstance.InUse", match=job):
        here.create(source, ImageName=None, **onto)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"region_id": "cn-hangzhou"}, "InvalidRegionId.NotFound"),
        ({"instance_id": None}, "MissingParameter.InstanceId"),
        ({"target_zone_id": None}, "MissingParameter.TargetZoneId"),
        ({"target_vswitch_id": None}, "MissingParameter.TargetVSwitchId"),
        ({"target_zone_id": "memory-a"}, "CrossZone.SameZone"),
        ({"target_instance_type": "mem.small"}, "OperationDenied.NoStock"),
        ({"client_token": "x" * 65}, "InvalidParameter.ClientToken"),
    ],
)
def test_what_cannot_work_is_refused(
    here: Living, before: Before, changes: dict[str, Any], code: str
) -> None:
    with refused(code):
        create(here, before, **changes)
    assert told(here) == []


def test_a_disk_gets_the_category_and_level_that_are_asked_for(here: Living, before: Before) -> None:
    wish = models.CreateCrossZoneMigrationJobRequestDisk(
        disk_id=before.disks[1].id, category="cloud_essd", performance_level="PL2"
    )
    with refused("InvalidParameter.Disk", match="twice"):
        create(here, before, disk=[wish, wish])
    job = create(here, before, disk=[wish])
    here.start(job)
    here.center.ends_as(job, JobStatus.FINISHED)
    kinds = [disk.kind for disk in here.cloud.disks(moved(here.cloud, before).id)]
    assert kinds == [DiskKind(), DiskKind(category="cloud_essd", performance_level="PL2"), DiskKind()]


def test_stop_is_for_while_the_disks_are_saved(here: Living, before: Before) -> None:
    job = create(here, before)
    with refused("ReplicationJob.InvalidStatus"):
        here.stop(job)
    here.cloud.hook = failing("snapshot", Transient("busy", code="Throttling"), times=10**6)
    here.start(job)
    until(lambda: here.center.job(job).business_status is BusinessStatus.SYNCING)
    here.stop(job)
    here.cloud.hook = no_hook
    here.center.ends_as(job, JobStatus.STOPPED)
    settle(here.cloud, before.seen.id, Power.RUNNING)
    assert {one.id for one in here.cloud.left} == before.things


def test_it_is_named_timed_and_kept_longer_and_no_more(here: Living, before: Before) -> None:
    job = create(here, before)
    call(
        here.sdk,
        "ModifyReplicationJobAttribute",
        JobId=job,
        Name="move-shop",
        Description="by-night",
        Tag=[{"Key": "team", "Value": "shop"}],
    )
    with refused("JobType.NotSupported", match="ImageName"):
        call(here.sdk, "ModifyReplicationJobAttribute", JobId=job, ImageName="x1", Name="y1")
    with refused("JobType.NotSupported", match="migration test"):
        call(here.sdk, "RetryDrill", JobId=job)
    with refused("JobType.NotSupported", match="A plan"):
        call(here.sdk, "DescribePlan", JobId=job)
    (seen,) = told(here, job_id=[job])
    assert (seen.name, seen.description, seen.tags.tag[0].value) == ("move-shop", "by-night", "shop")


def test_it_starts_by_itself_at_night(here: Living, before: Before) -> None:
    job = create(here, before)
    at = written(here.clock.now() + DAY)
    call(here.sdk, "ModifyReplicationJobAttribute", JobId=job, ScheduledStartTime=at)
    here.pass_time(DAY / 2)
    assert here.center.job(job).status is JobStatus.READY
    here.pass_time(DAY / 2)
    here.center.ends_as(job, JobStatus.FINISHED)
    has_moved(here.cloud, job, before)


def test_a_job_whose_time_is_over_expires_and_leaves_the_instance_alone(here: Living, before: Before) -> None:
    job = create(here, before)
    here.pass_time(31 * DAY)
    assert here.center.job(job).status is JobStatus.EXPIRED
    with refused("ReplicationJob.InvalidStatus"):
        here.start(job)
    assert {one.id for one in here.cloud.left} == before.things


def test_an_instance_that_an_expired_job_could_not_bring_back_is_tried_again(
    here: Living, before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.center.jobs.runner.AGAIN_SECONDS", 0.0)

    def refuses(when: str, call: str) -> None:
        if when == "before" and call in ("create_snapshot", "start"):
            raise UserError(f"no {call}", code="Forbidden.RAM")

    job = create(here, before)
    here.cloud.hook = refuses
    here.start(job)
    here.center.ends_as(job, JobStatus.IN_ERROR)
    here.pass_time(31 * DAY)
    until(lambda: "Could not be released: no start" in lines(here, job))
    assert here.center.job(job).status is JobStatus.EXPIRED
    assert {one.id for one in here.cloud.left} == before.things, "nothing is kept that would cost"
    here.cloud.hook = no_hook

    def runs_again() -> bool:
        here.pass_time()
        return "runs again, in its own zone" in lines(here, job)

    until(runs_again)
    settle(here.cloud, before.seen.id, Power.RUNNING)


def lines(here: Living, job: str) -> str:
    return "\n".join(line.message for line in here.center.store.log.page(job, offset=0, limit=99)[1])


def test_it_is_in_the_list_of_events_and_has_diagnostics(here: Living, before: Before) -> None:
    job, _ = crossing(here.center, before.seen.id)
    here.start(job)
    here.center.ends_as(job, JobStatus.FINISHED)
    events = call(here.sdk, "DescribeEvents", JobId=[job])["Events"]["Event"]
    assert "Instance.Moved" in [event["Kind"] for event in events]
    assert call(here.sdk, "DescribeJobLog", JobId=job)["TotalCount"] >= 3
    with refused("ReplicationJob.NoImage"):
        call(here.sdk, "VerifyMigrationResult", JobId=job)
