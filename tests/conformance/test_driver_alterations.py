"""Every Driver changes an instance that is there as smc.cloud.alterations says, and refuses what it must."""

from collections.abc import Callable

import pytest
from tests.conformance.clouds import eventually
from tests.conformance.site import Site

from smc.base.errors import Broken, SmcError, Transient, UserError
from smc.cloud.driver import CloudDisk, Kind
from smc.model.server import Architecture


def intermediate(site: Site) -> str:
    return site.driver.catalogue.intermediate_image(Architecture.X86_64)


def disks(site: Site, instance: str) -> list[CloudDisk]:
    return list(site.driver.disks(instance))


def replace(site: Site, instance: str, size_gib: int = 20, token: str = "replace") -> str:
    return site.driver.alterations.replace_system_disk(
        instance, intermediate(site), size_gib, site.token(token)
    )


def temporary(site: Site, instance: str) -> str:
    """A disk that is attached to the stopped instance."""
    disk = site.driver.alterations.create_disk(site.zone, "SMC_Temp_Disk", 21, site.tags, site.token("temp"))
    attach(site, disk, instance)
    return disk


def attach(site: Site, disk: str, instance: str) -> None:
    def done() -> bool:
        try:
            site.driver.alterations.attach_disk(disk, instance)
        except Transient:
            return False
        return True

    eventually(done)


def patiently(do: Callable[[], None]) -> None:
    def done() -> bool:
        try:
            do()
        except Transient:
            return False
        return True

    eventually(done)


def test_a_replaced_system_disk_is_another_one_and_all_else_stays(site: Site) -> None:
    instance = site.stopped()
    before, was = disks(site, instance), site.driver.instance(instance)
    made = replace(site, instance)
    after, now = disks(site, instance), site.driver.instance(instance)
    assert was
    assert now
    assert after[0].id == made != before[0].id
    assert after[0].system
    assert after[1:] == before[1:]
    assert not site.driver.exists(Kind.DISK, before[0].id)
    for what in ("id", "mac", "private_address", "public_address", "security_groups", "instance_type"):
        assert getattr(now, what) == getattr(was, what), what
    assert replace(site, instance) == made, "a repeated token changes nothing"
    site.driver.start(instance)
    eventually(lambda: site.power(instance) is not None and disks(site, instance)[0].id == made)


def test_a_system_disk_does_not_become_smaller(site: Site) -> None:
    instance = site.stopped()
    replace(site, instance, 30)
    assert disks(site, instance)[0].size_gib == 30
    with pytest.raises(UserError) as refused:
        replace(site, instance, 20, "smaller")
    assert refused.value.code.startswith("InvalidSystemDiskSize")
    assert disks(site, instance)[0].size_gib == 30


def test_an_instance_that_runs_is_left_alone(site: Site) -> None:
    instance = site.launched()
    data = disks(site, instance)[1].id
    for do in (
        lambda: replace(site, instance),
        lambda: site.driver.alterations.detach_disk(data),
        lambda: site.driver.alterations.set_user_data(instance, "#!/bin/sh\n"),
        lambda: site.driver.alterations.move_address(instance, site.vswitch, "10.99.1.77"),
    ):
        with pytest.raises(Transient) as refused:
            do()
        assert refused.value.code == "IncorrectInstanceStatus"


def test_a_disk_goes_back_to_its_own_snapshot_only(site: Site) -> None:
    instance = site.stopped()
    _, first, second = disks(site, instance)
    snapshot = site.snapshot(first.id, "first")
    patiently(lambda: site.driver.alterations.reset_disk(first.id, snapshot))
    patiently(lambda: site.driver.alterations.reset_disk(first.id, snapshot))
    with pytest.raises(Broken) as refused:
        patiently(lambda: site.driver.alterations.reset_disk(second.id, snapshot))
    assert refused.value.code == "InvalidParameter.Conflict"
    assert [disk.id for disk in disks(site, instance)[1:]] == [first.id, second.id]
    eventually(lambda: site.driver.snapshot(site.snapshot(first.id, "again")) is not None)
    site.driver.start(instance)
    with pytest.raises(Transient):
        site.driver.alterations.reset_disk(first.id, snapshot)


