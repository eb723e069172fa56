"""What a job with a container image as its target has delivered."""

from smc.center.store.store import Store
from smc.center.store.values import Job
from smc.model.report import ContainerImage

CONTAINER_IMAGE = "ContainerImage"  # TargetType


def is_container(job: Job) -> bool:
    return job.request.target_type == CONTAINER_IMAGE


def pushed(store: Store, job: Job) -> ContainerImage | None:
    """By the newest run that pushed one; a run that only cleaned up has no report of its own."""
    if not is_container(job):
        return None
    for number in range(job.run_number, 0, -1):
        report = store.runs.report(job.id, number)
        if report is not None and report.container is not None:
            return report.container
    return None
