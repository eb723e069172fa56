"""A job as DescribeReplicationJobs tells it; the last block is ours."""

from collections.abc import Sequence

from smc.center.api import layout
from smc.center.api.progress import percent
from smc.center.api.words import written
from smc.center.kept import kept_by
from smc.center.store.job_times import next_start
from smc.center.store.store import Store
from smc.center.store.values import Job, Made, Run
from smc.cloud.driver import Kind


def described(store: Store, job: Job) -> dict[str, object]:
    """With its runs, and each thing that it keeps in the cloud beside the images it delivered."""
    runs = store.runs.of_job(job.id)
    return {
        **_described(job, runs, _image_name(store, job)),
        "ExecutionMethod": job.request.execution_method or "CreateOnly",
        "DrillStatus": job.drill.value,
        "Round": runs[-1].round if runs else 0,
        "NextStartTime": written(next_start(job, runs)),
        "TargetZoneId": job.request.zone_id,
        "DeliveredInstanceId": _delivered(store, job),
        "KeptResources": {"KeptResource": [_kept(made) for made in kept_by(store, job.id, runs)]},
    }


def _delivered(store: Store, job: Job) -> str:
    """The instance that a cross-zone job has brought into the other zone."""
    crossing = store.crossings.find(job.id) if job.moved_instance else None
    return crossing.moved if crossing is not None and crossing.delivered else ""


def _kept(made: Made) -> dict[str, object]:
    return {"ResourceId": made.id, "Name": made.name, "Kind": made.kind.value, "Since": written(made.created)}


def _image_name(store: Store, job: Job) -> str:
    """What its image is called, once there is one: the wish may have been taken, or was not given."""
    made = store.resources.find(Kind.IMAGE, job.image_id) if job.image_id else None
    return made.name if made else job.request.image_name


def status_info(job: Job) -> str:
    """What is going on, or why the job is InError and what to do."""
    if job.failure is None:
        return job.note
    return f"{job.failure.message} {job.failure.hint}".strip()


def _described(job: Job, runs: Sequence[Run], image_name: str) -> dict[str, object]:
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
        "ScheduledStartTime": written(asked.scheduled_at),
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
        "Frequency": asked.frequency_hours,
        "MaxNumberOfImageToKeep": asked.images_to_keep,
        "ReplicationParameters": asked.replication_parameters,
        "VpcId": asked.vpc_id,
        "VSwitchId": asked.vswitch_id,
        "ResourceGroupId": job.resource_group,
        **layout.planned_system_disk(job.plan),
        "DataDisks": {"DataDisk": layout.planned_data_disks(job.plan)},
        "Disks": layout.planned_disks(job.plan, asked),
        **layout.beside_the_plan(job.plan),
        "ReplicationJobRuns": {"ReplicationJobRun": [_run(run) for run in runs]},
    }


def _run(run: Run) -> dict[str, str]:
    return {
        "StartTime": written(run.started),
        "EndTime": written(run.ended),
        "ImageId": run.image_id,
        "Type": run.type.value,
    }
