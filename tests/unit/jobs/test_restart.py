"""What a new start of the center does with jobs that were at work."""

from pathlib import Path

from dbos import DBOS
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.ends import Ends
from tests.unit.jobs.test_story import made_once, only_the_image_is_left

from smc.center.jobs.migrate import STORY
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus


def copied_300(ends: Ends) -> None:
    """What is on the disks of the intermediate instance outlives the center."""
    ends.copied = 300


def held(folder: Path, cloud: MemoryCloud) -> tuple[Center, str]:
    """A center with a job that has copied a part and waits."""
    center = Center(folder, cloud)
    center.ends.hold_at = 300
    job = center.new_job()
    center.start(job)
    until(lambda: center.ends.copied == 300)
    return center, job


def test_a_center_started_again_goes_on_with_the_same_run(tmp_path: Path) -> None:
    cloud = MemoryCloud()
    center, job = held(tmp_path, cloud)
    center.close()
    assert center.job(job).status is JobStatus.RUNNING
    center = Center(tmp_path, cloud, before_open=copied_300)
    try:
        done = center.ends_as(job, JobStatus.FINISHED)
        assert done.run_number == 1
        assert center.ends.sent == {f"{job}.1": 700}
        assert made_once(center)
        assert only_the_image_is_left(center, done.image_id)
    finally:
        center.close()


def test_a_center_with_another_story_goes_on_with_a_new_run(tmp_path: Path) -> None:
    cloud = MemoryCloud()
    center, job = held(tmp_path, cloud)
    center.close()
    center = Center(tmp_path, cloud, story=f"{STORY}-next", before_open=copied_300)
    try:
        done = center.ends_as(job, JobStatus.FINISHED)
        assert done.run_number == 2
        assert sum(center.ends.sent.values()) == 700
        assert made_once(center)
        assert only_the_image_is_left(center, done.image_id)
        found = DBOS.get_workflow_status(f"{job}.1")
        assert found
        assert found.status == "CANCELLED"
        first = center.store.runs.find(job, 1)
        assert first
        assert first.ended is not None
    finally:
        center.close()


def test_a_start_that_was_written_but_not_handed_over_is_found(tmp_path: Path) -> None:
    cloud = MemoryCloud()
    center = Center(tmp_path, cloud)
    job = center.new_job()
    center.runner.start = lambda job_id: None  # type: ignore[method-assign]  # the center dies here
    center.start(job)
    center.close()
    center = Center(tmp_path, cloud)
    try:
        center.ends_as(job, JobStatus.FINISHED)
    finally:
        center.close()


def test_a_deletion_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    cloud = MemoryCloud()
    center, job = held(tmp_path, cloud)
    center.store.jobs.want_stop(job)
    center.ends_as(job, JobStatus.STOPPED)
    center.store.jobs.begin_deleting(job)
    center.close()
    center = Center(tmp_path, cloud)
    try:
        until(lambda: center.store.jobs.find(job) is None)
        assert cloud.left == []
    finally:
        center.close()
