"""What a finished job may leave in the cloud: its image with the snapshots behind it, nothing else."""

import time

from demo.stages import Failed
from smc.cloud.driver import TAG_JOB, Driver, Kind

SECONDS_TO_RELEASE = 60.0
LASTING = frozenset({Kind.IMAGE, Kind.SNAPSHOT})


def nothing_temporary(driver: Driver, job: str) -> None:
    """Raises `Failed` with the ids of what should be gone; releasing takes the cloud a moment."""
    deadline = time.monotonic() + SECONDS_TO_RELEASE
    while left := [found for found in driver.find({TAG_JOB: job}) if found.kind not in LASTING]:
        if time.monotonic() > deadline:
            raise Failed("left behind: " + ", ".join(f"{found.kind.value} {found.id}" for found in left))
        time.sleep(1)
