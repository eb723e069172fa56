"""Jobs onto an existing instance, created and modified through the official SDK."""

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.unit.center.running import Center
from tests.unit.center.servers import server
from tests.unit.center.targets import network, target
from tests.unit.jobs.test_story import failing

from smc.base.errors import Transient
from smc.cloud.memory_desk import no_hook

DESCRIBED = models.DescribeReplicationJobsRequest


def create(sdk: Client, source: str, instance: str, **parameters: object) -> str:
    asked: dict[str, object] = {
        "RegionId": "local",
        "SourceId": source,
        "TargetType": "TargetInstance",
        "InstanceId": instance,
        "ConfirmErase": instance,
    }
    job: str = call(sdk, "CreateReplicationJob", **(asked | parameters))["JobId"]
    return job


def disk_ids(running: Center, instance: str) -> list[str]:
    return [disk.id for disk in running.cloud.disks(instance)]


def test_a_job_onto_an_instance_is_created_with_a_plan_of_its_disks(
    running: Center, sdk: Client, source: str
) -> None:
    instance = target(running.cloud, 40, 6, system_disk_gib=30)
    job = create(sdk, source, instance, TargetType="Instance")
    (found,) = sdk.describe_replication_jobs(DESCRIBED(job_id=[job])).body.replication_jobs.replication_job
    assert (found.target_type, found.instance_id, found.status) == ("TargetInstance", instance, "Ready")
    assert (found.system_disk_size, found.data_disks.data_disk[0].size) == (30, 6)
    assert found.disks.data.data[0].disk_id == disk_ids(running, instance)[2]
    vpc, vswitch = network(running.cloud)
    assert (found.vpc_id, found.v_switch_id) == (vpc, vswitch)
    by_instance = sdk.describe_replication_jobs(DESCRIBED(instance_id=[instance])).body
    assert (by_instance.total_count, by_instance.replication_jobs.replication_job[0].job_id) == (1, job)
    assert sdk.describe_replication_jobs(DESCRIBED(instance_id=["i-other"])).body.total_count == 0


def test_erasing_is_confirmed_with_all_that_will_be_lost(running: Center, sdk: Client, source: str) -> None:
    instance = target(running.cloud, 40, 6)
    system, unused, taken = disk_ids(running, instance)
    automatic = running.cloud.take_automatically(system)
    for wrong in (None, "i-other"):
        with refused("ConfirmErase.Missing", match=f"the system disk {system} (system, 20 GiB)"):
            create(sdk, source, instance, ConfirmErase=wrong)
    with refused("ConfirmErase.Missing", match=f"the data disk {taken} (data-2, 6 GiB)"):
        create(sdk, source, instance, ConfirmErase=None)
    with refused("ConfirmErase.Missing", match=f"the automatic snapshots {automatic}"):
        create(sdk, source, instance, ConfirmErase=None)
    with pytest.raises(Exception, match="erases") as raised:
        create(sdk, source, instance, ConfirmErase=None)
    assert unused not in str(raised.value), "a disk that stays is not among what is lost"
    assert f"--yes-erase {instance}" in raised.value.data["Recommend"]  # type: ignore[attr-defined]
    create(sdk, source, instance)


def test_a_disk_can_be_chosen(running: Center, sdk: Client, source: str) -> None:
    instance = target(running.cloud, 40, 6)
    chosen = disk_ids(running, instance)[1]
    job = create(sdk, source, instance, Disks={"Data": [{"DiskId": chosen}]})
    (found,) = sdk.describe_replication_jobs(DESCRIBED(job_id=[job])).body.replication_jobs.replication_job
    assert (found.disks.data.data[0].disk_id, found.disks.data.data[0].size) == (chosen, 40)
    (plan,) = [one.plan for one in [running.parts.store.jobs.find(job)] if one]
    assert [disk.size >> 30 for disk in plan.disks] == [20, 40]


