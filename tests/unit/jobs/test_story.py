"""The story of a job, told against the memory cloud and fake ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.jobs.center import Center

from smc.cloud.driver import TAG_IMAGE, TAG_JOB, TAG_PURPOSE, TAG_RUN, Kind
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def test_a_job_ends_with_an_image_and_nothing_else(center: Center) -> None:
    job = center.new_job()
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert done.progress == 100.0
    assert done.transition_instance_id == ""
    image = center.cloud.image(done.image_id)
    assert image
    assert image.name == "web-image"
    assert len(image.snapshots) == 2
    assert {r.id for r in center.cloud.left} == {image.id, *image.snapshots}
    assert [m.id for m in center.store.resources.kept(job=job, kind=Kind.IMAGE)] == [image.id]
    assert center.cloud.tags(image.snapshots[0])[TAG_IMAGE] == image.id
    assert center.cloud.tags(image.id) == {TAG_JOB: job, TAG_RUN: "1", TAG_PURPOSE: "image"}
