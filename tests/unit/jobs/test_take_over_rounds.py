"""An incremental job onto an instance: rounds bring its disks up to date; its cutover starts the copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.jobs.center import Center
from tests.unit.jobs.onto_instance import Before, is_as_it_was, is_the_source_now, onto
from tests.unit.jobs.test_story import failing
from tests.unit.jobs.test_take_over import MADE, deleted

from smc.base.errors import UserError
from smc.center.store.values import Job
from smc.cloud.driver import Kind, Power
from smc.cloud.memory import MemoryCloud, no_hook
from smc.model.job import JobStatus, RunAim


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def incremental(center: Center) -> tuple[str, Before]:
    return onto(center, run_once=False, frequency_hours=24)


def a_round(center: Center, job: str) -> Job:
    center.start(job)
    return center.ends_as(job, JobStatus.WAITING)


def test_rounds_make_no_system_of_the_copy_and_share_all_that_was_made(center: Center) -> None:
    job, before = incremental(center)
    first = a_round(center, job)
    assert f"the disks of {before.seen.id} are up to date" in first.note
    made = dict(center.cloud.made)
    center.ends.copied = 0
    second = a_round(center, job)
    assert dict(center.cloud.made) == made, "the second round makes nothing"
    assert second.transition_instance_id == before.seen.id
    assert center.cloud.state(before.seen.id) == Power.RUNNING.value
    assert center.cloud.system(before.seen.id).startswith("m-intermediate")
    assert center.cloud.made[Kind.IMAGE] == 1, "that of the old system"
    assert [run.round for run in center.store.runs.of_job(job)] == [1, 2]


@pytest.mark.parametrize("aim", [RunAim.LAST, RunAim.RELEASE])
def test_the_cutover_makes_the_copy_the_instances_system_and_starts_it(center: Center, aim: RunAim) -> None:
    job, before = incremental(center)
    a_round(center, job)
    center.ends.copied = 0
    center.cut_over(job, aim)
    center.ends_as(job, JobStatus.FINISHED)
    is_the_source_now(center.cloud, before)
    assert {kind: center.cloud.made[kind] for kind in MADE} == MADE
    assert (center.ends.copied == 0) == (aim is RunAim.RELEASE), "without data nothing is copied any more"


@pytest.mark.parametrize("call", ["create_snapshot", "create_image", "replace_system_disk"])
def test_a_cutover_that_failed_is_still_one_when_it_is_started_again(center: Center, call: str) -> None:
    job, before = incremental(center)
    a_round(center, job)
    center.cloud.hook = failing(call, UserError("no quota", code="QuotaExceed"))
    center.cut_over(job, RunAim.RELEASE)
    center.ends_as(job, JobStatus.IN_ERROR)
    center.cloud.hook = no_hook
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    is_the_source_now(center.cloud, before)


def test_a_job_that_waits_and_is_deleted_brings_the_instance_back(center: Center) -> None:
    job, before = incremental(center)
    a_round(center, job)
    deleted(center, job)
    is_as_it_was(center.cloud, before)
