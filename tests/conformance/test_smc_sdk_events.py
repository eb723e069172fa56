"""What happened, as the official SDK's generic call gives it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create, run_of
from tests.unit.center.running import Center, center

from smc.center.app import upkeep_of
from smc.center.clock import HandClock
from smc.center.store.events import EventFilter, EventKind, NewEvent
from smc.center.store.job_status import KINDS
from smc.center.store.resources import IMAGE
from smc.center.store.sources import OFFLINE_SECONDS, Sign
from smc.cloud.driver import Kind
from smc.model.job import JobStatus
from smc.model.progress import Failure

SRC = Path(__file__).parents[2] / "src" / "smc"
WRITES_STATUS = re.compile(r"""["']status["']\s*:(?!\s*JobStatus\()|\bvalues\([^)]*\bstatus=""")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def running(tmp_path: Path, clock: HandClock) -> Iterator[Center]:
    with center(tmp_path, agents=False, clock=clock) as running:
        yield running


def events(sdk: Client, **wanted: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(sdk, "DescribeEvents", **{"PageSize": 50, **wanted})["Events"]["Event"]
    return found


def kinds(sdk: Client, **wanted: object) -> list[str]:
    """Oldest first, without who asked for it."""
    found = [event["Kind"] for event in reversed(events(sdk, **wanted))]
    return [kind for kind in found if kind != "Audit"]


def test_each_change_of_a_job_is_an_event(running: Center, sdk: Client) -> None:
    source = running.import_server().source_id
    job = create(sdk, source, name="move-web")
    jobs = running.parts.store.jobs
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    failure = Failure(kind="UserError", code="Disk.Full", message="The disk is full.", hint="Make room.")
    assert jobs.end(run_of(running, job), JobStatus.IN_ERROR, failure=failure)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    assert jobs.end(run_of(running, job), JobStatus.STOPPED)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    running.parts.store.resources.record(Kind.IMAGE, "m-1", name="web", job=job, run=3, purpose=IMAGE)
    assert jobs.deliver(run_of(running, job), "m-1")
    assert jobs.deliver(run_of(running, job), "m-1"), "a step that was cut off is taken again"
    assert jobs.end(run_of(running, job), JobStatus.FINISHED)
    assert not jobs.end(run_of(running, job), JobStatus.FINISHED), "it is over"
    running.parts.store.resources.released(Kind.IMAGE, "m-1")
    running.parts.store.resources.released(Kind.IMAGE, "m-1")
    sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
    jobs.remove(job)
    assert kinds(sdk, JobId=[job]) == [
        "Job.Created",
        "Job.Started",
        "Job.InError",
        "Job.Started",
        "Job.Stopped",
        "Job.Started",
        "Image.Made",
        "Job.Finished",
        "Image.Dropped",
        "Job.Deleting",
        "Job.Deleted",
    ]
    (wrong,) = events(sdk, JobId=[job], Level="error")
    assert (wrong["Code"], wrong["Hint"], wrong["Run"], wrong["SourceId"]) == (
        "Disk.Full",
        "Make room.",
        1,
        source,
    )
    assert wrong["Message"] == f"The job {job} (move-web) is in error: The disk is full."


def test_each_status_has_an_event_and_is_written_in_one_place_only() -> None:
    assert set(KINDS) == set(JobStatus)
    for path in (SRC / "center").rglob("*.py"):
        text = path.read_text()
        if "tables import jobs" in text and path.name != "job_status.py":
            assert not WRITES_STATUS.search(text), f"{path.name} writes the status of a job"


def test_a_source_that_goes_silent_and_comes_back_is_told_once_each(
    running: Center, sdk: Client, clock: HandClock
) -> None:
    store = running.parts.store
    source = running.import_server().source_id
    clock.tick(OFFLINE_SECONDS - 1)
    store.presence.look()
    clock.tick(2)
    store.presence.look()
    store.presence.look()
    assert kinds(sdk, SourceId=[source]) == ["Source.Imported", "Source.Offline"]
    clock.tick(100)
    store.sources.beat({source: Sign(time=clock.now(), address="192.0.2.1")})
    store.presence.look()
    store.presence.look()
    assert kinds(sdk, SourceId=[source])[2:] == ["Source.Back"]
    running.import_server()
    sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=source))
    store.presence.look()
    assert kinds(sdk, SourceId=[source])[3:] == ["Source.Imported", "Source.Deleted"]


