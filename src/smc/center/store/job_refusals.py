"""What is said to who asks of a job what it cannot do in its status, with the codes of the public API."""

from collections.abc import Iterable

from smc.base.errors import UserError
from smc.center.store.values import Job
from smc.model.job import BusinessStatus, JobStatus


def require_status(job: Job, allowed: Iterable[JobStatus]) -> None:
    """Raises `UserError` (`ReplicationJob.InvalidStatus`) with the text of the public API."""
    names = [status.value for status in allowed]
    if job.status.value not in names:
        raise UserError(
            f"The replication job's status: {job.status.value} is invalid. "
            f"This is only allowed in the following status: {', '.join(names)}",
            code="ReplicationJob.InvalidStatus",
            hint="DescribeReplicationJobs shows the status.",
        )


def require_syncing(job: Job, what: str) -> None:
    """Raises `UserError` (`ReplicationJob.InvalidBusinessStatus`) when the job runs and does not copy."""
    if job.status is JobStatus.RUNNING and job.business_status is not BusinessStatus.SYNCING:
        found = job.business_status.value if job.business_status else "none"
        raise UserError(
            f"The replication job's business status: {found} is invalid. "
            f"{what} is only allowed in the following business status: Syncing",
            code="ReplicationJob.InvalidBusinessStatus",
            hint="Wait until the job is Syncing, or until it ends.",
        )


def no_such_job(job_id: str) -> UserError:
    return UserError(
        f"There is no replication job {job_id}.",
        code="InvalidJobId.NotFound",
        hint="DescribeReplicationJobs lists the jobs.",
    )


def begun_meanwhile(job: Job) -> UserError:
    return UserError(
        f"Another run of the replication job {job.id} has begun meanwhile.",
        code="ReplicationJob.InvalidStatus",
        hint="DescribeReplicationJobs shows the status.",
    )
