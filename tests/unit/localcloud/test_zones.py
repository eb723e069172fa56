"""What belongs to a zone goes together with what is of the same zone alone."""

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from tests.unit.localcloud.conftest import Launch, World
from tests.unit.localcloud.test_life import disks, instance, refusal, stop, take


@pytest.fixture
def other(network: tuple[str, str, str], vpc: VpcClient) -> str:
    """A vSwitch of the second zone in the same VPC."""
    return switch_in(vpc, "local-b", network[0])


def switch_in(vpc: VpcClient, zone: str, network: str) -> str:
    request = vpc_models.CreateVSwitchRequest(
        region_id="local", zone_id=zone, vpc_id=network, cidr_block="10.1.3.0/24"
    )
    return str(vpc.create_vswitch(request).body.v_switch_id)


def disk_in(ecs: Client, zone: str) -> str:
    request = models.CreateDiskRequest(region_id="local", zone_id=zone, size=5)
    return str(ecs.create_disk(request).body.disk_id)


def test_an_instance_and_its_disks_are_in_the_zone_of_its_vswitch(
    world: World, ecs: Client, launch: Launch, other: str
) -> None:
    name = launch(v_switch_id=other, data_disk=[models.RunInstancesRequestDataDisk(size=3)])
    world.work()
    assert instance(ecs, name).zone_id == "local-b"
    assert [disk.zone_id for disk in disks(ecs, name)] == ["local-b", "local-b"]


def test_a_vswitch_of_another_zone_than_the_one_asked_for_is_refused(
    ecs: Client, network: tuple[str, str, str], world: World, other: str
) -> None:
    request = models.RunInstancesRequest(
        region_id="local",
        zone_id="local-a",
        image_id=world.register(),
        instance_type="ecs.l1.medium",
        v_switch_id=other,
        security_group_id=network[2],
    )
    assert refusal(ecs.run_instances, request) == ("InvalidParameter.Mismatch", 400)


def test_a_disk_is_attached_within_its_zone_alone(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    far, near = disk_in(ecs, "local-b"), disk_in(ecs, "")
    world.work()
    stop(world, ecs, name)
    request = models.AttachDiskRequest(instance_id=name, disk_id=far)
    assert refusal(ecs.attach_disk, request) == ("ResourcesNotInSameZone", 403)
    ecs.attach_disk(models.AttachDiskRequest(instance_id=name, disk_id=near))


def test_a_snapshot_makes_a_disk_in_any_zone(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    world.work()
    stop(world, ecs, name)
    taken = take(world, ecs, disks(ecs, name)[0].disk_id)
    request = models.CreateDiskRequest(region_id="local", zone_id="local-b", snapshot_id=taken)
    made = ecs.create_disk(request).body.disk_id
    (seen,) = ecs.describe_disks(
        models.DescribeDisksRequest(region_id="local", disk_ids=f'["{made}"]')
    ).body.disks.disk
    assert (seen.zone_id, seen.source_snapshot_id) == ("local-b", taken)


def test_a_zone_that_is_not_there_is_refused(
    ecs: Client, vpc: VpcClient, network: tuple[str, str, str]
) -> None:
    disk = models.CreateDiskRequest(region_id="local", zone_id="local-c", size=5)
    assert refusal(ecs.create_disk, disk) == ("InvalidZoneId.NotFound", 404)
    switch = vpc_models.CreateVSwitchRequest(
        region_id="local", zone_id="local-c", vpc_id=network[0], cidr_block="10.1.3.0/24"
    )
    assert refusal(vpc.create_vswitch, switch) == ("InvalidZoneId.NotFound", 404)
