"""What the actions work with."""

from dataclasses import dataclass

from smc.base.errors import UserError
from smc.center.agents.downloads import AgentFile
from smc.center.blobs import Blobs
from smc.center.clock import Clock
from smc.center.jobs_port import JobsPort
from smc.center.settings import Settings
from smc.center.store.job_refusals import no_such_job
from smc.center.store.store import Store
from smc.center.store.values import Job, Source
from smc.center.trust.center_ca import CenterTrust
from smc.cloud.driver import Driver


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    store: Store
    driver: Driver
    jobs: JobsPort
    trust: CenterTrust
    agent: AgentFile
    blobs: Blobs

    @property
    def clock(self) -> Clock:
        return self.store.clock

    def source(self, source_id: str) -> Source:
        """Raises `UserError` (`InvalidSourceId.NotFound`)."""
        source = self.store.sources.find(source_id)
        if source is None:
            raise UserError(
                f"There is no migration source {source_id}.",
                code="InvalidSourceId.NotFound",
                hint="DescribeSourceServers lists the sources.",
            )
        return source

    def job(self, job_id: str) -> Job:
        """Raises `UserError` (`InvalidJobId.NotFound`)."""
        job = self.store.jobs.find(job_id)
        if job is None:
            raise no_such_job(job_id)
        return job

    def check_region(self, region: str) -> None:
        """Raises `UserError` (`InvalidRegionId.NotFound`)."""
        if region != self.settings.region:
            raise UserError(
                f"There is no region {region} here.",
                code="InvalidRegionId.NotFound",
                hint=f"This center moves servers to the region {self.settings.region}.",
            )
