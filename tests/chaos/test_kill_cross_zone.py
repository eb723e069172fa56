"""`kill -9` of the center while it moves an instance into another zone: nothing is made twice or lost."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.chaos.program import Program
from tests.chaos.taking_over import before
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.crossing import MADE, has_moved, is_at_home
from tests.unit.jobs.test_story import failing

from smc.base.errors import UserError
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus

pytestmark = pytest.mark.chaos

CENTER = Program("tests.chaos.moving_zone", story="1")
MOMENTS: Sequence[str] = (  # in the order of the story: each start gets one further
    "before instance 1",
    "before stop 1",
    "after stop 1",
    "before create_snapshot 1",
    "after create_snapshot 1",
    "after create_snapshot 3",
    "after snapshot 1",
    "before create_image 1",
    "after create_image 1",
    "after image 1",
    "before launch 1",
    "after launch 1",
    "after instance 2",
    "after delete 1",
    "after find 2",
)


def job_of(folder: Path) -> str:
    """Its id, from the tags of what it made."""
    cloud = MemoryCloud(folder / "cloud.json")
    return next(job for one in cloud.left if (job := cloud.tags(one.id).get("smc:job")))


def test_a_center_killed_at_every_call_of_the_cloud_makes_nothing_twice(tmp_path: Path) -> None:
    for moment in MOMENTS:
        CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path)
    cloud = MemoryCloud(tmp_path / "cloud.json")
    assert {kind: cloud.made[kind] for kind in MADE} == MADE
    has_moved(cloud, job_of(tmp_path), before(tmp_path))


@pytest.mark.parametrize(
    "moment", ["after stop 1", "after create_snapshot 2", "after create_image 1", "after launch 1"]
)
def test_a_center_of_another_story_begins_anew_and_drops_what_was_made(tmp_path: Path, moment: str) -> None:
    CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path, story="2")
    has_moved(MemoryCloud(tmp_path / "cloud.json"), job_of(tmp_path), before(tmp_path))


def test_a_center_of_another_story_does_not_move_it_again_when_it_has_arrived(tmp_path: Path) -> None:
    CENTER.killed(tmp_path, "after delete 1")
    CENTER.finished(tmp_path, story="2")
    cloud = MemoryCloud(tmp_path / "cloud.json")
    assert {kind: cloud.made[kind] for kind in MADE} == MADE
    has_moved(cloud, job_of(tmp_path), before(tmp_path))


@pytest.mark.parametrize("moment", ["after stop 1", "after create_snapshot 2", "after launch 1"])
def test_a_job_that_was_killed_and_is_given_up_brings_the_instance_back(tmp_path: Path, moment: str) -> None:
    """The center that comes next is of another story, and its cloud says no at once."""
    CENTER.killed(tmp_path, moment)
    cloud = MemoryCloud(tmp_path / "cloud.json")
    cloud.hook = failing("launch", UserError("no", code="Forbidden.RAM"))
    again = Center(tmp_path, cloud, story="2")
    try:
        (job,) = again.store.jobs.in_status(*JobStatus)
        again.ends_as(job.id, JobStatus.IN_ERROR)
        is_at_home(cloud, before(tmp_path))
        again.store.jobs.begin_deleting(job.id)
        again.runner.delete(job.id)
        until(lambda: again.store.jobs.find(job.id) is None)
        is_at_home(cloud, before(tmp_path))
    finally:
        again.close()
