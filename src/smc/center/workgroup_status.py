"""How a workgroup stands, computed from the latest job of each of its sources."""

from collections.abc import Collection, Sequence
from enum import Enum

from smc.center.store.workgroups import Member
from smc.model.job import JobStatus

DRILL_FAILED = "Drill.Critical"  # why a job is InError that did not pass its test (contracts, 6)


class WorkgroupStatus(Enum):
    """The public API names the four and leaves open what makes each; `status_of` is our reading."""

    NOT_STARTED = "NotStarted"
    IN_PROGRESS = "InProgress"
    CUTOVER = "Cutover"
    COMPLETED = "Completed"


class Warned(Enum):
    """What is wrong with a source of a workgroup."""

    IN_ERROR = "InError"
    UNRELATED = "UnRelated"
    NOT_PASSED = "NotPassed"


def status_of(members: Sequence[Member], cutting_over: Collection[str]) -> WorkgroupStatus:
    """Completed: there are sources, and the latest job of each is Finished. Cutover: one of the jobs is
    wished to be cut over, or being so. NotStarted: no job has run. InProgress: anything between.

    `cutting_over`: ids of jobs.
    """
    if members and all(member.status is JobStatus.FINISHED for member in members):
        return WorkgroupStatus.COMPLETED
    if any(member.job in cutting_over for member in members):
        return WorkgroupStatus.CUTOVER
    if any(member.started for member in members):
        return WorkgroupStatus.IN_PROGRESS
    return WorkgroupStatus.NOT_STARTED


def warnings_of(members: Sequence[Member]) -> dict[Warned, list[str]]:
    """Ids of sources by what is wrong; what concerns nobody is left out.

    A job that failed its test is in error too, so its source is named under both.
    """
    found: dict[Warned, list[str]] = {}
    for member in members:
        for warned in _warnings(member):
            found.setdefault(warned, []).append(member.source)
    return found


def _warnings(member: Member) -> list[Warned]:
    if not member.job:
        return [Warned.UNRELATED]
    if member.status is not JobStatus.IN_ERROR:
        return []
    failed = [Warned.IN_ERROR]
    return [*failed, Warned.NOT_PASSED] if member.failure_code == DRILL_FAILED else failed
