"""What vSwitches and security groups mean for one machine's user-mode network; pure functions."""

import hashlib
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping

from smc.base.errors import UserError
from smc.localcloud.machine import Forward, UserNetwork
from smc.localcloud.things import Direction, Instance, Policy, Rule, VSwitch

FIRST_ADDRESS = 10  # below it QEMU keeps addresses of its own by default
WIDEST_RANGE = 32  # ports of one rule that are forwarded; a rule for all ports would take all of the host's
TAG_FORWARD = "smc:forward:"  # + guest port = host port (contracts 3)


def gateway(vswitch: VSwitch) -> str:
    """The vendor's choice: the third address from the end (.253); guests reach the host there."""
    return str(_range(vswitch)[-3])


def choose_address(vswitch: VSwitch, taken: Collection[str], wanted: str = "") -> str:
    """Raises `UserError` `InvalidPrivateIpAddress.*` or `InvalidVSwitchId.IpNotEnough`."""
    network = _range(vswitch)
    usable = range(min(FIRST_ADDRESS, network.num_addresses // 2), network.num_addresses - 3)
    if wanted:
        return _check_address(network, taken, wanted)
    for number in usable:
        if str(network[number]) not in taken:
            return str(network[number])
    raise UserError(
        f"All addresses of vSwitch {vswitch.id} ({vswitch.cidr}) are in use.",
        code="InvalidVSwitchId.IpNotEnough",
        hint="Release instances or use another vSwitch.",
    )


def free_addresses(vswitch: VSwitch, taken: Collection[str]) -> int:
    return max(0, _range(vswitch).num_addresses - 4 - len(taken))


def mac_address(instance: str) -> str:
    """Of the vendor's prefix 00:16:3e, the rest from the instance's id."""
    return "00:16:3e:" + hashlib.sha256(instance.encode()).digest()[:3].hex(":")


def forwards(instance: Instance, rules: Iterable[Rule], host_address: str) -> tuple[Forward, ...]:
    """For each TCP port that the rules open; the host's port is the guest's unless a tag says otherwise."""
    mapped = mapped_ports(instance.tags)
    ingress = [rule for rule in rules if rule.direction is Direction.INGRESS]
    candidates = set(mapped)
    for rule in ingress:
        first, last = port_range(rule)
        if last - first < WIDEST_RANGE:
            candidates.update(range(first, last + 1))
    return tuple(
        Forward(host_address=host_address, host_port=mapped.get(port, port), guest_port=port)
        for port in sorted(candidates)
        if _decide(ingress, port) is Policy.ACCEPT
    )


def is_restricted(rules: Iterable[Rule]) -> bool:
    """Whether an egress rule drops everything."""
    egress = [rule for rule in rules if rule.direction is Direction.EGRESS and _is_any(rule.cidr)]
    everything = [rule for rule in egress if rule.protocol == "all"]
    if not everything:
        return False
    return (
        min(everything, key=lambda rule: (rule.priority, rule.policy is Policy.ACCEPT)).policy is Policy.DROP
    )


def user_network(instance: Instance, vswitch: VSwitch, rules: Collection[Rule]) -> UserNetwork:
    """Without forwards: they are added while it runs, so that a port in use does not keep it off."""
    return UserNetwork(
        cidr=vswitch.cidr,
        gateway=gateway(vswitch),
        address=instance.private_address,
        mac=instance.mac,
        restricted=is_restricted(rules),
    )


def mapped_ports(tags: Mapping[str, str]) -> dict[int, int]:
    """Guest port -> host port, from the tags; what is not a pair of ports is no mapping."""
    found = {}
    for key, value in tags.items():
        if key.startswith(TAG_FORWARD):
            guest, host = key.removeprefix(TAG_FORWARD), value
            if _is_port(guest) and _is_port(host):
                found[int(guest)] = int(host)
    return found


def port_range(rule: Rule) -> tuple[int, int]:
    """All ports for `-1/-1`."""
    first, last = (int(port) for port in rule.ports.split("/"))
    return (1, 65535) if first == -1 else (first, last)


def _decide(ingress: Iterable[Rule], port: int) -> Policy:
    matching = [
        rule
        for rule in ingress
        if rule.protocol in ("tcp", "all") and port_range(rule)[0] <= port <= port_range(rule)[1]
    ]
    if not matching:
        return Policy.DROP
    return min(matching, key=_precedence).policy


def _precedence(rule: Rule) -> tuple[int, bool]:
    """The lowest number decides; of two equal ones the one that drops."""
    return rule.priority, rule.policy is Policy.ACCEPT


def _check_address(network: ipaddress.IPv4Network, taken: Collection[str], wanted: str) -> str:
    try:
        address = ipaddress.IPv4Address(wanted)
    except ValueError as e:
        raise UserError(
            f"{wanted!r} is not an IPv4 address.", code="InvalidPrivateIpAddress.Malformed"
        ) from e
    if address not in network:
        raise UserError(
            f"The address {wanted} is not in the vSwitch's range {network}.",
            code="InvalidPrivateIpAddress.Mismatch",
            hint="Choose an address of the vSwitch, or a vSwitch that holds the address.",
        )
    if address in (network[0], network[-1], network[-2], network[-3]):
        raise UserError(f"The address {wanted} is reserved.", code="InvalidPrivateIpAddress.Reserved")
    if wanted in taken:
        raise UserError(f"The address {wanted} is in use.", code="InvalidPrivateIpAddress.Duplicated")
    return wanted


def _range(vswitch: VSwitch) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(vswitch.cidr)


def _is_any(cidr: str) -> bool:
    return cidr in ("", "0.0.0.0/0")


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d{0,4}", text) is not None and int(text) <= 65535
