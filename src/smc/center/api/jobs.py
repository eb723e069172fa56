"""Replication jobs: CreateReplicationJob, ModifyReplicationJobAttribute, StartReplicationJob,
StopReplicationJob, CutOverReplicationJob, DescribeReplicationJobs, DeleteReplicationJob."""

from functools import partial

from smc.center.api import tag_rules
from smc.center.api.containers import told_container
from smc.center.api.context import Context
from smc.center.api.create_job import create_job
from smc.center.api.cross_zone import CROSS_ZONE
from smc.center.api.described_job import described
from smc.center.api.job_parameters import CreateReplicationJob, ModifyReplicationJobAttribute
from smc.center.api.modify_job import modify_job
from smc.center.api.progress import OneJob
from smc.center.api.start_job import cut_over, start
from smc.center.api.words import (
    PageNumber,
    PageSize,
    TagPair,
    check_ids,
    offset,
    page,
    tags_shown,
)
from smc.center.store.job_filter import JobFilter
from smc.center.store.tags import Tagged
from smc.model.job import BusinessStatus, JobStatus
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

SERVER = 0  # JobType; CROSS_ZONE is the other one


class DescribeReplicationJobs(Request, frozen=True, kw_only=True):
    source_id: tuple[str, ...] = ()
    job_id: tuple[str, ...] = ()
    instance_id: tuple[str, ...] = ()
    name: str = ""
    region_id: str = ""
    status: JobStatus | None = None
    business_status: BusinessStatus | None = None
    job_type: int | None = None
    resource_group_id: str = ""
    tag: tuple[TagPair, ...] = ()
    page_number: PageNumber = 1
    page_size: PageSize = 10


class CutOverReplicationJob(Request, frozen=True, kw_only=True):
    job_id: str
    sync_data: bool = False


class JobActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "CreateReplicationJob": action(CreateReplicationJob, partial(create_job, self._context)),
            "ModifyReplicationJobAttribute": action(
                ModifyReplicationJobAttribute, partial(modify_job, self._context)
            ),
            "StartReplicationJob": action(OneJob, self._start),
            "StopReplicationJob": action(OneJob, self._stop),
            "CutOverReplicationJob": action(CutOverReplicationJob, self._cut_over),
            "DescribeReplicationJobs": action(DescribeReplicationJobs, self._describe),
            "DeleteReplicationJob": action(OneJob, self._delete),
        }

    def _start(self, request: OneJob, _caller: Caller) -> Reply:
        start(self._context, request.job_id)
        return {}

    def _stop(self, request: OneJob, _caller: Caller) -> Reply:
        job = self._context.job(request.job_id)
        if self._store.times.pause(job.id):
            self._store.log.add(job.id, "Stopped: no round begins before the next start.")
            return {}
        self._store.jobs.want_stop(job.id)
        self._context.jobs.stop(job.id)
        return {}

    def _cut_over(self, request: CutOverReplicationJob, _caller: Caller) -> Reply:
        cut_over(self._context, request.job_id, sync_data=request.sync_data)
        return {}

    def _delete(self, request: OneJob, _caller: Caller) -> Reply:
        job = self._context.job(request.job_id)
        self._store.jobs.begin_deleting(job.id)
        self._context.jobs.delete(job.id)
        return {}

    def _describe(self, request: DescribeReplicationJobs, _caller: Caller) -> Reply:
        wanted = JobFilter(
            ids=check_ids(request.job_id, "JobId"),
            source_ids=check_ids(request.source_id, "SourceId"),
            instance_ids=check_ids(request.instance_id, "InstanceId"),
            name=request.name,
            region_id=request.region_id,
            statuses=(request.status,) if request.status else (),
            business_status=request.business_status,
            resource_group=request.resource_group_id,
            tags=tag_rules.wanted(request.tag),
            crossing=None if request.job_type is None else request.job_type == CROSS_ZONE,
        )
        start_at = offset(request.page_number, request.page_size)
        total, found = self._store.jobs.page(wanted, offset=start_at, limit=request.page_size)
        if request.job_type not in (None, SERVER, CROSS_ZONE):
            total, found = 0, []  # no job here is of another type
        tags = self._store.tags.of(Tagged.JOB, [job.id for job in found])
        workgroups = self._store.workgroups.of_sources({job.source_id for job in found})
        return {
            **page(request.page_number, request.page_size, total),
            "ReplicationJobs": {
                "ReplicationJob": [
                    described(self._store, job)
                    | {"WorkgroupId": workgroups[job.source_id], "Tags": tags_shown(tags[job.id])}
                    | told_container(self._context, job)
                    for job in found
                ]
            },
        }