def test_a_disk_is_made_attached_and_detached_again(site: Site) -> None:
    instance = site.stopped()
    disk = temporary(site, instance)
    made = site.driver.alterations.create_disk(site.zone, "SMC_Temp_Disk", 21, site.tags, site.token("temp"))
    assert made == disk
    (found,) = [one for one in disks(site, instance) if one.name == "SMC_Temp_Disk"]
    assert (found.id, found.size_gib, found.system) == (disk, 21, False)
    assert found.serial
    attach(site, disk, instance)
    with pytest.raises(Transient):
        site.driver.delete(Kind.DISK, disk)
    site.driver.alterations.detach_disk(disk)
    site.driver.alterations.detach_disk(disk)
    assert len(disks(site, instance)) == 3
    site.driver.delete(Kind.DISK, disk)
    eventually(lambda: not site.driver.exists(Kind.DISK, disk))
    site.driver.alterations.detach_disk(disk)


def test_a_temporary_disk_outlives_its_instance(site: Site) -> None:
    instance = site.stopped()
    disk = temporary(site, instance)
    site.driver.delete(Kind.INSTANCE, instance)
    eventually(lambda: not site.driver.exists(Kind.INSTANCE, instance))
    assert site.driver.exists(Kind.DISK, disk)


def test_an_instance_joins_and_leaves_a_group_also_while_it_runs(site: Site) -> None:
    instance = site.launched()
    group = site.driver.create_security_group(site.vpc, "second", site.tags, site.token("second"))
    for _ in range(2):
        site.driver.alterations.join_group(instance, group)
    found = site.driver.instance(instance)
    assert found
    assert set(found.security_groups) == {site.group, group}
    with pytest.raises(Transient):
        site.driver.delete(Kind.SECURITY_GROUP, group)
    for _ in range(2):
        site.driver.alterations.leave_group(instance, group)
    found = site.driver.instance(instance)
    assert found
    assert found.security_groups == (site.group,)
    site.driver.delete(Kind.SECURITY_GROUP, group)
    site.driver.alterations.leave_group("i-gone00000000", group)


def test_user_data_is_set_read_and_taken_away(site: Site) -> None:
    instance = site.stopped()
    alterations = site.driver.alterations
    assert alterations.user_data(instance) == "#!/bin/sh\ntrue\n"
    alterations.set_user_data(instance, "#!/bin/sh\nfalse\n")
    assert alterations.user_data(instance) == "#!/bin/sh\nfalse\n"
    alterations.set_user_data(instance, "")
    assert alterations.user_data(instance) == ""


def test_a_private_address_is_changed_within_the_vswitch_once_a_stop(site: Site) -> None:
    instance = site.stopped()
    for _ in range(2):
        site.driver.alterations.move_address(instance, site.vswitch, "10.99.1.77")
    found = site.driver.instance(instance)
    assert found
    assert (found.private_address, found.vswitch) == ("10.99.1.77", site.vswitch)
    assert site.driver.catalogue.addresses_in_use(site.vswitch) == {"10.99.1.77": instance}


@pytest.mark.parametrize(
    ("address", "code"),
    [("10.99.2.7", "InvalidPrivateIpAddress.Mismatch"), ("taken", "InvalidPrivateIpAddress.Duplicated")],
)
def test_an_address_that_cannot_be_is_refused(site: Site, address: str, code: str) -> None:
    instance = site.stopped()
    other = site.driver.launch(site.spec(), site.tags, site.token("other"))
    found = site.driver.instance(other)
    assert found
    wanted = found.private_address if address == "taken" else address
    with pytest.raises(SmcError) as refused:
        site.driver.alterations.move_address(instance, site.vswitch, wanted)
    assert refused.value.code == code
    assert isinstance(refused.value, UserError)


def test_snapshots_of_users_are_not_automatic_ones(site: Site) -> None:
    instance = site.stopped()
    disk = disks(site, instance)[0].id
    site.snapshot(disk, "by-hand")
    assert list(site.driver.automatic_snapshots(disk)) == []


def test_a_group_is_isolated_again_and_again(site: Site) -> None:
    site.driver.admit(site.group, 22, "203.0.113.9/32")
    site.driver.alterations.isolate_group(site.group)
    site.driver.alterations.isolate_group(site.group)
    with pytest.raises(SmcError):
        site.driver.alterations.isolate_group("sg-none")
