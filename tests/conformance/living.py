"""A center that lives: API, workflows and fake ends on a cloud in memory, and a clock moved by hand."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, client_of
from tests.unit.center.made_store import made_store
from tests.unit.center.running import ANY, NotedJobs
from tests.unit.center.running import Center as Served
from tests.unit.jobs.center import Center, until

from smc.center.admin_key import admin_key
from smc.center.api.context import Context
from smc.center.api.service import service
from smc.center.app import context_of, open_parts
from smc.center.clock import HandClock
from smc.center.settings import Settings
from smc.center.store.sources import Sign, SourceFilter
from smc.center.timetable import look
from smc.cloud.driver import Resource
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus
from smc.rpc.dispatch import application
from smc.rpc.serving import serving

HOUR, DAY = 3600.0, 86400.0


@dataclass
class Living:
    """`pass_time` is what the center's own timer does, at a moment the test chooses."""

    center: Center
    context: Context
    clock: HandClock
    sdk: Client

    @property
    def cloud(self) -> MemoryCloud:
        return self.center.cloud

    @property
    def left(self) -> list[Resource]:
        return self.cloud.left

    def import_source(self) -> str:
        return self.center.import_source()

    def pass_time(self, seconds: float = 0.0, *, online: bool = True) -> None:
        self.clock.jump(seconds)
        if online:
            self.beat()
        look(self.context)

    def beat(self) -> None:
        _, sources = self.center.store.sources.page(SourceFilter(), offset=0, limit=50)
        sign = Sign(time=self.clock.now(), address="198.51.100.7")
        self.center.store.sources.beat({source.id: sign for source in sources})

    def create(self, source: str = "", **changes: object) -> str:
        values: dict[str, object] = {"RegionId": "local", "ImageName": "web_image"}
        values["SourceId"] = source or self.import_source()
        job: str = call(self.sdk, "CreateReplicationJob", **(values | changes))["JobId"]
        return job

    def incremental(self, **changes: object) -> str:
        values: dict[str, object] = {"RunOnce": False, "Frequency": 24, "MaxNumberOfImageToKeep": 2}
        return self.create("", **(values | changes))

    def start(self, job: str) -> None:
        self.sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))

    def stop(self, job: str) -> None:
        self.sdk.stop_replication_job(models.StopReplicationJobRequest(job_id=job))

    def cut_over(self, job: str, *, sync: bool) -> None:
        request = models.CutOverReplicationJobRequest(job_id=job, sync_data=sync)
        self.sdk.cut_over_replication_job(request)

    def delete(self, job: str) -> None:
        self.sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))

    def job(self, job: str) -> dict[str, Any]:  # Any: a JSON object
        (found,) = call(self.sdk, "DescribeReplicationJobs", JobId=[job])["ReplicationJobs"]["ReplicationJob"]
        assert isinstance(found, dict)
        return found

    def ends_as(self, job: str, status: str) -> dict[str, Any]:  # Any: as above
        self.center.ends_as(job, JobStatus(status))
        return self.job(job)

    def is_gone(self, job: str) -> None:
        until(lambda: self.center.store.jobs.find(job) is None)


@contextlib.contextmanager
def living(folder: Path) -> Iterator[Living]:
    clock, cloud = HandClock(), MemoryCloud()
    agent = folder / "smc-agent"
    agent.write_bytes(b"#!/bin/sh\n")
    settings = Settings(
        data_dir=folder, listen=ANY, agent_listen=ANY, agent_file=agent, database_url=made_store(folder)
    )
    parts = open_parts(settings, clock)
    center = Center(folder, cloud, clock=clock, store=parts.store)
    try:
        context = context_of(parts, cloud, center.runner)
        with serving(application(service(context))) as port:
            served = Served(parts, cloud, NotedJobs(), admin_key(parts)[0], port, 0)
            yield Living(center, context, clock, client_of(served))
    finally:
        center.close()
