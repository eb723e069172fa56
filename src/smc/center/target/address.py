"""Whether an instance can get a private address: in its vSwitch's range, not reserved, not taken."""

import ipaddress

from smc.base.errors import UserError
from smc.cloud.driver import Driver, Instance

LAST_RESERVED = 3  # and the first; the vendor keeps them for itself


def check_address(driver: Driver, instance: Instance, wanted: str) -> None:
    """Raises `UserError`: `InvalidParameter.PrivateIpAddress`, `PrivateIpAddress.OutsideVSwitch`,
    `PrivateIpAddress.Reserved`, `PrivateIpAddress.Taken`.
    """
    try:
        address = ipaddress.IPv4Address(wanted)
    except ValueError as e:
        raise UserError(
            f"{wanted!r} is not an IPv4 address.", code="InvalidParameter.PrivateIpAddress"
        ) from e
    vswitch = driver.catalogue.vswitch(instance.vswitch)
    network = ipaddress.IPv4Network(vswitch.cidr if vswitch else "0.0.0.0/0")
    if address not in network:
        holder = _holder(driver, instance, address)
        raise UserError(
            f"The address {wanted} is not in the range {network} of the vSwitch {instance.vswitch}.",
            code="PrivateIpAddress.OutsideVSwitch",
            hint=f"Move {instance.id} to a vSwitch that holds it{holder} or choose another address.",
        )
    if address == network[0] or address in (network[-at] for at in range(1, LAST_RESERVED + 1)):
        raise UserError(
            f"The address {wanted} is reserved in {network}.",
            code="PrivateIpAddress.Reserved",
            hint=f"Choose one from {network[1]} to {network[-LAST_RESERVED - 1]}.",
        )
    owner = driver.catalogue.addresses_in_use(instance.vswitch).get(wanted, instance.id)
    if owner != instance.id:
        raise UserError(
            f"The address {wanted} is taken by {owner}.",
            code="PrivateIpAddress.Taken",
            hint="Choose another address, or release that instance first.",
        )


def _holder(driver: Driver, instance: Instance, address: ipaddress.IPv4Address) -> str:
    """Only a vSwitch of the same zone and VPC will do."""
    fitting = [
        vswitch.id
        for vswitch in driver.catalogue.vswitches(instance.vpc)
        if vswitch.zone == instance.zone and address in ipaddress.IPv4Network(vswitch.cidr)
    ]
    return f" ({fitting[0]} does)" if fitting else ""
