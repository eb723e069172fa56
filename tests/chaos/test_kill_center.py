"""`kill -9` of the center at any moment loses nothing and makes nothing twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.chaos.program import Program, left

from smc.center.jobs.migrate import STORY
from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud

pytestmark = pytest.mark.chaos

CENTER = Program("tests.chaos.center", story=STORY)
MOMENTS: Sequence[str] = (  # in the order of the story: each start gets one further
    "before create_vpc 1",
    "after create_vpc 1",
    "before create_vswitch 1",
    "after create_vswitch 1",
    "after create_security_group 1",
    "after admit 1",
    "before launch 1",
    "after launch 1",
    "copied 300",
    "copied 600",
    "before stop 1",
    "after stop 1",
    "after create_snapshot 1",
    "after create_snapshot 2",
    "before create_image 1",
    "after create_image 1",
    "after delete 1",
    "after delete 4",
)
MADE = {
    Kind.VPC: 1,
    Kind.VSWITCH: 1,
    Kind.SECURITY_GROUP: 1,
    Kind.INSTANCE: 1,
    Kind.DISK: 3,
    Kind.SNAPSHOT: 2,
    Kind.IMAGE: 1,
}


def test_a_center_killed_at_every_call_of_the_cloud_makes_nothing_twice(tmp_path: Path) -> None:
    for moment in MOMENTS:
        CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path, says="finished m-")
    assert MemoryCloud(tmp_path / "cloud.json").made == MADE
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}


@pytest.mark.parametrize(
    "moment", ["after create_vpc 1", "after launch 1", "copied 300", "after create_snapshot 1"]
)
def test_a_center_of_another_story_continues_what_was_killed(tmp_path: Path, moment: str) -> None:
    CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path, story="another", says="finished m-")
    made = MemoryCloud(tmp_path / "cloud.json").made
    temporary = (Kind.VPC, Kind.VSWITCH, Kind.SECURITY_GROUP, Kind.INSTANCE, Kind.DISK)
    assert {kind: made[kind] for kind in temporary} == {kind: MADE[kind] for kind in temporary}
    assert made[Kind.IMAGE] == 1
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}


def test_an_image_of_an_interrupted_run_is_not_left_beside_the_delivered_one(tmp_path: Path) -> None:
    CENTER.killed(tmp_path, "after create_image 1")
    image = CENTER.finished(tmp_path, story="another", says="finished m-")[1]
    found = MemoryCloud(tmp_path / "cloud.json").image(image)
    assert found
    assert found.name == "web-image"
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}
