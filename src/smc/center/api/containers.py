"""What DescribeReplicationJobs tells of a delivered container image."""

from smc.center.api.context import Context
from smc.center.containers.pushed import pushed
from smc.center.store.values import Job


def told_container(context: Context, job: Job) -> dict[str, object]:
    """`ContainerImage`, where one was pushed; `Layout` is the center's folder that holds it."""
    image = pushed(context.store, job)
    if image is None:
        return {}
    settings = context.settings
    layout = "" if settings.registry.url else str(settings.containers / job.id)
    return {
        "ContainerImage": {
            "Reference": image.reference,
            "Digest": image.digest,
            "Size": image.size,
            "Layout": layout,
        }
    }
