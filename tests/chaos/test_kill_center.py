"""`kill -9` of the center at any moment loses nothing and makes nothing twice."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from smc.center.jobs.migrate import STORY
from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud

pytestmark = pytest.mark.chaos

ROOT = Path(__file__).parents[2]
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


def center(folder: Path, story: str = STORY, moment: str = "") -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "tests.chaos.center", str(folder), story, *moment.split()]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def killed(folder: Path, moment: str, story: str = STORY) -> None:
    ended = center(folder, story, moment)
    assert ended.returncode == -signal.SIGKILL, f"{moment}: {ended.stdout}{ended.stderr[-2000:]}"


def finished(folder: Path, story: str = STORY) -> str:
    ended = center(folder, story)
    assert ended.stdout.startswith("finished m-"), ended.stdout + ended.stderr[-2000:]
    return ended.stdout.split()[1]


def left(folder: Path) -> dict[Kind, int]:
    kinds = [resource.kind for resource in MemoryCloud(folder / "cloud.json").left]
    return {kind: kinds.count(kind) for kind in set(kinds)}


def test_a_center_killed_at_every_call_of_the_cloud_makes_nothing_twice(tmp_path: Path) -> None:
    for moment in MOMENTS:
        killed(tmp_path, moment)
    finished(tmp_path)
    assert MemoryCloud(tmp_path / "cloud.json").made == MADE
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}


@pytest.mark.parametrize(
    "moment", ["after create_vpc 1", "after launch 1", "copied 300", "after create_snapshot 1"]
)
def test_a_center_of_another_story_continues_what_was_killed(tmp_path: Path, moment: str) -> None:
    killed(tmp_path, moment)
    finished(tmp_path, story="another")
    made = MemoryCloud(tmp_path / "cloud.json").made
    temporary = (Kind.VPC, Kind.VSWITCH, Kind.SECURITY_GROUP, Kind.INSTANCE, Kind.DISK)
    assert {kind: made[kind] for kind in temporary} == {kind: MADE[kind] for kind in temporary}
    assert made[Kind.IMAGE] == 1
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}


def test_an_image_of_an_interrupted_run_is_not_left_beside_the_delivered_one(tmp_path: Path) -> None:
    killed(tmp_path, "after create_image 1")
    image = finished(tmp_path, story="another")
    found = MemoryCloud(tmp_path / "cloud.json").image(image)
    assert found
    assert found.name == "web-image"
    assert left(tmp_path) == {Kind.IMAGE: 1, Kind.SNAPSHOT: 2}
