"""`kill -9` of the center while it takes an instance over: nothing is made twice, and it can go back."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.chaos.program import Program
from tests.chaos.taking_over import before
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.onto_instance import is_as_it_was, is_the_source_now
from tests.unit.jobs.test_story import failing

from smc.base.errors import UserError
from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus

pytestmark = pytest.mark.chaos

CENTER = Program("tests.chaos.taking_over", story="1")
MOMENTS: Sequence[str] = (  # in the order of the story: each start gets one further
    "before stop 1",
    "after stop 1",
    "after create_snapshot 1",
    "after create_snapshot 3",
    "before create_image 1",
    "after create_image 1",
    "after intermediate_image 1",
    "after set_user_data 1",
    "before replace_system_disk 1",
    "after replace_system_disk 1",
    "after create_security_group 1",
    "after admit 1",
    "after join_group 1",
    "after create_disk 1",
    "after attach_disk 1",
    "after start 1",
    "copied 300",
    "copied 600",
    "after stop 1",
    "after create_snapshot 1",
    "after create_image 1",
    "before replace_system_disk 1",
    "after replace_system_disk 1",
    "after detach_disk 1",
    "after leave_group 1",
    "after set_user_data 1",
    "after start 1",
    "after delete 1",
    "after delete 3",
)
MADE = {Kind.DISK: 6, Kind.SNAPSHOT: 4, Kind.IMAGE: 2, Kind.INSTANCE: 1, Kind.SECURITY_GROUP: 2}


def test_a_center_killed_at_every_call_of_the_cloud_makes_nothing_twice(tmp_path: Path) -> None:
    for moment in MOMENTS:
        CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path)
    cloud = MemoryCloud(tmp_path / "cloud.json")
    assert {kind: cloud.made[kind] for kind in MADE} == MADE
    is_the_source_now(cloud, before(tmp_path))


@pytest.mark.parametrize(
    "moment",
    [
        "after create_snapshot 2",
        "after replace_system_disk 1",
        "copied 300",
        "after replace_system_disk 2",
        "after start 2",
    ],
)
def test_a_center_of_another_story_continues_what_was_killed(tmp_path: Path, moment: str) -> None:
    CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path, story="2")
    cloud = MemoryCloud(tmp_path / "cloud.json")
    assert cloud.made[Kind.DISK] == MADE[Kind.DISK]
    is_the_source_now(cloud, before(tmp_path))


@pytest.mark.parametrize(
    "moment",
    [
        "after set_user_data 1",
        "after replace_system_disk 1",
        "copied 300",
        "after replace_system_disk 2",
    ],
)
def test_a_job_that_was_killed_and_is_given_up_brings_the_instance_back(tmp_path: Path, moment: str) -> None:
    """The center that comes next is of another story, and its cloud says no at once."""
    CENTER.killed(tmp_path, moment)
    cloud = MemoryCloud(tmp_path / "cloud.json")
    cloud.hook = failing("instance", UserError("no", code="Forbidden.RAM"))
    again = Center(tmp_path, cloud, story="2")
    try:
        (job,) = again.store.jobs.in_status(*JobStatus)
        again.ends_as(job.id, JobStatus.IN_ERROR)
        again.store.jobs.begin_deleting(job.id)
        again.runner.delete(job.id)
        until(lambda: again.store.jobs.find(job.id) is None)
        is_as_it_was(cloud, before(tmp_path))
    finally:
        again.close()
