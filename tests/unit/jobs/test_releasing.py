"""What was made for a job goes with it, and what cannot go is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.test_story import failing, impatient, only_the_image_is_left

from smc.base.errors import UserError
from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud, no_hook
from smc.model.job import JobStatus


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def test_deleting_a_stopped_job_releases_everything(center: Center) -> None:
    center.ends.hold_at = 300
    job = center.new_job()
    center.start(job)
    until(lambda: center.ends.copied == 300)
    center.store.jobs.want_stop(job)
    center.ends_as(job, JobStatus.STOPPED)
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)
    assert center.cloud.left == []
    assert center.store.resources.kept(job=job) == []


def test_deleting_a_finished_job_leaves_its_image(center: Center) -> None:
    job = center.new_job()
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)
    assert only_the_image_is_left(center, done.image_id)


def test_what_cannot_be_released_is_named_and_tried_again(tmp_path: Path) -> None:
    center = impatient(tmp_path)
    try:
        center.ends.silent = True
        job = center.new_job()
        center.start(job)
        center.ends_as(job, JobStatus.IN_ERROR)
        center.cloud.hook = failing("delete", UserError("locked", code="Forbidden.RAM"), times=10_000)
        center.store.jobs.begin_deleting(job)
        center.runner.delete(job)
        until(lambda: center.store.log.page(job, offset=0, limit=100)[0] >= 4)
        _, lines = center.store.log.page(job, offset=0, limit=100)
        named = [line.message for line in lines if line.code == "Cleaning.Incomplete"]
        (instance,) = [r.id for r in center.cloud.left if r.kind is Kind.INSTANCE]
        assert any(instance in sentence and "locked" in sentence for sentence in named)
        center.cloud.hook = no_hook

        def deleted() -> bool:
            center.runner.delete(job)
            return center.store.jobs.find(job) is None

        until(deleted)
        assert center.cloud.left == []
    finally:
        center.close()
