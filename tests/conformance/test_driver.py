"""Every Driver keeps the contract of smc.cloud.driver; run for the memory cloud and for ECS."""

from collections.abc import Callable

import pytest
from tests.conformance.clouds import eventually
from tests.conformance.site import Site

from smc.base.errors import Broken, Transient, UserError
from smc.cloud.driver import (
    TAG_JOB,
    Driver,
    InstanceSpec,
    Kind,
    Power,
)

PORT = 18707


def test_a_token_repeated_with_the_same_values_gives_the_same_thing(site: Site) -> None:
    first = site.driver.launch(site.spec(), site.tags, site.token("vm"))
    assert site.driver.launch(site.spec(), site.tags, site.token("vm")) == first
    again = site.driver.create_security_group(site.vpc, f"{site.job}-sg", site.tags, site.token("sg"))
    assert again == site.group
    vpc = site.driver.create_vpc(f"{site.job}-net", "10.99.0.0/16", site.tags, site.token("vpc"))
    assert vpc == site.vpc
    instances = [r for r in site.driver.find(site.tags) if r.kind is Kind.INSTANCE]
    assert [r.id for r in instances] == [first]


def test_a_token_with_other_values_is_refused(site: Site) -> None:
    site.driver.launch(site.spec(), site.tags, site.token("vm"))
    other = InstanceSpec(name="another", zone=site.zone, vswitch=site.vswitch, security_group=site.group)
    with pytest.raises(Broken, match=r"(?i)token") as refused:
        site.driver.launch(other, site.tags, site.token("vm"))
    assert refused.value.code == "IdempotentParameterMismatch"


def test_an_instance_starts_with_its_disks_told_apart_by_name_and_serial(site: Site) -> None:
    instance = site.launched()
    disks = site.driver.disks(instance)
    assert [disk.system for disk in disks] == [True, False, False]
    assert [(disk.name, disk.size_gib) for disk in disks[1:]] == [
        (f"smc-{site.job}-0", 20),
        (f"smc-{site.job}-1", 1),
    ]
    serials = {disk.serial for disk in disks}
    assert len(serials) == 3
    assert all(0 < len(serial) <= 20 for serial in serials)


def test_an_instance_knows_where_it_is(site: Site) -> None:
    instance = site.launched()
    found = site.driver.instance(instance)
    assert found
    assert found.name == f"{site.job}-machine"
    assert (found.vpc, found.vswitch, found.security_groups) == (site.vpc, site.vswitch, (site.group,))
    assert site.driver.vpc_of(site.vswitch) == site.vpc
    host, port = site.driver.endpoint(instance, PORT)
    assert host
    assert port == PORT


def test_stop_and_start_can_be_repeated(site: Site) -> None:
    instance = site.stopped()
    site.driver.stop(instance)
    assert site.power(instance) is Power.STOPPED
    site.driver.start(instance)
    eventually(lambda: site.power(instance) is Power.RUNNING)
    site.driver.start(instance)
    assert site.power(instance) is Power.RUNNING


def test_admitting_twice_is_admitting_once(site: Site) -> None:
    site.driver.admit(site.group, PORT, "192.0.2.7/32")
    site.driver.admit(site.group, PORT, "192.0.2.7/32")


def test_an_image_is_made_of_snapshots_and_takes_them_with_it(site: Site) -> None:
    image = site.imaged()
    assert len(image.snapshots) == 2
    named = site.driver.image_named(image.name)
    assert named
    assert named.id == image.id
    with pytest.raises(Transient):
        site.driver.delete(Kind.SNAPSHOT, image.snapshots[0])
    site.driver.delete(Kind.IMAGE, image.id)
    eventually(lambda: site.driver.image(image.id) is None)
    site.driver.delete(Kind.IMAGE, image.id)
    eventually(lambda: not any(site.driver.snapshot(snapshot) for snapshot in image.snapshots))


def test_an_image_name_is_given_once(site: Site) -> None:
    image = site.imaged()
    spec = site.image_spec(list(image.snapshots))
    assert site.driver.create_image(spec, site.tags, site.token("image")) == image.id
    with pytest.raises(UserError) as refused:
        site.driver.create_image(spec, site.tags, site.token("other"))
    assert refused.value.code == "InvalidImageName.Duplicated"


def test_what_is_in_use_cannot_be_deleted(site: Site) -> None:
    site.driver.launch(site.spec(), site.tags, site.token("vm"))
    for kind, resource in (
        (Kind.SECURITY_GROUP, site.group),
        (Kind.VSWITCH, site.vswitch),
        (Kind.VPC, site.vpc),
    ):
        with pytest.raises(Transient):
            site.driver.delete(kind, resource)


def test_everything_tagged_is_found_in_an_order_in_which_it_can_be_deleted(site: Site) -> None:
    instance = site.launched()
    found = site.driver.find({TAG_JOB: site.job})
    kinds = {resource.kind for resource in found}
    assert kinds == {Kind.INSTANCE, Kind.DISK, Kind.SECURITY_GROUP, Kind.VSWITCH, Kind.VPC}
    site.clear()
    assert site.driver.find({TAG_JOB: site.job}) == []
    assert site.driver.instance(instance) is None
    assert list(site.driver.disks(instance)) == []
    assert not site.driver.exists(Kind.INSTANCE, instance)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_deleting_what_is_gone_is_success(driver: Driver, kind: Kind) -> None:
    gone = {Kind.VPC: "vpc", Kind.VSWITCH: "vsw", Kind.SECURITY_GROUP: "sg", Kind.INSTANCE: "i"}
    resource = f"{gone.get(kind, kind.value[0])}-gone00000000"
    driver.delete(kind, resource)
    assert not driver.exists(kind, resource)


def test_what_is_gone_is_described_as_none(driver: Driver) -> None:
    nothing: list[Callable[[], object]] = [
        lambda: driver.instance("i-gone00000000"),
        lambda: driver.snapshot("s-gone00000000"),
        lambda: driver.image("m-gone00000000"),
        lambda: driver.image_named("no-such-image"),
    ]
    assert [ask() for ask in nothing] == [None, None, None, None]
    driver.stop("i-gone00000000")
    with pytest.raises(UserError):
        driver.vpc_of("vsw-gone00000000")
