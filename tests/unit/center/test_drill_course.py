"""What a drill says of its own course, and how long a migration will take."""

import pytest

from smc.center.drill.course import (
    Room,
    Start,
    Transfer,
    judge_checks,
    judge_network,
    judge_room,
    judge_start,
    judge_transfer,
)
from smc.center.drill.estimate import Estimate, speed_of
from smc.model.drill import DrillReport, DrillStatus, Group, Item
from smc.model.report import Check, Level, Proof

EQUAL = Proof(disk=0, partition=1, files=3, bytes=9, sent="ab", written="ab")
FINE = Transfer(size=1 << 30, files=1000, speed=50e6, proof=(EQUAL,))


def levels(items: object) -> dict[str, Level]:
    assert hasattr(items, "__iter__")
    return {item.name: item.level for item in items}


def test_a_drill_that_goes_well_passes() -> None:
    items = [
        *judge_room(Room(zones=2, jobs_left=-1)),
        *judge_network("192.0.2.1:8703"),
        *judge_transfer(FINE),
        *judge_checks([Check(item="GUESTOS.Virtio", level=Level.PASSED, finding="there")]),
        *judge_start(Start(powered_on=True, network_up=True, answers=True)),
    ]
    assert {item.level for item in items} == {Level.PASSED}
    assert {item.group for item in items} == {Group.TARGET, Group.NETWORK, Group.TRANSFER, Group.START}
    assert DrillReport(run="j-1.1", started=1.0, items=tuple(items)).status is DrillStatus.PASSED


@pytest.mark.parametrize(
    ("items", "name", "level"),
    [
        (judge_room(Room(zones=0, jobs_left=3)), "Stock", Level.CRITICAL),
        (judge_room(Room(zones=1, jobs_left=0)), "Quota", Level.WARNING),
        (judge_transfer(Transfer(size=1 << 30, files=1, speed=1e6)), "Speed", Level.WARNING),
        (
            judge_transfer(
                Transfer(
                    size=1,
                    files=1,
                    speed=1e9,
                    proof=(Proof(disk=0, partition=1, files=1, bytes=1, sent="a", written="b"),),
                )
            ),
            "Equality",
            Level.CRITICAL,
        ),
        (judge_transfer(Transfer(size=1, files=1, speed=1e9, moving=2)), "FilesHeldStill", Level.WARNING),
        (judge_start(Start(powered_on=False, network_up=False, answers=False)), "PoweredOn", Level.CRITICAL),
        (judge_start(Start(powered_on=True, network_up=False, answers=False)), "NetworkUp", Level.CRITICAL),
        (
            judge_start(Start(powered_on=True, network_up=True, answers=False, cause="kernel panic")),
            "PortAnswers",
            Level.CRITICAL,
        ),
    ],
)
def test_what_is_wrong_has_its_level_and_a_cure(items: object, name: str, level: Level) -> None:
    assert hasattr(items, "__iter__")
    (found,) = [item for item in items if item.name == name]
    assert isinstance(found, Item)
    assert found.level is level
    assert found.cure


def test_the_cause_of_a_start_that_failed_is_told() -> None:
    (item,) = [
        i
        for i in judge_start(
            Start(powered_on=True, network_up=True, answers=False, cause="kernel panic", port=80)
        )
        if i.name == "PortAnswers"
    ]
    assert item.finding == "port 80 does not answer: kernel panic"


def test_the_worst_item_gives_the_status() -> None:
    def report(*found: Level) -> DrillStatus:
        items = tuple(Item(group=Group.SOURCE, name="x", level=level, finding="") for level in found)
        return DrillReport(run="j-1.1", started=0.0, items=items).status

    assert report(Level.PASSED, Level.INFORMATION) is DrillStatus.PASSED
    assert report(Level.PASSED, Level.WARNING) is DrillStatus.WARNING
    assert report(Level.WARNING, Level.CRITICAL, Level.PASSED) is DrillStatus.CRITICAL


def test_an_estimate_follows_the_documented_planning_figures() -> None:
    """service-facts 2.10: 10 GB at 10 Mbit/s are 8192 s of transfer and 341 s of image making."""
    size = 10 * 1024 * 1024 * 1024
    estimate = Estimate(size=size, speed=speed_of(10) * 1.048576)
    assert estimate.seconds["transfer"] == pytest.approx(8192, rel=0.001)
    assert estimate.seconds["process"] - 120 == pytest.approx(358, rel=0.01)  # at 30 MB, not MiB, a second
    assert estimate.total == pytest.approx(sum(estimate.seconds.values()))
