"""`kill -9` of a center at any moment of an incremental job loses no round and makes none twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.chaos.program import Program, left

from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud

pytestmark = pytest.mark.chaos

CENTER = Program("tests.chaos.rounds")
MOMENTS: Sequence[str] = (  # in the order of the story: each start gets one further
    "begun 1",  # its time has come
    "after launch 1",
    "before start 1",  # the image is there, the instance is still off
    "after start 1",
    "begun 1",  # round 2
    "after stop 1",
    "after create_snapshot 2",
    "before create_image 1",
    "after create_image 1",
    "before instances 1",  # who uses the older image
    "before delete 1",  # of it
    "after delete 1",
    "after start 1",
    "after create_image 1",  # of round 3
    "after delete 1",
    "begun 1",  # the cutover, after what is left of round 3
    "after create_image 1",
    "before delete 1",
    "after delete 1",
    "after delete 3",  # of what was temporary
)
MADE = {
    Kind.VPC: 1,
    Kind.VSWITCH: 1,
    Kind.SECURITY_GROUP: 1,
    Kind.INSTANCE: 1,
    Kind.DISK: 3,
    Kind.SNAPSHOT: 8,
    Kind.IMAGE: 4,
}


def test_a_center_killed_at_every_step_of_its_rounds_makes_each_image_once(tmp_path: Path) -> None:
    for moment in MOMENTS:
        CENTER.killed(tmp_path, moment)
    CENTER.finished(tmp_path, says="finished [1, 2, 3, 4]")
    assert MemoryCloud(tmp_path / "cloud.json").made == MADE
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}
