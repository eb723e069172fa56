"""The story of a job whose target is a container image."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.jobs.center import FAST, Center, until

from smc.center.containers.pushed import pushed
from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud
from smc.model.job import BusinessStatus, JobStatus

REQUEST = {
    "target_type": "ContainerImage",
    "container_namespace": "team",
    "container_repository": "web",
    "container_tag": "v1",
}


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    settings = msgspec.structs.replace(FAST, containers=tmp_path / "containers")
    center = Center(tmp_path, MemoryCloud(), settings=settings)
    yield center
    center.close()


def test_a_container_image_is_pushed_and_nothing_stays_in_the_cloud(center: Center) -> None:
    job = center.new_job(**REQUEST)
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    image = pushed(center.store, done)
    assert image is not None
    assert image.reference == "team/web:v1"
    assert done.image_id == ""
    assert list(center.cloud.left) == []
    assert center.cloud.made[Kind.SNAPSHOT] == center.cloud.made[Kind.IMAGE] == 0
    said = [line.message for line in center.store.log.page(job, offset=0, limit=50)[1]]
    assert "The container image team/web:v1 is there." in said
    assert said[-1] == "Finished: the image is team/web:v1."


def test_a_stopped_job_pushes_when_it_is_started_again(center: Center) -> None:
    job = center.new_job(**REQUEST)
    center.ends.hold_at = 300
    center.start(job)
    until(lambda: center.job(job).business_status is BusinessStatus.SYNCING and center.ends.copied >= 300)
    center.store.jobs.want_stop(job)
    center.runner.stop(job)
    center.ends_as(job, JobStatus.STOPPED)
    center.ends.hold_at = 1 << 30
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    assert center.cloud.made[Kind.INSTANCE] == 1


@pytest.mark.parametrize("whole", [False, True])
def test_a_deleted_job_leaves_whole_images_only(center: Center, tmp_path: Path, whole: bool) -> None:
    job = center.new_job(**REQUEST)
    folder = tmp_path / "containers" / job
    folder.mkdir(parents=True)
    if whole:
        center.start(job)
        center.ends_as(job, JobStatus.FINISHED)
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)
    assert folder.exists() is whole
