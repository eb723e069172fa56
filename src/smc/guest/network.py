"""The network on a machine whose card has another place and another hardware address.

The new card gets the *name of the old one*, by a systemd .link file. Of all ways this leaves the guest's
own configuration most intact: whatever speaks of ens3 (addresses, firewall, bridges, sysctl) stays true in
every style, and removing one file undoes it. The other ways considered: patterns in /etc/network/interfaces
(`auto /e*=ens3`) bring nothing up when the card appears after `ifup -a` or is renamed meanwhile;
`net.ifnames=0` gives eth0, so every mention of the old name has to change. Cards found by hardware address
are freed of it. IpMode.DHCP then turns static addresses of the card into DHCP, IpMode.KEEP leaves them.
"""

import re
from collections.abc import Sequence

from smc.guest.detect import System
from smc.guest.networks import ifcfg
from smc.guest.networks.ifcfg import Ifcfg
from smc.guest.networks.ifupdown import Ifupdown
from smc.guest.networks.netplan import Netplan
from smc.guest.networks.networkd import Networkd
from smc.guest.networks.networkmanager import NetworkManager
from smc.guest.networks.style import DRIVER, Interface, Style
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
    cards = [(style, card) for style in STYLES for card in style.interfaces(root)]
    if not cards:
        return [_nothing_known(root)]
    style, primary = _primary(cards)
    style.free(root, primary)
    if mode is IpMode.DHCP:
        style.use_dhcp(root, primary)
    others = [(other, card) for other, card in cards if card is not primary and card.name != primary.name]
    for other, card in others:
        other.let_go(root, card)
    checks = [*_pin(root, system, primary), *_stacked(root, style, mode)]
    if others:
        names = ", ".join(card.name or card.file for _, card in others)
        finding = f"{names} stay unconfigured: the new machine has one network card, which is {primary.name}"
        cure = "Add network cards to the new machine and configure them there."
        checks.append(Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure))
    return [_judge(style, primary, mode), *checks]


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


def _primary(cards: Sequence[tuple[Style, Interface]]) -> tuple[Style, Interface]:
    """The card through which the way out leads, else the first."""
    return next(((style, card) for style, card in cards if card.gateway), cards[0])


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


def _stacked(root: Root, style: Style, mode: IpMode) -> list[Check]:
    names = style.stacked(root)
    if not names:
        return []
    if mode is IpMode.KEEP:
        finding = f"{', '.join(names)} keep their configuration"
        return [Check(item=ITEM, level=Level.INFORMATION, finding=finding)]
    finding = f"{', '.join(names)} keep their configuration; only the network card was set to DHCP"
    cure = "Set them to DHCP on the source, or create the job with IpMode keep."
    return [Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)]


def _judge(style: Style, card: Interface, mode: IpMode) -> Check:
    name = card.name or "the network card"
    if mode is IpMode.DHCP:
        return Check(item=ITEM, level=Level.PASSED, finding=f"{name} gets its address by DHCP ({style.name})")
    addresses = "by DHCP as before" if card.dhcp else "as on the source"
    finding = f"{name} has its addresses {addresses} ({style.name})"
    return Check(item=ITEM, level=Level.INFORMATION, finding=finding)


def _nothing_known(root: Root) -> Check:
    found = [what for what, folder, suffix in UNKNOWN_STYLES if root.files(folder, suffix=suffix)]
    finding = "the network configuration is not changed: " + (
        f"{', '.join(found)} is not known here"
        if found
        else "no style that is known here configures a network card"
    )
    cure = "Set the source to DHCP on any network card and remove hardware addresses from its configuration."
    return Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
