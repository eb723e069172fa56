"""Limits and filters as the official SDK meets them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create as create_job
from tests.conformance.test_smc_sdk_jobs import described
from tests.unit.center.running import Center, center
from tests.unit.center.servers import server
from tests.unit.jobs.crossing import THERE, traveller, vswitch_there

from smc.base.errors import UserError
from smc.center.quotas import Quotas, with_changes


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path, agents=False, quotas=Quotas(jobs=2, sources=3, concurrent_jobs=1)) as running:
        yield running


def source(running: Center, name: str) -> str:
    return running.import_server(server(fingerprint=name, hostname=name)).source_id


def test_sources_jobs_and_running_jobs_are_limited(running: Center, sdk: Client) -> None:
    sources = [source(running, name) for name in ("a", "b", "c")]
    with pytest.raises(UserError) as raised:
        source(running, "d")
    assert raised.value.code == "QuotaExceeded.SourceServer"
    assert "--quota sources=N" in raised.value.hint
    assert source(running, "a") == sources[0], "a server that is known is no new one"
    one, two = (create_job(sdk, each) for each in sources[:2])
    with refused("QuotaExceeded.ReplicationJob", match="2 replication jobs"):
        create_job(sdk, sources[2])
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=one))
    with refused("QuotaExceeded.ConcurrentReplicationJob"):
        sdk.start_replication_job(models.StartReplicationJobRequest(job_id=two))
    assert described(sdk, two).status == "Ready"


def test_a_move_into_another_zone_counts_as_a_job(running: Center, sdk: Client) -> None:
    instance, vswitch = traveller(running.cloud), vswitch_there(running.cloud)
    asked = models.CreateCrossZoneMigrationJobRequest(
        region_id="local", instance_id=instance, target_zone_id=THERE, target_vswitch_id=vswitch
    )
    create_job(sdk, source(running, "a"))
    job = sdk.create_cross_zone_migration_job(asked).body.job_id
    other = source(running, "b")
    with refused("QuotaExceeded.ReplicationJob"):
        create_job(sdk, other)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    assert running.jobs.calls == [("start", job)]


def test_limits_are_given_by_name() -> None:
    changed = with_changes(Quotas(), ["jobs=5", "workgroup_sources=7"])
    assert changed == Quotas(jobs=5, workgroup_sources=7)
    for wrong in ("jobs", "jobs=0", "jobs=x", "disks=3", "=3"):
        with pytest.raises(UserError, match="NAME=NUMBER"):
            with_changes(Quotas(), [wrong])


def test_a_resource_group_is_carried_and_is_a_filter(running: Center, sdk: Client) -> None:
    web, db = source(running, "web"), source(running, "db")
    job, other = create_job(sdk, web, resource_group_id="rg-1"), create_job(sdk, db)
    assert (described(sdk, job).resource_group_id, described(sdk, other).resource_group_id) == ("rg-1", "")
    request = models.DescribeReplicationJobsRequest(resource_group_id="rg-1")
    found = sdk.describe_replication_jobs(request).body
    assert [each.job_id for each in found.replication_jobs.replication_job] == [job]
    call(sdk, "ModifySourceServerAttribute", SourceId=web, ResourceGroupId="rg-2")
    answer = sdk.describe_source_servers(models.DescribeSourceServersRequest(resource_group_id="rg-2")).body
    (of_group,) = answer.source_servers.source_server
    assert (of_group.source_id, of_group.resource_group_id) == (web, "rg-2")


def test_sources_are_filtered_by_the_type_of_their_jobs(running: Center, sdk: Client) -> None:
    web, _ = source(running, "web"), source(running, "db")
    create_job(sdk, web)

    def of_types(*types: str) -> list[str]:
        request = models.DescribeSourceServersRequest(related_job_type=list(types))
        found = sdk.describe_source_servers(request).body
        assert found.total_count == len(found.source_servers.source_server)
        return [each.source_id for each in found.source_servers.source_server]

    assert of_types("0") == [web]
    assert of_types("1", "0") == [web]
    assert of_types("2") == []


@pytest.mark.parametrize(
    ("kind", "code", "match"),
    [
        ("mem.none", "InvalidInstanceType.NotFound", "no instance type mem.none"),
        ("mem.old", "OperationDenied.NoStock", "mem.old is out of stock in every zone"),
        ("mem.arm", "InvalidParameter.InstanceType", "x86_64"),
    ],
)
def test_an_instance_type_that_cannot_be_had_is_refused_with_those_that_can(
    running: Center, sdk: Client, kind: str, code: str, match: str
) -> None:
    web = source(running, "web")
    with refused(code, match=match):
        create_job(sdk, web, instance_type=kind)
    job = create_job(sdk, web, instance_type="mem.small")
    assert described(sdk, job).instance_type == "mem.small"


def test_a_launch_template_is_carried(running: Center, sdk: Client) -> None:
    web = source(running, "web")
    with refused("MissingParameter.LaunchTemplateId"):
        create_job(sdk, web, launch_template_version="3")
    job = described(sdk, create_job(sdk, web, launch_template_id="lt-1", launch_template_version="3"))
    assert (job.launch_template_id, job.launch_template_version) == ("lt-1", "3")
