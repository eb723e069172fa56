"""What a finished job may leave in the cloud: its image with the snapshots behind it, nothing else."""

from demo.stages import Failed
from smc.cloud.driver import TAG_JOB, Driver, Kind

LASTING = frozenset({Kind.IMAGE, Kind.SNAPSHOT})


def nothing_temporary(driver: Driver, job: str) -> None:
    """Raises `Failed` with the ids of what should be gone."""
    left = [found for found in driver.find({TAG_JOB: job}) if found.kind not in LASTING]
    if left:
        raise Failed("left behind: " + ", ".join(f"{found.kind.value} {found.id}" for found in left))