@pytest.mark.parametrize(
    ("parameters", "code", "match"),
    [
        ({"InstanceId": None}, "MissingParameter.InstanceId", "InstanceId"),
        ({"InstanceId": "i-gone"}, "InvalidInstanceId.NotFound", "i-gone"),
        ({"SystemDiskSize": 21}, "TargetInstance.SystemDiskTooSmall", "20 GiB, 21 GiB are needed"),
        ({"DataDisk": [{"Index": 1, "Size": 9}]}, "TargetInstance.DiskTooSmall", "needs 9 GiB"),
        ({"Disks": {"Data": [{"DiskId": "d-other"}]}}, "TargetInstance.DiskUnknown", "d-other"),
        ({"VpcId": "vpc-other"}, "TargetInstance.NetworkMismatch", "vpc-other"),
        ({"NetMode": 1}, "InvalidParameter.NetMode", "NetMode"),
        ({"InstanceType": "mem.large"}, "InvalidParameter.InstanceType", "intermediate"),
        ({"PrivateIpAddress": "10.9.9.9"}, "PrivateIpAddress.OutsideVSwitch", "10.7.1.0/24"),
        ({"PrivateIpAddress": "10.7.1.253"}, "PrivateIpAddress.Reserved", "10.7.1.253"),
        ({"RunOnce": False}, "MissingParameter.Frequency", "Frequency"),
        ({"TargetType": "Image"}, "InvalidParameter.InstanceId", "TargetInstance"),
        ({"TargetType": "Image", "InstanceId": None}, "InvalidParameter.ConfirmErase", "TargetInstance"),
        (
            {"TargetType": None, "InstanceId": None, "ConfirmErase": None, "PrivateIpAddress": "10.7.1.9"},
            "InvalidParameter.PrivateIpAddress",
            "TargetInstance",
        ),
        (
            {
                "TargetType": "Image",
                "InstanceId": None,
                "ConfirmErase": None,
                "Disks": {"Data": [{"DiskId": "d-1"}]},
            },
            "InvalidParameter.DiskId",
            "TargetInstance",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    running: Center, sdk: Client, source: str, parameters: dict[str, object], code: str, match: str
) -> None:
    instance = target(running.cloud, 4)
    with refused(code, match=match):
        create(sdk, source, instance, **parameters)


def test_an_incremental_job_onto_an_instance_needs_only_its_frequency(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(sdk, source, target(running.cloud, 4), RunOnce=False, Frequency=12)
    (found,) = sdk.describe_replication_jobs(DESCRIBED(job_id=[job])).body.replication_jobs.replication_job
    assert (found.run_once, found.frequency, found.target_type) == (False, 12, "TargetInstance")


def test_all_reasons_are_told_at_once(running: Center, sdk: Client, source: str) -> None:
    instance = target(running.cloud, public_address=False)
    with refused("TargetInstance.NoPublicAddress", match="too few data disks"):
        create(sdk, source, instance)


def test_an_instance_is_the_target_of_one_unfinished_job(running: Center, sdk: Client, source: str) -> None:
    instance = target(running.cloud, 4)
    first = create(sdk, source, instance)
    other = running.import_server(server(fingerprint="f2", hostname="other")).source_id
    with refused("TargetInstance.InUse", match=first):
        create(sdk, other, instance)
    second = create(sdk, other, target(running.cloud, 8, name="second"))
    with refused("TargetInstance.InUse", match=first):
        call(
            sdk,
            "ModifyReplicationJobAttribute",
            JobId=second,
            InstanceId=instance,
            ConfirmErase=instance,
        )
    sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=second))
    running.parts.store.jobs.remove(second)
    sdk.delete_replication_job(models.DeleteReplicationJobRequest(job_id=first))
    with refused("TargetInstance.InUse", match=first):
        create(sdk, other, instance)  # the job brings it back just now


def test_a_private_address_that_is_taken_names_who_has_it(running: Center, sdk: Client, source: str) -> None:
    instance, other = target(running.cloud, 4), target(running.cloud, 4, name="other")
    seen = running.cloud.instance(other)
    assert seen
    with refused("PrivateIpAddress.Taken", match=other):
        create(sdk, source, instance, PrivateIpAddress=seen.private_address)
    job = create(sdk, source, instance, PrivateIpAddress="10.7.1.77")
    stored = running.parts.store.jobs.find(job)
    assert stored
    assert stored.request.private_ip_address == "10.7.1.77"


def test_a_job_that_has_not_run_gets_another_target_when_that_is_confirmed_too(
    running: Center, sdk: Client, source: str
) -> None:
    first, second = target(running.cloud, 4), target(running.cloud, 8, name="second")
    job = create(sdk, source, first)

    def modify(**parameters: object) -> None:
        call(sdk, "ModifyReplicationJobAttribute", JobId=job, **parameters)

    running.cloud.hook = failing("instance", Transient("the cloud is away", code="Cloud.Unreachable"))
    modify(Description="a-note")  # needs no cloud
    running.cloud.hook = no_hook
    with refused("ConfirmErase.Missing", match=second):
        modify(InstanceId=second)
    with refused("PrivateIpAddress.OutsideVSwitch"):
        modify(PrivateIpAddress="10.9.9.9")
    modify(InstanceId=second, ConfirmErase=second)
    stored = running.parts.store.jobs.find(job)
    assert stored
    assert (stored.request.instance_id, stored.plan.disks[1].size >> 30) == (second, 8)
    assert stored.request.target_disks == {1: disk_ids(running, second)[1]}
    modify(TargetType="Image", ImageName="instead")
    stored = running.parts.store.jobs.find(job)
    assert stored
    assert (stored.request.instance_id, stored.request.target_disks) == ("", {})
