"""Jobs that cannot be are refused, with the size or the value that works."""

import msgspec
import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk import go_offline
from tests.conformance.test_smc_sdk_jobs import create, described
from tests.unit.center.running import Center
from tests.unit.center.servers import GIB, MIB, server

from smc.model.job import JobStatus


def test_a_disk_that_is_too_small_is_refused_with_the_size_that_works(running: Center, sdk: Client) -> None:
    disks = server().disks
    partition = disks[0].partitions[1]
    assert partition.filesystem is not None
    filesystem = msgspec.structs.replace(partition.filesystem, size=39 * GIB, used=28 * GIB)
    root = msgspec.structs.replace(partition, size=40 * GIB - 3 * MIB, filesystem=filesystem)
    system = msgspec.structs.replace(disks[0], size=40 * GIB, partitions=(disks[0].partitions[0], root))
    big = running.import_server(msgspec.structs.replace(server(), disks=(system, disks[1]))).source_id
    with refused("Disk.TooSmall", match="the smallest size that works is"):
        create(sdk, big, system_disk_size=20)
    with pytest.raises(Exception, match="smallest") as raised:
        create(sdk, big, system_disk_size=20)
    smallest = int(str(raised.value).split("the smallest size that works is ")[1].split(" ")[0])
    assert described(sdk, create(sdk, big, system_disk_size=smallest)).system_disk_size == smallest


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"region_id": "elsewhere"}, "InvalidRegionId.NotFound"),
        ({"region_id": None}, "MissingParameter.RegionId"),
        ({"source_id": None}, "MissingParameter.SourceId"),
        ({"source_id": "s-none"}, "InvalidSourceId.NotFound"),
        ({"name": "7up"}, "InvalidParameter.Name"),
        ({"image_name": "a"}, "InvalidParameter.ImageName"),
        ({"description": "with spaces in it"}, "InvalidParameter.Description"),
        ({"system_disk_size": 19}, "InvalidParameter.SystemDiskSize"),
        ({"system_disk_size": 2049}, "InvalidParameter.SystemDiskSize"),
        ({"target_type": "Floppy"}, "InvalidParameter.TargetType"),
        ({"target_type": "TargetInstance"}, "MissingParameter.InstanceId"),
        ({"target_type": "ContainerImage"}, "MissingParameter.ContainerNamespace"),
        ({"run_once": False}, "MissingParameter.Frequency"),
        ({"run_once": False, "frequency": 1}, "MissingParameter.MaxNumberOfImageToKeep"),
        ({"run_once": False, "frequency": 0, "max_number_of_image_to_keep": 1}, "InvalidParameter.Frequency"),
        (
            {"run_once": False, "frequency": 169, "max_number_of_image_to_keep": 1},
            "InvalidParameter.Frequency",
        ),
        (
            {"run_once": False, "frequency": 1, "max_number_of_image_to_keep": 11},
            "InvalidParameter.MaxNumberOfImageToKeep",
        ),
        ({"frequency": 12}, "InvalidParameter.Frequency"),
        ({"max_number_of_image_to_keep": 2}, "InvalidParameter.MaxNumberOfImageToKeep"),
        ({"job_type": 3}, "UnsupportedParameter.JobType"),
        ({"job_type": 9}, "InvalidParameter.JobType"),
        ({"scheduled_start_time": "2130-01-01T00:00:00Z"}, "InvalidParameter.ScheduledStartTime"),
        ({"scheduled_start_time": "2020-01-01T00:00:00Z"}, "InvalidParameter.ScheduledStartTime"),
        ({"scheduled_start_time": "soon"}, "InvalidParameter.ScheduledStartTime"),
        ({"launch_template_version": "3"}, "MissingParameter.LaunchTemplateId"),
        ({"instance_ram_role": "r"}, "InvalidParameter.TargetType"),
        ({"license_type": "BYOL"}, "InvalidParameter.LicenseType"),
        ({"net_mode": 2}, "MissingParameter.VSwitchId"),
        ({"net_mode": 7}, "InvalidParameter.NetMode"),
        ({"v_switch_id": "vsw-none"}, "InvalidVSwitchId.NotFound"),
        ({"valid_time": "2020-01-01T00:00:00Z"}, "InvalidParameter.ValidTime"),
        ({"valid_time": "tomorrow"}, "InvalidParameter.ValidTime"),
        ({"replication_parameters": "{"}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": '{"compress_level":11}'}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": '{"speed":1}'}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": '{"checksum":1}'}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": '{"bandwidth_limit":"9"}'}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": '{"ssl":"maybe"}'}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": "[]"}, "InvalidParameter.ReplicationParameters"),
        ({"replication_parameters": " " * 2049}, "InvalidParameter.ReplicationParameters"),
        ({"client_token": "x" * 65}, "InvalidParameter.ClientToken"),
    ],
)
def test_a_job_that_cannot_be_is_refused(
    refusing: tuple[Client, str], changes: dict[str, object], code: str
) -> None:
    sdk, source = refusing
    with refused(code):
        create(sdk, source, **changes)
    assert sdk.describe_replication_jobs(models.DescribeReplicationJobsRequest()).body.total_count == 0


def test_parameters_of_ours_are_checked_as_the_public_ones(running: Center, sdk: Client, source: str) -> None:
    common = {"RegionId": "local", "SourceId": source}
    for parameter, value, code in (
        ("ExecutionMethod", "TestRarely", "InvalidParameter.ExecutionMethod"),
        ("ExecutionMethod", "Never", "InvalidParameter.ExecutionMethod"),
        ("TemplateId", "t-1", "InvalidTemplateId.NotFound"),
        ("IpMode", "static", "InvalidParameter.IpMode"),
        ("PrivateIpAddress", "10.0.0.1", "InvalidParameter.PrivateIpAddress"),
    ):
        with refused(code):
            call(sdk, "CreateReplicationJob", **common, **{parameter: value})
    made = call(
        sdk,
        "CreateReplicationJob",
        **common,
        Excludes=["/var/cache/", "*.iso"],
        IpMode="keep",
        ImageNamePrefix="web",
        ExecutionMethod="MigrateNow",
    )
    job = running.parts.store.jobs.find(made["JobId"])
    assert job is not None
    assert job.plan.excludes == ("/var/cache/", "*.iso")
    assert job.plan.ip_mode.value == "keep"
    assert (job.request.image_name_prefix, job.status) == ("web", JobStatus.RUNNING)
    assert running.jobs.calls == [("start", job.id)]


def test_a_source_has_one_unfinished_job_and_must_be_online(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(sdk, source)
    with refused("SourceServerState.Invalid", match=job):
        create(sdk, source)
    other = running.import_server(server(fingerprint="f2", hostname="other")).source_id
    go_offline(running, other)
    with refused("SourceServerState.Invalid", match="has not been heard of since"):
        create(sdk, other)


def test_a_job_name_is_used_once(running: Center, sdk: Client, source: str) -> None:
    create(sdk, source, name="move")
    other = running.import_server(server(fingerprint="f2", hostname="other")).source_id
    with refused("ReplicationJobName.Duplicate"):
        create(sdk, other, name="move")
