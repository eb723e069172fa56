"""ModifyReplicationJobAttribute as the official SDK sends it: every parameter, when it may and when not."""

import msgspec
import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create, described, run_of
from tests.unit.center.running import Center
from tests.unit.center.servers import GIB, MIB, server

from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus


def modify(sdk: Client, job: str, **changes: object) -> None:
    request = models.ModifyReplicationJobAttributeRequest(job_id=job, **changes)
    sdk.modify_replication_job_attribute(request)


def ours(sdk: Client, job: str, **changes: object) -> None:
    """With parameters that the SDK's own request has not."""
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, **changes)


def made_vswitch(cloud: MemoryCloud) -> tuple[str, str]:
    """The vSwitch, and its VPC."""
    vpc = cloud.create_vpc("n", "10.0.0.0/16", {}, "t1")
    while not cloud.vpc_ready(vpc):
        pass
    return cloud.create_vswitch(vpc, cloud.zones()[0], "n", "10.0.0.0/24", {}, "t2"), vpc


def test_names_and_times_may_change_and_what_is_wrong_may_not(running: Center, sdk: Client) -> None:
    source = running.import_server().source_id
    job = create(sdk, source, name="old")
    modify(sdk, job, name="new", description="moved", image_name="other_image")
    found = described(sdk, job)
    assert (found.name, found.description, found.image_name) == ("new", "moved", "other_image")
    another = running.import_server(server(fingerprint="f2", hostname="other")).source_id
    create(sdk, another, name="taken")
    with refused("ReplicationJobName.Duplicate"):
        modify(sdk, job, name="taken")
    modify(sdk, job, name="new")
    with refused("MissingParameter.ReplicationParameters", match="Nothing is to be changed"):
        modify(sdk, job)
    with refused("InvalidParameter.ValidTime"):
        modify(sdk, job, valid_time="2020-01-01T00:00:00Z")
    with refused("InvalidJobId.NotFound"):
        modify(sdk, "j-none", name="x-ray")
    assert described(sdk, job).name == "new"


def test_before_its_first_run_a_job_may_become_another(running: Center, sdk: Client) -> None:
    vswitch, vpc = made_vswitch(running.cloud)
    job = create(sdk, running.import_server().source_id)
    disk = models.ModifyReplicationJobAttributeRequestDataDisk
    modify(sdk, job, system_disk_size=50, data_disk=[disk(index=1, size=8)], instance_type="mem.large")
    modify(sdk, job, net_mode=2, v_switch_id=vswitch)
    found = described(sdk, job)
    assert (found.system_disk_size, found.data_disks.data_disk[0].size) == (50, 8)
    assert (found.instance_type, found.net_mode, found.v_switch_id, found.vpc_id) == (
        "mem.large",
        2,
        vswitch,
        vpc,
    )
    ours(sdk, job, Disks={"Data": [{"Size": 9}]}, Tag=[{"Key": "team", "Value": "shop"}], IpMode="keep")
    ours(sdk, job, Excludes=["/var/cache/"], ImageNamePrefix="web")
    found = described(sdk, job)
    assert (found.system_disk_size, found.data_disks.data_disk[0].size) == (50, 9)
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("team", "shop")]
    stored = running.parts.store.jobs.find(job)
    assert stored is not None
    assert (stored.plan.excludes, stored.plan.ip_mode.value) == (("/var/cache/",), "keep")
    assert (stored.request.image_name, stored.request.image_name_prefix) == ("", "web")


def test_sizes_that_change_are_planned_anew_with_what_was_left_out(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server().source_id)
    ours(sdk, job, Excludes=["/tmp/*", {"Disk": 1, "Pattern": ["cache/"]}])
    before = running.parts.store.jobs.find(job)
    modify(sdk, job, system_disk_size=60)
    after = running.parts.store.jobs.find(job)
    assert before is not None and after is not None
    assert after.plan.disks[0].size == 60 * GIB
    assert after.plan.disks[0].partitions[-1].size > before.plan.disks[0].partitions[-1].size
    assert (after.plan.excludes, after.plan.disks[1].excludes) == (("/tmp/*",), ("cache/",))


def test_what_is_left_out_may_be_forgotten(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server().source_id)
    ours(sdk, job, Excludes=["/tmp/*", {"Disk": 1, "Pattern": ["cache/"]}])
    ours(sdk, job, Excludes=["!"])
    after = running.parts.store.jobs.find(job)
    assert after is not None
    assert (after.plan.excludes, after.plan.disks[1].excludes) == ((), ())


