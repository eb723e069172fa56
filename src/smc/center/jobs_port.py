"""What the API asks of the workflows; `center/jobs` does it, tests have a fake."""

from typing import Protocol


class JobsPort(Protocol):
    """Each call returns at once and may be repeated; the store already says what is to be done.

    The store is the truth: a center that dies between the store's commit and the call is put right by the
    workflows themselves, which look for Running and Deleting jobs without a workflow when they start.
    """

    def start(self, job_id: str) -> None:
        """Begin the job's current run, `Job.run_number`; the job is Running/Preparing."""
        ...

    def stop(self, job_id: str) -> None:
        """The current run has `stop_wanted`: end it as Stopped."""
        ...

    def delete(self, job_id: str) -> None:
        """The job is Deleting: release what is temporary, then `Jobs.remove` it."""
        ...

    def release(self, job_id: str) -> None:
        """The job is Expired: bring back what it took off, and release what it keeps in the cloud, if that
        was not tried within the hour.
        """
        ...

    def verify(self, verification: str) -> None:
        """The verification is Running: boot its image, look, and let it go."""
        ...
