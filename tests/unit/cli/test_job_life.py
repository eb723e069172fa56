"""The command line moves a job on: schedules, rounds, cutover, cancelling; and shows what it keeps."""

import io
import json
import sys
import time

import pytest
from tests.conformance.test_smc_sdk_jobs import run_of
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc

from smc.base.errors import UserError
from smc.center.store.resources import TEMPORARY
from smc.cli.job_options import moment
from smc.cloud.driver import Kind
from smc.model.job import JobStatus
from smc.model.progress import Failure


def create(smc: Smc, running: Center, *options: str) -> str:
    begins = {"--start", "--at", "--method"} & set(options)
    words = options if begins else (*options, "--method", "create-only")
    status, printed, errors = smc("job", "create", running.import_server().source_id, *words, "--json")
    assert status == 0, errors
    job: str = json.loads(printed)["JobId"]
    return job


def shown(smc: Smc, job: str) -> dict[str, object]:
    found = json.loads(smc("job", "show", job, "--json")[1])
    assert isinstance(found, dict)
    return found


def wait(running: Center, job: str, status: JobStatus = JobStatus.WAITING) -> None:
    """As if its run had ended so."""
    running.parts.store.jobs.end(run_of(running, job), status)


def test_a_job_is_created_for_a_time(smc: Smc, running: Center) -> None:
    job = create(smc, running, "--at", "+2h")
    found = shown(smc, job)
    assert found["ExecutionMethod"] == "Schedule"
    assert found["NextStartTime"] == found["ScheduledStartTime"] != ""
    assert f"starts       {found['NextStartTime']}" in smc("job", "show", job)[1]
    assert smc("job", "modify", job, "--at", "+1d") == (0, f"changed {job}\n", "")
    assert str(shown(smc, job)["NextStartTime"]) > str(found["NextStartTime"])


def test_a_job_is_created_to_go_round_after_round(smc: Smc, running: Center) -> None:
    job = create(smc, running, "--every", "24", "--keep", "3", "--image-name", "web")
    found = shown(smc, job)
    assert (found["RunOnce"], found["Frequency"], found["MaxNumberOfImageToKeep"]) == (False, 24, 3)
    assert smc("job", "start", job)[0] == 0
    wait(running, job)
    assert "every 24 h, 3 images are kept; this is round 1" in smc("job", "show", job)[1]
    assert smc("job", "modify", job, "--every", "12", "--keep", "1")[0] == 0
    assert shown(smc, job)["Frequency"] == 12
    assert smc("job", "stop", job, "--wait") == (0, f"stopped {job}\n", "")
    assert shown(smc, job)["Status"] == "Stopped"
    assert smc("job", "start", job)[0] == 0
    wait(running, job)
    assert json.loads(smc("job", "cutover", job, "--no-sync", "--json")[1])["RequestId"]
    wait(running, job, JobStatus.FINISHED)
    status, _, errors = smc("job", "cutover", job)
    assert (status, "ReplicationJob.InvalidStatus" in errors) == (1, True)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--every", "24"), "MissingParameter.MaxNumberOfImageToKeep"),
        (("--every", "24", "--keep", "11"), "InvalidParameter.MaxNumberOfImageToKeep"),
        (("--at", "+5m"), "InvalidParameter.ScheduledStartTime"),
        (("--at", "+31d"), "InvalidParameter.ScheduledStartTime"),
        (("--at", "tomorrow"), "InvalidParameter.ScheduledStartTime"),
        (("--method", "schedule"), "MissingParameter.ScheduledStartTime"),
        (("--start", "--method", "create-only"), "InvalidParameter.ExecutionMethod"),
        (("--start", "--at", "+2h"), "InvalidParameter.ScheduledStartTime"),
    ],
)
def test_what_cannot_be_is_refused(smc: Smc, running: Center, options: tuple[str, ...], code: str) -> None:
    status, _, errors = smc("job", "create", running.import_server().source_id, *options)
    assert status == 1
    assert f"[{code}]" in errors


def test_a_job_is_tested_first_if_nothing_else_is_said(smc: Smc, running: Center) -> None:
    status, printed, errors = smc("job", "create", running.import_server().source_id)
    assert status == 0, errors
    assert "its test has begun; the migration follows" in printed
    job = json.loads(smc("job", "list", "--json")[1])["ReplicationJobs"]["ReplicationJob"][0]
    assert (job["Status"], job["ExecutionMethod"]) == ("Running", "TestAndMigrate")


def test_a_method_can_be_named(smc: Smc, running: Center) -> None:
    job = create(smc, running, "--method", "now")
    assert shown(smc, job)["Status"] == "Running"
    assert shown(smc, job)["ExecutionMethod"] == "MigrateNow"


def failed_with_an_instance(smc: Smc, running: Center) -> str:
    job = create(smc, running, "--start")
    store = running.parts.store
    store.resources.record(Kind.INSTANCE, "i-1", name="No_Delete", job=job, run=1, purpose=TEMPORARY)
    failure = Failure(kind="Broken", code="Sync.Stalled", message="Nothing moved.", hint="Look at the log.")
    store.jobs.end(run_of(running, job), JobStatus.IN_ERROR, failure=failure)
    return job


def test_a_failed_job_shows_what_it_keeps(smc: Smc, running: Center) -> None:
    job = failed_with_an_instance(smc, running)
    printed = smc("job", "show", job)[1]
    assert "Sync.Stalled" in printed
    assert "Nothing moved. Look at the log." in printed
    assert "instance  i-1  No_Delete" in " ".join(printed.split(" ")).replace("   ", "  ")


def test_cancelling_shows_what_is_released_and_asks(
    smc: Smc, running: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = failed_with_an_instance(smc, running)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    status, printed, _ = smc("job", "cancel", job)
    assert status == 1
    assert "i-1" in printed
    assert shown(smc, job)["Status"] == "InError"
    assert smc("job", "cancel", job, "--json")[0] == 1
    status, printed, _ = smc("job", "cancel", job, "--yes")
    assert status == 0
    assert "i-1" in printed
    assert printed.endswith(f"deleting {job}\n")
    assert running.jobs.calls[-1] == ("delete", job)


def test_deleting_waits_until_the_job_is_gone(smc: Smc, running: Center) -> None:
    job = create(smc, running)
    store = running.parts.store
    store.jobs.begin_deleting(job)
    store.jobs.remove(job)
    status, _, errors = smc("job", "delete", job, "--wait")
    assert (status, "InvalidJobId.NotFound" in errors) == (1, True)


def test_times_are_written_in_two_ways() -> None:
    now = 1_795_000_000.0
    assert moment("", now, parameter="X") == ""
    assert moment("+2h", now, parameter="X") == moment("2026-11-18T13:06:40Z", now, parameter="X")
    for text in ("2h", "+2", "+2w", "2026-11-18", "yesterday", "2026-13-18T00:00:00Z"):
        with pytest.raises(UserError):
            moment(text, now, parameter="X")
    assert moment("+10m", time.time(), parameter="X", soonest=600)