def test_a_size_that_does_not_hold_the_source_leaves_the_job_as_it_was(running: Center, sdk: Client) -> None:
    disks = server().disks
    partition = disks[0].partitions[1]
    assert partition.filesystem is not None
    filesystem = msgspec.structs.replace(partition.filesystem, size=39 * GIB, used=28 * GIB)
    root = msgspec.structs.replace(partition, size=40 * GIB - 3 * MIB, filesystem=filesystem)
    system = msgspec.structs.replace(disks[0], size=40 * GIB, partitions=(disks[0].partitions[0], root))
    big = running.import_server(msgspec.structs.replace(server(), disks=(system, disks[1]))).source_id
    job = create(sdk, big, system_disk_size=40)
    with refused("Disk.TooSmall", match="the smallest size that works is"):
        modify(sdk, job, name="smaller", system_disk_size=20)
    assert (described(sdk, job).name, described(sdk, job).system_disk_size) == ("", 40)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SystemDiskSize": 19}, "InvalidParameter.SystemDiskSize"),
        ({"DataDisk": [{"Index": 2, "Size": 20}]}, "ReplicationJobDataDiskIndex.Invalid"),
        ({"DataDisk": [{"Index": 1}, {"Index": 1}]}, "DataDisk.DuplicateIndex"),
        ({"SystemDiskPart": [{"Device": "0_2", "Block": True}]}, "UnsupportedParameter.Block"),
        ({"SystemDiskPart": [{"Device": "0_2", "SizeBytes": 1}]}, "Part.TooSmall"),
        ({"SystemDiskPart": [{"Device": "0_2"}]}, "InvalidParameter.SystemDiskPart"),
        (
            {"DataDisk": [{"Index": 1, "Part": [{"Device": "0_2", "SizeBytes": 1}]}]},
            "InvalidParameter.DataDisk.Part.Device",
        ),
        ({"Disks": {"Data": [{"Part": [{"Path": "/none"}]}]}}, "InvalidParameter.Path"),
        ({"Disks": {"Data": [{"Part": [{"Path": "/"}]}]}}, "Disk.Needed"),
        ({"Disks": {"System": {"Part": [{"Path": "/srv/data"}]}}}, "Disk.Needed"),
        ({"Disks": {"System": {"LVM": True}}}, "UnsupportedParameter.LVM"),
        ({"VpcId": "vpc-1"}, "MissingParameter.VSwitchId"),
        ({"NetMode": 2}, "MissingParameter.VSwitchId"),
        ({"NetMode": 7}, "InvalidParameter.NetMode"),
        ({"VSwitchId": "vsw-none"}, "InvalidVSwitchId.NotFound"),
        ({"LicenseType": "BYOL"}, "InvalidParameter.LicenseType"),
        ({"Tag": [{"Key": "acs:x"}]}, "InvalidParameter.Tag.Key"),
        ({"Excludes": ["!", "x"]}, "InvalidParameter.Excludes"),
        ({"ImageName": "web", "ImageNamePrefix": "web"}, "InvalidParameter.ImageNamePrefix"),
    ],
)
def test_what_cannot_be_is_refused_as_when_the_job_is_created(
    running: Center, sdk: Client, changes: dict[str, object], code: str
) -> None:
    job = create(sdk, running.import_server().source_id)
    before = running.parts.store.jobs.find(job)
    with refused(code):
        ours(sdk, job, **changes)
    assert running.parts.store.jobs.find(job) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageName": "too_late"},
        {"SystemDiskSize": 40},
        {"DataDisk": [{"Index": 1, "Size": 20}]},
        {"Disks": {"System": {"Size": 40}}},
        {"InstanceType": "mem.large"},
        {"NetMode": 0},
        {"Excludes": ["/tmp/*"]},
        {"IpMode": "keep"},
        {"Tag": [{"Key": "team"}]},
        {"TargetType": "Image"},
    ],
)
def test_what_a_run_has_begun_with_stays(running: Center, sdk: Client, changes: dict[str, object]) -> None:
    job = create(sdk, running.import_server().source_id)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    with refused("ReplicationJob.InvalidStatus", match="Running is invalid"):
        ours(sdk, job, **changes)
    running.parts.store.jobs.end(run_of(running, job), JobStatus.STOPPED)
    with refused("ReplicationJob.InvalidStatus", match="Stopped is invalid"):
        ours(sdk, job, **changes)
    modify(sdk, job, name="newer", description="still-changes")
    assert described(sdk, job).name == "newer"
