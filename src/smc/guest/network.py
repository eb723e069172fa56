"""The network on a machine whose card has another place and another hardware address.

The new card gets the *name of the old one*, by a systemd .link file. Of all ways this leaves the guest's
own configuration most intact: whatever speaks of ens3 (addresses, firewall, bridges, sysctl) stays true in
every style, and removing one file undoes it. The other ways considered: patterns in /etc/network/interfaces
(`auto /e*=ens3`) bring nothing up when the card appears after `ifup -a` or is renamed meanwhile;
`net.ifnames=0` gives eth0, so every mention of the old name has to change. Cards found by hardware address
are freed of it. IpMode.DHCP then turns static addresses of the card into DHCP, IpMode.KEEP leaves them.
"""

import re
from collections.abc import Iterator, Sequence

from smc.guest.detect import System
from smc.guest.networks import ifcfg, way_out
from smc.guest.networks.ifcfg import Ifcfg
from smc.guest.networks.ifupdown import Ifupdown
from smc.guest.networks.netplan import Netplan
from smc.guest.networks.networkd import Networkd
from smc.guest.networks.networkmanager import NetworkManager
from smc.guest.networks.style import DRIVER, Interface, Kind, Style
from smc.guest.networks.way_out import Found, WayOut
from smc.guest.root import Root
from smc.model.plan import IpMode
from smc.model.report import Check, Level

STYLES: tuple[Style, ...] = (
    *(Netplan(), Ifupdown(), Networkd(), NetworkManager()),
    *(Ifcfg(ifcfg.REDHAT), Ifcfg(ifcfg.SUSE)),
)
UNKNOWN_STYLES = (  # (what, where its files are, their suffix)
    ("netplan written in one line", "/etc/netplan", ".yaml"),
    ("netctl", "/etc/netctl", ""),
    ("connman", "/var/lib/connman", ".config"),
    ("wicked by XML", "/etc/wicked/ifconfig", ".xml"),
)
LINK = "/etc/systemd/network/10-smc-network-card.link"
RENAMES_AGAIN = 240  # the first systemd that renames a card which the initramfs has already named
STALE_RULES = re.compile(r"^\d\d-persistent-(?:net|cd)\.rules$")
LEASES = (
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/var/lib/NetworkManager",
    "/var/lib/dhcpcd5",
    "/var/lib/dhcpcd",
)
LEASE = re.compile(r"\.(?:lease|leases|lease6)$")
ITEM = "GUESTOS.Dhcp"


def adapt(root: Root, system: System, mode: IpMode) -> list[Check]:
    """Make the network come up on the new card; raises nothing, what cannot be done is a check."""
    _forget_old_cards(root)
    way = way_out.find(root, STYLES, tags_pass=mode is IpMode.KEEP)
    if way is None:
        return [_nothing_known(root)]
    for style, interface in dict.fromkeys((way.card, way.leader)):
        style.free(root, interface)
    if mode is IpMode.DHCP:
        way.leader.style.use_dhcp(root, way.leader.interface)
    for style, interface in (*way.tagged, *way.absent):
        style.let_go(root, interface)
    return [_judge(way, mode), *_pin(root, system, way.card.interface), *_told(way, mode)]


def names_stale(root: Root, system: System) -> bool:
    """Whether the initramfs would give the card a name that this old systemd does not change again."""
    return 0 < system.systemd < RENAMES_AGAIN and any(change.path == LINK for change in root.journal.changes)


def _forget_old_cards(root: Root) -> None:
    for name in root.names("/etc/udev/rules.d"):
        if STALE_RULES.match(name):
            root.remove(f"/etc/udev/rules.d/{name}", "ties names to the hardware of the old machine")
    for folder in LEASES:
        for name in root.names(folder):
            if LEASE.search(name):
                root.remove(f"{folder}/{name}", "a lease of the old machine's network")


def _pin(root: Root, system: System, card: Interface) -> list[Check]:
    """Give the new card the name that its configuration uses."""
    cmdline = root.read(f"{system.family.grub.folder}/grub.cfg") or ""
    if not card.name or (card.name == "eth0" and (not system.systemd or "net.ifnames=0" in cmdline)):
        return []
    if not system.systemd:
        finding = f"the configuration speaks of {card.name}; without systemd the new card is eth0"
        cure = f"Rename {card.name} to eth0 in {card.file} on the source and start the job again."
        return [Check(item=ITEM, level=Level.CRITICAL, finding=finding, cure=cure)]
    text = (
        f"# The network card of the new machine keeps the name that the configuration of this server uses.\n"
        f"[Match]\nDriver={DRIVER}\n\n[Link]\nName={card.name}\n"
    )
    root.write(LINK, text, f"the network card of the new machine is called {card.name} as before")
    return []


def _judge(way: WayOut, mode: IpMode) -> Check:
    leader, style = way.leader.interface, way.leader.style.name
    name = _name(leader) or "the network card"
    if leader.kind is not Kind.CARD:
        name = f"{name} on {_name(way.card.interface)}"
    if mode is IpMode.DHCP:
        return Check(item=ITEM, level=Level.PASSED, finding=f"{name} gets its address by DHCP ({style})")
    addresses = "by DHCP as before" if leader.dhcp else "as on the source"
    return Check(
        item=ITEM, level=Level.INFORMATION, finding=f"{name} has its addresses {addresses} ({style})"
    )


def _told(way: WayOut, mode: IpMode) -> Iterator[Check]:
    """What the owner has to know of the rest of the network."""
    card, leader = _name(way.card.interface), way.leader.interface
    if way.absent:
        finding = (
            f"{_names(way.absent)} stay unconfigured: the new machine has one network card, which is {card}"
        )
        cure = "Add network cards to the new machine and configure them there."
        yield Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
    if way.tagged:
        finding = (
            f"{_names(way.tagged)} led to the outside and does not come up by itself: the new network"
            f" carries no VLANs, so {_name(leader)} is in it directly"
        )
        cure = (
            f"Remove {_names(way.tagged)} on the new machine; to keep VLANs, create the job with IpMode keep."
        )
        yield Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
    if way.kept:
        finding = f"{_names(way.kept)} keep their configuration"
        if mode is IpMode.KEEP or all(_name(found.interface) in leader.on for found in way.kept):
            yield Check(item=ITEM, level=Level.INFORMATION, finding=finding)
        else:
            cure = "Set them to DHCP on the source, or create the job with IpMode keep."
            finding += f"; only {_name(leader)} was set to DHCP"
            yield Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
    if mode is IpMode.DHCP and leader.routes and not leader.dhcp:
        finding = f"routes and rules of {_name(leader)} that led through the old network are taken out"
        cure = "Add the routes that the new network needs there."
        yield Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)


def _names(found: Sequence[Found]) -> str:
    return ", ".join(_name(each.interface) for each in found)


def _name(interface: Interface) -> str:
    return interface.name or interface.file


def _nothing_known(root: Root) -> Check:
    found = [what for what, folder, suffix in UNKNOWN_STYLES if root.files(folder, suffix=suffix)]
    finding = "the network configuration is not changed: " + (
        f"{', '.join(found)} is not known here"
        if found
        else "no style that is known here configures a network card"
    )
    cure = "Set the source to DHCP on any network card and remove hardware addresses from its configuration."
    return Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
