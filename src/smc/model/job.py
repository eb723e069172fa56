"""Words for the life of a source, a job and an activation code (public API; service-facts 1.1 and 2.2)."""

from enum import Enum


class SourceState(Enum):
    AVAILABLE = "Available"
    IN_USE = "InUse"
    UNAVAILABLE = "Unavailable"
    DELETING = "Deleting"


class JobStatus(Enum):
    READY = "Ready"
    RUNNING = "Running"
    STOPPED = "Stopped"
    IN_ERROR = "InError"
    FINISHED = "Finished"
    WAITING = "Waiting"
    EXPIRED = "Expired"
    DELETING = "Deleting"


UNFINISHED = frozenset(  # these block a second job on the same source
    {
        JobStatus.READY,
        JobStatus.RUNNING,
        JobStatus.STOPPED,
        JobStatus.IN_ERROR,
        JobStatus.WAITING,
        JobStatus.EXPIRED,
    }
)


class BusinessStatus(Enum):
    """Meaningful while a job is Running."""

    PREPARING = "Preparing"
    SYNCING = "Syncing"
    PROCESSING = "Processing"
    CLEANING = "Cleaning"


class TokenStatus(Enum):
    ACTIVATED = "activated"  # usable
    UNACTIVATED = "unactivated"  # disabled
    EXPIRED = "expired"


class RunAim(Enum):
    """What a run is there for."""

    DRILL = "drill"  # the migration test
    ROUND = "round"  # an image, then waiting for the next round
    LAST = "last"  # an image, then the end: the only round of a job, or its cutover
    RELEASE = "release"  # no more data: what is temporary is released, then the end


class DrillStatus(Enum):
    """Of the newest migration test of a job; FAILED: it could not be carried out to its end."""

    NOT_RUN = "NotRun"
    RUNNING = "Running"
    PASSED = "Passed"
    WARNING = "Warning"
    CRITICAL = "Critical"
    FAILED = "Failed"


class RunType(Enum):
    MANUAL = "Manual"
    SCHEDULE = "Schedule"


def run_id(job: str, number: int) -> str:
    """`j-1` and 2 -> `j-1.2`: one workflow, one order, one ticket, one set of certificates."""
    return f"{job}.{number}"


def run_number(run: str) -> int:
    return int(run.rsplit(".", 1)[1])


def run_job(run: str) -> str:
    return run.rsplit(".", 1)[0]
