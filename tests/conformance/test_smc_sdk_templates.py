"""Templates: parameters that are kept for jobs, and what a request says itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import described
from tests.unit.center.running import Center, center
from tests.unit.center.servers import server

from smc.center.quotas import Quotas
from smc.model.plan import IpMode

FULL: dict[str, Any] = {
    "ImageNamePrefix": "web",
    "SystemDiskSize": 40,
    "NetMode": 0,
    "InstanceType": "mem.large",
    "ReplicationParameters": '{"bandwidth_limit":50}',
    "ResourceGroupId": "rg-1",
    "Tag": [{"Key": "team", "Value": "shop"}],
    "Excludes": ["/var/cache/", {"Disk": 1, "Pattern": ["/tmp/"]}],
    "IpMode": "keep",
    "ExecutionMethod": "MigrateNow",
}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path, agents=False, quotas=Quotas(templates=2)) as running:
        yield running


def create(sdk: Client, name: str = "web", **values: object) -> str:
    template: str = call(sdk, "CreateTemplate", Name=name, **values)["TemplateId"]
    return template


def held(sdk: Client, template: str) -> dict[str, Any]:
    (found,) = call(sdk, "DescribeTemplates", TemplateId=[template])["Templates"]["Template"]
    return dict(found["Parameters"])


def job_with(running: Center, sdk: Client, template: str, **values: object) -> str:
    source = running.import_server().source_id
    job: str = call(
        sdk, "CreateReplicationJob", RegionId="local", SourceId=source, TemplateId=template, **values
    )["JobId"]
    return job


def test_a_template_lives_its_life(sdk: Client) -> None:
    template = create(sdk, Description="for web servers", **FULL)
    assert template.startswith("t-lcl")
    (found,) = call(sdk, "DescribeTemplates", Name="web")["Templates"]["Template"]
    assert (found["TemplateId"], found["Description"]) == (template, "for web servers")
    assert found["Parameters"] == FULL
    call(sdk, "ModifyTemplate", TemplateId=template, Name="web-2", SystemDiskSize=60, Clear=["IpMode", "Tag"])
    changed = {**FULL, "SystemDiskSize": 60}
    del changed["IpMode"], changed["Tag"]
    assert held(sdk, template) == changed
    call(sdk, "DeleteTemplate", TemplateId=template)
    assert call(sdk, "DescribeTemplates")["TotalCount"] == 0
    for action in ("DeleteTemplate", "ModifyTemplate"):
        with refused("InvalidTemplateId.NotFound"):
            call(sdk, action, TemplateId=template)


def test_a_job_takes_what_its_request_does_not_say(running: Center, sdk: Client) -> None:
    job = job_with(running, sdk, create(sdk, **FULL))
    found = described(sdk, job)
    assert (found.system_disk_size, found.instance_type, found.resource_group_id) == (
        40,
        "mem.large",
        "rg-1",
    )
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("team", "shop")]
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert stored.request.image_name_prefix == "web"
    assert stored.request.settings.bandwidth_limit_mbit == 50
    assert (stored.plan.ip_mode, stored.plan.excludes) == (IpMode.KEEP, ("/var/cache/",))
    assert stored.plan.disks[1].excludes == ("/tmp/",)
    assert running.jobs.calls == [("start", job)], "the method is the template's"


def test_what_the_request_says_goes_first(running: Center, sdk: Client) -> None:
    job = job_with(
        running,
        sdk,
        create(sdk, **FULL),
        ImageName="mine",
        Disks={"System": {"Size": 30}},
        ReplicationParameters='{"compress_level":1}',
        IpMode="dhcp",
        ExecutionMethod="CreateOnly",
        Tag=[{"Key": "other", "Value": ""}],
    )
    found = described(sdk, job)
    assert (found.image_name, found.system_disk_size, found.status) == ("mine", 30, "Ready")
    assert [tag.key for tag in found.tags.tag] == ["other"]
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert stored.request.image_name_prefix == ""
    assert stored.request.settings.bandwidth_limit_mbit == 0
    assert stored.plan.ip_mode is IpMode.DHCP


def test_a_launch_template_of_the_request_or_of_a_change_comes_without_the_version_before(
    running: Center, sdk: Client
) -> None:
    template = create(sdk, LaunchTemplateId="lt-1", LaunchTemplateVersion="3")
    job = running.parts.store.jobs.find(job_with(running, sdk, template, LaunchTemplateId="lt-2"))
    assert job
    assert (job.request.launch_template_id, job.request.launch_template_version) == ("lt-2", "")
    call(sdk, "ModifyTemplate", TemplateId=template, LaunchTemplateId="lt-3")
    assert held(sdk, template) == {"LaunchTemplateId": "lt-3"}
    call(sdk, "ModifyTemplate", TemplateId=template, LaunchTemplateVersion="2")
    assert held(sdk, template) == {"LaunchTemplateId": "lt-3", "LaunchTemplateVersion": "2"}


def test_a_job_that_is_there_takes_a_template_before_it_ran(running: Center, sdk: Client) -> None:
    source = running.import_server().source_id
    job = call(sdk, "CreateReplicationJob", RegionId="local", SourceId=source)["JobId"]
    template = create(sdk, SystemDiskSize=50, IpMode="keep")
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, TemplateId=template, IpMode="dhcp")
    assert described(sdk, job).system_disk_size == 50
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert stored.plan.ip_mode is IpMode.DHCP


def test_a_job_outlives_its_template(running: Center, sdk: Client) -> None:
    template = create(sdk, SystemDiskSize=50)
    job = job_with(running, sdk, template)
    call(sdk, "ModifyTemplate", TemplateId=template, SystemDiskSize=60)
    call(sdk, "DeleteTemplate", TemplateId=template)
    assert described(sdk, job).system_disk_size == 50


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Name": "1st"}, "InvalidParameter.Name"),
        ({"Description": "http://here"}, "InvalidParameter.Description"),
        ({"TargetType": "TargetInstance"}, "InvalidParameter.TemplateId"),
        ({"SystemDiskSize": 10}, "InvalidParameter.SystemDiskSize"),
        ({"ImageNamePrefix": "x"}, "InvalidParameter.ImageNamePrefix"),
        ({"ReplicationParameters": '{"speed":1}'}, "InvalidParameter.ReplicationParameters"),
        ({"VSwitchId": "vsw-none"}, "InvalidVSwitchId.NotFound"),
        ({"LicenseType": "mine"}, "InvalidParameter.LicenseType"),
        ({"Tag": [{"Key": "acs:x"}]}, "InvalidParameter.Tag.Key"),
        ({"Excludes": ["+ /keep"]}, "InvalidParameter.Excludes"),
    ],
)
def test_a_template_that_cannot_work_is_refused(sdk: Client, values: dict[str, object], code: str) -> None:
    with refused(code):
        call(sdk, "CreateTemplate", **{"Name": "web", **values})
    assert call(sdk, "DescribeTemplates")["TotalCount"] == 0


def test_names_are_unique_repeats_are_the_same_and_the_number_is_limited(sdk: Client) -> None:
    one = create(sdk, "one", ClientToken="once", SystemDiskSize=40)
    assert create(sdk, "one", ClientToken="once", SystemDiskSize=40) == one
    with refused("IdempotentParameterMismatch"):
        create(sdk, "one", ClientToken="once", SystemDiskSize=50)
    with refused("TemplateName.Duplicate"):
        create(sdk, "one")
    two = create(sdk, "two")
    with refused("TemplateName.Duplicate"):
        call(sdk, "ModifyTemplate", TemplateId=two, Name="one")
    with refused("QuotaExceeded.Template"):
        create(sdk, "three")
    with refused("InvalidParameter.Clear"):
        call(sdk, "ModifyTemplate", TemplateId=two, Clear=["SourceId"])


def test_templates_are_for_images_alone(running: Center, sdk: Client) -> None:
    template = create(sdk, SystemDiskSize=40)
    with refused("InvalidParameter.TemplateId"):
        job_with(running, sdk, template, TargetType="ContainerImage")
    with refused("InvalidTemplateId.NotFound"):
        job_with(running, sdk, "t-none")
    other = running.import_server(server(fingerprint="f2")).source_id
    job = call(
        sdk,
        "CreateReplicationJob",
        RegionId="local",
        SourceId=other,
        TargetType="ContainerImage",
        ContainerNamespace="shop",
        ContainerRepository="web",
        ContainerTag="1",
    )["JobId"]
    with refused("InvalidParameter.TemplateId"):
        call(sdk, "ModifyReplicationJobAttribute", JobId=job, TemplateId=template)
