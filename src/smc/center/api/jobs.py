"""Replication jobs: CreateReplicationJob, ModifyReplicationJobAttribute, StartReplicationJob,
StopReplicationJob, DescribeReplicationJobs, DeleteReplicationJob."""

from collections.abc import Sequence
from functools import partial

from smc.center.api import layout, tag_rules
from smc.center.api.containers import told_container
from smc.center.api.context import Context
from smc.center.api.create_job import create_job
from smc.center.api.job_parameters import CreateReplicationJob, ModifyReplicationJobAttribute
from smc.center.api.modify_job import modify_job
from smc.center.api.progress import OneJob, percent
from smc.center.api.start_job import start
from smc.center.api.words import (
    PageNumber,
    PageSize,
    TagPair,
    check_ids,
    offset,
    page,
    tags_shown,
    written,
)
from smc.center.store.job_filter import JobFilter
from smc.center.store.tags import Tagged
from smc.center.store.values import Job, Run, Tag
from smc.cloud.driver import Kind
from smc.model.job import BusinessStatus, JobStatus
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request


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
            "DescribeReplicationJobs": action(DescribeReplicationJobs, self._describe),
            "DeleteReplicationJob": action(OneJob, self._delete),
        }

    def _start(self, request: OneJob, _caller: Caller) -> Reply:
        start(self._context, request.job_id)
        return {}

    def _stop(self, request: OneJob, _caller: Caller) -> Reply:
        job = self._context.job(request.job_id)
        self._store.jobs.want_stop(job.id)
        self._context.jobs.stop(job.id)
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
        )
        start_at = offset(request.page_number, request.page_size)
        total, found = self._store.jobs.page(wanted, offset=start_at, limit=request.page_size)
        if request.job_type not in (None, 0):
            total, found = 0, []  # no job here is of another type
        tags = self._store.tags.of(Tagged.JOB, [job.id for job in found])
        workgroups = self._store.workgroups.of_sources({job.source_id for job in found})
        return {
            **page(request.page_number, request.page_size, total),
            "ReplicationJobs": {
                "ReplicationJob": [
                    _described(
                        job,
                        self._store.runs.of_job(job.id),
                        self._image_name(job),
                        workgroups[job.source_id],
                        tags[job.id],
                    )
                    | told_container(self._context, job)
                    for job in found
                ]
            },
        }

    def _image_name(self, job: Job) -> str:
        """What its image is called, once there is one: the wish may have been taken, or was not given."""
        made = self._store.resources.find(Kind.IMAGE, job.image_id) if job.image_id else None
        return made.name if made else job.request.image_name


def status_info(job: Job) -> str:
    """What is going on, or why the job is InError and what to do."""
    if job.failure is None:
        return job.note
    return f"{job.failure.message} {job.failure.hint}".strip()


def _described(
    job: Job, runs: Sequence[Run], image_name: str, workgroup: str, tags: Sequence[Tag]
) -> dict[str, object]:
    asked = job.request
    return {
        "JobId": job.id,
        "Name": job.name,
        "Description": job.description,
        "SourceId": job.source_id,
        "RegionId": job.region_id,
        "Status": job.status.value,
        "BusinessStatus": job.business_status.value if job.business_status else "",
        "StatusInfo": status_info(job),
        "ErrorCode": job.failure.code if job.failure else "",
        "Progress": percent(job, runs[-1] if runs else None),
        "JobType": asked.job_type,
        "NetMode": asked.net_mode,
        "CreationTime": written(job.created),
        "StartTime": written(job.started),
        "EndTime": written(job.ended),
        "ScheduledStartTime": "",
        "ValidTime": written(job.valid_until),
        "TargetType": asked.target_type,
        "ImageName": image_name,
        "ImageId": job.image_id,
        "InstanceId": asked.instance_id,
        "TransitionInstanceId": job.transition_instance_id,
        "InstanceType": asked.instance_type,
        "InstanceRamRole": asked.instance_ram_role,
        "LicenseType": asked.license_type,
        "LaunchTemplateId": asked.launch_template_id,
        "LaunchTemplateVersion": asked.launch_template_version,
        "ContainerNamespace": asked.container_namespace,
        "ContainerRepository": asked.container_repository,
        "ContainerTag": asked.container_tag,
        "RunOnce": asked.run_once,
        "Frequency": 0,
        "MaxNumberOfImageToKeep": 0,
        "ReplicationParameters": asked.replication_parameters,
        "VpcId": asked.vpc_id,
        "VSwitchId": asked.vswitch_id,
        "ResourceGroupId": job.resource_group,
        "WorkgroupId": workgroup,
        **layout.planned_system_disk(job.plan),
        "DataDisks": {"DataDisk": layout.planned_data_disks(job.plan)},
        "Disks": layout.planned_disks(job.plan, asked.target_disks),
        "ReplicationJobRuns": {"ReplicationJobRun": [_run(run) for run in runs]},
        "Tags": tags_shown(tags),
    }


def _run(run: Run) -> dict[str, str]:
    return {
        "StartTime": written(run.started),
        "EndTime": written(run.ended),
        "ImageId": run.image_id,
        "Type": run.type.value,
    }