def test_a_center_that_starts_waits_before_it_calls_a_source_silent(
    running: Center, sdk: Client, clock: HandClock
) -> None:
    source = running.import_server().source_id
    clock.jump(10 * OFFLINE_SECONDS)  # the machine was off; the process is new
    running.parts.store.presence.look()
    assert kinds(sdk, SourceId=[source]) == ["Source.Imported"]
    clock.tick(OFFLINE_SECONDS + 1)
    running.parts.store.presence.look()
    assert kinds(sdk, SourceId=[source]) == ["Source.Imported", "Source.Offline"]


def test_events_are_filtered_paged_and_followed(running: Center, sdk: Client, clock: HandClock) -> None:
    add = running.parts.store.events.add
    first = add(NewEvent(kind=EventKind.JOB_FINISHED, job="j-1", message="one"))
    clock.tick(3600)
    for number in range(12):
        add(NewEvent(kind=EventKind.JOB_STARTED, job="j-2", workgroup="w-1", message=str(number)))
    answer = call(sdk, "DescribeEvents", JobId=["j-2"], PageNumber=2)
    assert (answer["TotalCount"], answer["PageSize"]) == (12, 10)
    assert [event["Message"] for event in answer["Events"]["Event"]] == ["1", "0"]
    assert len(events(sdk, WorkgroupId=["w-1"], Kind=["Job.Started"])) == 12
    assert [event["Message"] for event in events(sdk, AfterEventId=first)][:2] == ["0", "1"]
    assert [event["Message"] for event in events(sdk, EndTime="2027-01-15T08:30:00Z")] == ["one"]
    assert len(events(sdk, StartTime="2027-01-15T08:30:00Z")) == 12
    with refused("InvalidParameter.Kind.1", match="Job.InError"):
        events(sdk, Kind=["Job.Unheard"])
    with refused("InvalidParameter.StartTime"):
        events(sdk, StartTime="yesterday")


def test_an_event_names_the_workgroup_that_its_source_is_in(running: Center, sdk: Client) -> None:
    source = running.import_server().source_id
    group = call(sdk, "CreateWorkgroup", Name="wave-1")["WorkgroupId"]
    call(sdk, "AssociateSourceServers", WorkgroupId=group, SourceId=[source])
    job = create(sdk, source)
    running.parts.store.resources.record(Kind.IMAGE, "m-1", name="web", job=job, run=0, purpose=IMAGE)
    running.parts.store.resources.released(Kind.IMAGE, "m-1")
    sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
    running.parts.store.jobs.remove(job)
    sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=source))
    found = events(sdk, WorkgroupId=[group])
    assert {event["Kind"] for event in found} >= {
        "Job.Created",
        "Image.Dropped",
        "Job.Deleted",
        "Source.Deleted",
    }
    assert {event["SourceId"] for event in found} == {source}


def test_events_are_forgotten_after_their_time(running: Center, clock: HandClock) -> None:
    store = running.parts.store
    store.events.add(NewEvent(kind=EventKind.JOB_FINISHED, message="old"))
    clock.tick(91 * 86400)
    kept = store.events.add(NewEvent(kind=EventKind.JOB_FINISHED, message="new"))
    upkeep = upkeep_of(running.parts, running.cloud, running.jobs)
    (forget,) = (chore for chore in upkeep.chores if chore.name == "retention")
    forget.do()
    total, found = store.events.page(EventFilter(), offset=0, limit=10)
    assert (total, [event.id for event in found]) == (1, [kept])
