"""How a workgroup stands, computed from the latest job of each of its sources."""

from collections.abc import Collection, Sequence
from enum import Enum

from smc.center.store.workgroups import Member
from smc.model.job import DrillStatus, JobStatus

NOT_PASSED = (DrillStatus.CRITICAL, DrillStatus.FAILED)


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


def status_of(members: Sequence[Member], wished: Collection[str]) -> WorkgroupStatus:
    """Completed: there are sources, and the latest job of each is Finished. Cutover: one of the jobs is
    wished to be cut over, or its cut-over has begun. NotStarted: no job has run. InProgress: all between.

    `wished`: ids of the jobs that are to be cut over.
    """
    if members and all(member.status is JobStatus.FINISHED for member in members):
        return WorkgroupStatus.COMPLETED
    if any(member.cutting_over or member.job in wished for member in members):
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
    failed = [Warned.IN_ERROR] if member.status is JobStatus.IN_ERROR else []
    return [*failed, Warned.NOT_PASSED] if member.drill in NOT_PASSED else failed
