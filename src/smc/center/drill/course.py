"""The items of a drill that its own course answers: network, transfer, destination, start."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from smc.base.units import readable_size
from smc.model.drill import Group, Item
from smc.model.report import Check, Level, Proof

SLOW = 2e6  # bytes a second: 500 GB take three days


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What the destination has: `zones` where an intermediate instance is in stock."""

    zones: int
    jobs_left: int  # that the quota still allows to run at once; -1 without a limit


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied by the drill, with the speed before compression in bytes a second."""

    size: int
    files: int
    speed: float
    resent: int = 0
    proof: tuple[Proof, ...] = ()
    moving: int = 0  # files that did not hold still or could not be read


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How the copy started in isolation. `cause` is what its console shows, "" when it is well."""

    powered_on: bool
    network_up: bool
    answers: bool
    cause: str = ""
    port: int = 22


def judge_room(room: Room) -> Iterator[Item]:
    level, finding, cure = Level.PASSED, f"an intermediate instance is in stock in {room.zones} zones", ""
    if not room.zones:
        level, finding = Level.CRITICAL, "no zone has an intermediate instance in stock"
        cure = "Choose InstanceType, another vSwitch or another region."
    yield _item(Group.TARGET, "Stock", level, finding, cure)
    level, finding, cure = Level.PASSED, "the quota of jobs that run at once is not reached", ""
    if room.jobs_left == 0:
        level, finding = Level.WARNING, "as many jobs run as the quota allows"
        cure = "Wait until one has ended, or raise the quota with `smc serve --quota`."
    yield _item(Group.TARGET, "Quota", level, finding, cure)


def judge_network(reached: str) -> Iterator[Item]:
    """`reached` is HOST:PORT of the receiver to which the agent connected."""
    yield _item(
        Group.NETWORK, "ReceiverReach", Level.PASSED, f"the source reaches the receiver at {reached}", ""
    )


def judge_transfer(transfer: Transfer) -> Iterator[Item]:
    told = f"{readable_size(int(transfer.speed))}/s, {readable_size(transfer.size)} in {transfer.files} files"
    slow = transfer.speed < SLOW and transfer.size > SLOW * 10
    cure = "Look at the line, at bandwidth_limit, or migrate in a private network." if slow else ""
    yield _item(Group.TRANSFER, "Speed", Level.WARNING if slow else Level.PASSED, told, cure)
    unequal = [
        f"disk {proof.disk} partition {proof.partition}" for proof in transfer.proof if not proof.equal
    ]
    if unequal:
        finding, cure = (
            f"not equal to the source: {', '.join(unequal)}",
            "Retry the drill; if it stays, report it.",
        )
        yield _item(Group.TRANSFER, "Equality", Level.CRITICAL, finding, cure)
    else:
        finding = f"the hashes of {len(transfer.proof)} filesystems are the same at both ends"
        yield _item(Group.TRANSFER, "Equality", Level.PASSED, finding, "")
    level, finding, cure = Level.PASSED, "all files held still and could be read", ""
    if transfer.moving:
        level, finding = (
            Level.WARNING,
            f"{transfer.moving} files changed while they were read or could not be",
        )
        cure = "DescribeReports names them: stop what writes them before the last round."
    yield _item(Group.TRANSFER, "FilesHeldStill", level, finding, cure)


def judge_checks(checks: Sequence[Check]) -> Iterator[Item]:
    """What the conversion found of the copy."""
    for check in checks:
        name = re.sub(r"[^A-Za-z0-9.]+", "", check.item.title().replace("Guestos", "GUESTOS"))
        yield _item(Group.START, name, check.level, check.finding, check.cure)


def judge_start(start: Start) -> Iterator[Item]:
    cure = "See console and screenshot; the checks above name what is known to hinder a start."
    for name, is_so, yes, no in (
        ("PoweredOn", start.powered_on, "the copy runs", "the copy could not be powered on"),
        ("NetworkUp", start.network_up, "its network is up", "its network did not come up"),
        (
            "PortAnswers",
            start.answers,
            f"port {start.port} answers",
            f"port {start.port} does not answer" + (f": {start.cause}" if start.cause else ""),
        ),
    ):
        yield _item(
            Group.START,
            name,
            Level.PASSED if is_so else Level.CRITICAL,
            yes if is_so else no,
            "" if is_so else cure,
        )


def _item(group: Group, name: str, level: Level, finding: str, cure: str) -> Item:
    return Item(group=group, name=name, level=level, finding=finding, cure=cure)
