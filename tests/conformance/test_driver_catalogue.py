"""Every Driver tells what there is to choose from, as smc.cloud.catalogue says."""

from tests.conformance.site import Site

from smc.cloud.driver import Driver
from smc.model.server import Architecture


def test_networks_and_groups_are_listed_by_their_vpc(site: Site) -> None:
    catalogue = site.driver.catalogue
    (vpc,) = [found for found in catalogue.vpcs() if found.id == site.vpc]
    assert (vpc.name, vpc.cidr) == (f"{site.job}-net", "10.99.0.0/16")
    (vswitch,) = catalogue.vswitches(site.vpc)
    assert (vswitch.id, vswitch.vpc, vswitch.zone) == (site.vswitch, site.vpc, site.zone)
    assert vswitch.cidr == "10.99.1.0/24"
    (group,) = catalogue.security_groups(site.vpc)
    assert (group.id, group.name, group.vpc) == (site.group, f"{site.job}-sg", site.vpc)
    assert vswitch in catalogue.vswitches()
    assert group in catalogue.security_groups()
    assert catalogue.vswitch(site.vswitch) == vswitch
    assert catalogue.vswitch("vsw-gone00000000") is None


def test_an_instance_takes_an_address_of_its_vswitch(site: Site) -> None:
    catalogue = site.driver.catalogue
    before = catalogue.vswitches(site.vpc)[0].free
    instance = site.launched()
    found = site.driver.instance(instance)
    assert found
    assert catalogue.addresses_in_use(site.vswitch) == {found.private_address: instance}
    assert found.private_address.startswith("10.99.1.")
    assert catalogue.vswitches(site.vpc)[0].free == before - 1


def test_instance_types_tell_architecture_size_and_where_they_are_in_stock(driver: Driver) -> None:
    kinds = driver.catalogue.instance_types()
    assert {kind.architecture for kind in kinds} == {Architecture.X86_64, Architecture.ARM64}
    assert [kind.id for kind in kinds] == sorted(kind.id for kind in kinds)
    assert all(kind.cpus > 0 and kind.memory_gib > 0 for kind in kinds)
    zone = driver.zones()[0]
    (there,) = {kind.zones for kind in driver.catalogue.instance_types(zone) if kind.zones}
    assert there == (zone,)


def test_an_instance_knows_its_type_zone_and_card(site: Site) -> None:
    instance = site.launched()
    (found,) = [seen for seen in site.driver.instances() if seen.id == instance]
    assert found == site.driver.instance(instance)
    assert (found.zone, found.os) == (site.zone, "linux")
    assert len(found.mac.split(":")) == 6
    kinds = {kind.id: kind.architecture for kind in site.driver.catalogue.instance_types()}
    assert kinds[found.instance_type] is Architecture.X86_64
    assert found.tags["smc:job"] == site.job


def test_an_intermediate_image_is_known_by_architecture(driver: Driver) -> None:
    assert driver.catalogue.intermediate_image(Architecture.X86_64)
