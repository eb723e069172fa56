"""A job that starts by itself at its time, by the official SDK."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.living import DAY, HOUR, Living, living
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_life import at, modify


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Living]:
    with living(tmp_path) as life:
        yield life


def test_a_scheduled_job_starts_by_itself_and_once(life: Living) -> None:
    start = at(life, 2 * HOUR)
    job = life.create(ScheduledStartTime=start)
    found = life.job(job)
    assert (found["ScheduledStartTime"], found["ExecutionMethod"]) == (start, "Schedule")
    assert found["NextStartTime"] == start
    life.pass_time(2 * HOUR - 1)
    assert life.job(job)["Status"] == "Ready"
    life.pass_time(1)
    life.pass_time()
    done = life.ends_as(job, "Finished")
    runs = done["ReplicationJobRuns"]["ReplicationJobRun"]
    assert [run["Type"] for run in runs] == ["Schedule"]
    assert (done["NextStartTime"], done["ScheduledStartTime"]) == ("", start)
    life.pass_time(DAY)
    assert life.job(job)["Status"] == "Finished"


def test_a_scheduled_job_that_was_started_by_hand_does_not_start_again(life: Living) -> None:
    job = life.create(ExecutionMethod="Schedule", ScheduledStartTime=at(life, HOUR))
    life.center.ends.hold_at = 300
    life.start(job)
    life.center.ends_reach(job, 300)
    life.stop(job)
    life.ends_as(job, "Stopped")
    life.pass_time(2 * HOUR)
    assert life.job(job)["Status"] == "Stopped"


def test_a_scheduled_job_waits_for_a_source_that_is_away(life: Living) -> None:
    job = life.create(ScheduledStartTime=at(life, HOUR))
    for _ in range(3):
        life.pass_time(HOUR, online=False)
    found = life.job(job)
    assert found["Status"] == "Ready"
    assert "Its time to start has come" in found["StatusInfo"]
    lines = call(life.sdk, "DescribeJobLog", JobId=job)["LogLines"]["LogLine"]
    assert [line["Code"] for line in lines if line["Level"] == "warning"] == ["SourceServerState.Invalid"]
    life.pass_time()
    assert life.ends_as(job, "Finished")["StatusInfo"] == ""


def test_a_schedule_may_change_until_the_job_runs(life: Living) -> None:
    job = life.create()
    assert life.job(job)["ExecutionMethod"] == "CreateOnly"
    modify(life, job, ScheduledStartTime=at(life, HOUR))
    assert life.job(job)["ExecutionMethod"] == "Schedule"
    modify(life, job, ScheduledStartTime=at(life, 3 * HOUR))
    life.pass_time(2 * HOUR)
    assert life.job(job)["Status"] == "Ready"
    modify(life, job, ExecutionMethod="CreateOnly")
    found = life.job(job)
    assert (found["ScheduledStartTime"], found["ExecutionMethod"]) == ("", "CreateOnly")
    life.pass_time(DAY)
    assert life.job(job)["Status"] == "Ready"
    with refused("MissingParameter.ScheduledStartTime"):
        modify(life, job, ExecutionMethod="Schedule")
    with refused("InvalidParameter.ExecutionMethod", match="StartReplicationJob"):
        modify(life, job, ExecutionMethod="MigrateNow")
    life.start(job)
    life.ends_as(job, "Finished")
    with refused("ReplicationJob.InvalidStatus"):
        modify(life, job, ScheduledStartTime=at(life, HOUR))


def test_a_time_that_cannot_be_is_refused(life: Living) -> None:
    source = life.import_source()
    for parameters, code in (
        ({"ScheduledStartTime": at(life, 31 * DAY)}, "InvalidParameter.ScheduledStartTime"),
        ({"ScheduledStartTime": at(life, -HOUR)}, "InvalidParameter.ScheduledStartTime"),
        ({"ExecutionMethod": "Schedule"}, "MissingParameter.ScheduledStartTime"),
        (
            {"ExecutionMethod": "MigrateNow", "ScheduledStartTime": at(life, HOUR)},
            "InvalidParameter.ScheduledStartTime",
        ),
        (
            {"ExecutionMethod": "TestAndMigrate", "ScheduledStartTime": at(life, HOUR)},
            "InvalidParameter.ScheduledStartTime",
        ),
    ):
        with refused(code):
            life.create(source, **parameters)
    job = life.create(source, ScheduledStartTime=at(life, 30 * DAY))
    assert life.job(job)["DrillStatus"] == "NotRun"
