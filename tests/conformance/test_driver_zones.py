"""An instance made again in another zone: every Driver gives it what it had."""

import pytest
from msgspec import structs
from tests.conformance.clouds import eventually
from tests.conformance.site import Site

from smc.base.errors import UserError
from smc.cloud.driver import DiskKind, DiskSpec, Kind, Power

FAST = DiskKind(category="cloud_essd", performance_level="PL2")


@pytest.fixture
def far(site: Site) -> str:
    """A vSwitch of the same VPC in another zone."""
    vswitch = site.driver.create_vswitch(
        site.vpc, site.driver.zones()[1], "far", "10.99.2.0/24", site.tags, site.token("far")
    )
    eventually(lambda: site.driver.vswitch_ready(vswitch))
    return vswitch


def test_there_is_a_second_zone_and_what_is_made_there_is_of_it(site: Site, far: str) -> None:
    spec = structs.replace(site.spec(), zone="", vswitch=far)
    instance = site.driver.launch(spec, site.tags, site.token("there"))
    seen = site.driver.instance(instance)
    assert seen
    assert (seen.zone, seen.vswitch) == (site.driver.zones()[1], far)
    eventually(lambda: site.power(instance) is Power.RUNNING)


def test_a_vswitch_of_another_zone_is_refused(site: Site, far: str) -> None:
    with pytest.raises(UserError) as refused:
        site.driver.launch(structs.replace(site.spec(), vswitch=far), site.tags, site.token("no"))
    assert refused.value.code == "InvalidParameter.Mismatch"


def test_a_disk_of_another_zone_cannot_be_attached(site: Site) -> None:
    instance = site.stopped()
    disk = site.driver.alterations.create_disk(
        site.driver.zones()[1], "far", 20, site.tags, site.token("disk")
    )
    with pytest.raises(UserError) as refused:
        site.driver.alterations.attach_disk(disk, instance)
    assert refused.value.code == "ResourcesNotInSameZone"


def test_an_instance_has_the_groups_the_name_and_the_disks_it_is_given(site: Site, far: str) -> None:
    more = site.driver.create_security_group(site.vpc, f"{site.job}-more", site.tags, site.token("more"))
    old = site.driver.disks(site.stopped())
    taken = site.snapshot(old[2].id, "taken")
    spec = structs.replace(
        site.spec(),
        zone=site.driver.zones()[1],
        vswitch=far,
        more_groups=(more,),
        host_name="shop-1",
        bandwidth_mbit=7,
        keeps_password=True,
        system_disk_kind=FAST,
        data_disks=(
            DiskSpec(name="b", size_gib=1, snapshot=taken, kind=FAST, stays=True),
            DiskSpec(name="a", size_gib=20, kind=FAST),
        ),
    )
    instance = site.driver.launch(spec, site.tags, site.token("there"))
    seen = site.driver.instance(instance)
    assert seen
    assert set(seen.security_groups) == {site.group, more}
    assert (seen.host_name, seen.bandwidth_mbit, seen.elastic) == ("shop-1", 7, False)
    system, *data = site.driver.disks(instance)
    assert system.kind.performance_level == "PL2"
    assert {(disk.name, disk.size_gib, disk.kind, disk.stays) for disk in data} == {
        ("b", 1, FAST, True),
        ("a", 20, FAST, False),
    }
    eventually(lambda: site.power(instance) is Power.RUNNING)
    site.driver.delete(Kind.INSTANCE, instance)
    eventually(lambda: site.driver.instance(instance) is None)
    (left,) = [disk.id for disk in data if site.driver.exists(Kind.DISK, disk.id)]
    assert left == next(disk.id for disk in data if disk.stays)
