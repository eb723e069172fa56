"""A private address is refused with a code of its own for each thing that can be wrong."""

import pytest
from tests.unit.center.targets import network, target

from smc.base.errors import UserError
from smc.center.target.address import check_address
from smc.cloud.driver import Instance
from smc.cloud.memory import MemoryCloud


def seen(cloud: MemoryCloud, name: str) -> Instance:
    found = cloud.instance(name)
    assert found
    return found


@pytest.mark.parametrize(
    ("address", "code", "hint"),
    [
        ("10.7.2.7", "PrivateIpAddress.OutsideVSwitch", "to a vSwitch that holds it or choose"),
        ("10.7.3.7", "PrivateIpAddress.OutsideVSwitch", "does) or choose"),
        ("10.7.1.0", "PrivateIpAddress.Reserved", "10.7.1.1 to 10.7.1.252"),
        ("10.7.1.253", "PrivateIpAddress.Reserved", "10.7.1.1 to 10.7.1.252"),
        ("10.7.1.255", "PrivateIpAddress.Reserved", "10.7.1.1 to 10.7.1.252"),
        ("taken", "PrivateIpAddress.Taken", "another address"),
        ("nowhere", "InvalidParameter.PrivateIpAddress", ""),
        ("fe80::1", "InvalidParameter.PrivateIpAddress", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(address: str, code: str, hint: str) -> None:
    cloud = MemoryCloud()
    instance, other = target(cloud, 4), target(cloud, 4, name="other")
    vpc, _ = network(cloud)
    cloud.create_vswitch(vpc, "memory-a", "wide", "10.7.3.0/24", {}, "wide")
    cloud.create_vswitch(vpc, "memory-b", "far", "10.7.2.0/24", {}, "far")
    wanted = seen(cloud, other).private_address if address == "taken" else address
    with pytest.raises(UserError) as refused:
        check_address(cloud, seen(cloud, instance), wanted)
    assert refused.value.code == code
    assert hint in refused.value.hint


def test_a_free_address_and_its_own_are_allowed() -> None:
    cloud = MemoryCloud()
    instance = seen(cloud, target(cloud, 4))
    for wanted in ("10.7.1.1", "10.7.1.252", instance.private_address):
        check_address(cloud, instance, wanted)
