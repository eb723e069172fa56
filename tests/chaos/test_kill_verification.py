"""`kill -9` of the center at any moment of a verification leaves nothing behind and boots nothing twice."""

from pathlib import Path

import pytest
from tests.chaos.program import Program

from smc.cloud.driver import TAG_PURPOSE
from smc.cloud.memory import MemoryCloud

pytestmark = pytest.mark.chaos

CENTER = Program("tests.chaos.verifying")
MOMENTS = (  # in the order of the story: each start gets one further
    "after create_vpc 1",
    "after create_vswitch 1",
    "after create_security_group 1",
    "after isolate_group 1",
    "after launch 1",
    "after instance 1",
    "before delete 1",
    "after delete 1",
    "after delete 2",
)


def test_a_center_killed_at_any_call_ends_the_verification_once(tmp_path: Path) -> None:
    for moment in MOMENTS:
        CENTER.killed(tmp_path, moment)
    assert CENTER.finished(tmp_path, says="Verified") == ["Verified", "2"], "the job's and one more"
    assert MemoryCloud(tmp_path / "cloud.json").find({TAG_PURPOSE: "verification"}) == []
