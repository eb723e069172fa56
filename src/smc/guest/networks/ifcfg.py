"""ifcfg files: Red Hat's network service and NetworkManager's older plug-in, and wicked of SUSE.

One file a card, named after it, with KEY=value lines as shells read them.
"""

import ipaddress
import re
from typing import NamedTuple

from smc.guest.networks.style import WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, Kind, is_physical
from smc.guest.root import Root
from smc.guest.settings import ASSIGNMENT, parse, replaced


class Dialect(NamedTuple):
    name: str
    folder: str
    hardware: tuple[str, ...]  # keys that bind a file to a card
    start: tuple[str, str, str]  # key, and its values for a card that comes up at the start or does not
    idle: tuple[str, ...]  # all values with which it does not
    bundle: re.Pattern[str]  # keys of bridges, bonds, teams
    vlan: re.Pattern[str]  # keys of VLANs
    member: re.Pattern[str]  # keys of a card that is a part of one, with the name of that
    parts: re.Pattern[str]  # keys of one, with the names of what it is built on
    own_routes: tuple[str, ...]  # beginnings of the names of files with a card's routes and rules
    routes: str  # a file of routes beside the cards' own files; "" for none
    defaults: str  # settings that hold for every card; "" for none


REDHAT = Dialect(
    name="ifcfg",
    folder="/etc/sysconfig/network-scripts",
    hardware=("HWADDR", "MACADDR"),
    start=("ONBOOT", "yes", "no"),
    idle=("no", "false", "off", "0"),
    bundle=re.compile(r"^(?:BONDING_OPTS|BONDING_MASTER|TEAM_CONFIG|DELAY|STP)$"),
    vlan=re.compile(r"^(?:VLAN|PHYSDEV|VLAN_ID)$"),
    member=re.compile(r"^(?:MASTER|BRIDGE|TEAM_MASTER)$"),
    parts=re.compile(r"^PHYSDEV$"),
    own_routes=("route-", "route6-", "rule-", "rule6-"),
    routes="",
    defaults="/etc/sysconfig/network",
)
SUSE = Dialect(
    name="wicked",
    folder="/etc/sysconfig/network",
    hardware=("LLADDR",),
    start=("STARTMODE", "auto", "off"),
    idle=("off", "manual"),
    bundle=re.compile(r"^(?:BRIDGE|BONDING_MASTER|TEAM_RUNNER)$"),
    vlan=re.compile(r"^ETHERDEVICE$"),
    member=re.compile(r"^MASTER_DEVICE$"),
    parts=re.compile(r"^(?:ETHERDEVICE|BRIDGE_PORTS|BONDING_SLAVE_?\d+|TEAM_PORT_DEVICE_?\d+)$"),
    own_routes=("ifroute-", "ifrule-"),
    routes="/etc/sysconfig/network/routes",
    defaults="",
)
STATIC = re.compile(
    r"^(?:IPADDR|PREFIX|PREFIXLEN|NETMASK|NETWORK|BROADCAST|GATEWAY|DNS)(?:_?\w{1,8})?$|^DOMAIN$"
)
KINDS = {
    "ethernet": Kind.CARD,
    "bond": Kind.BUNDLE,
    "bridge": Kind.BUNDLE,
    "team": Kind.BUNDLE,
    "vlan": Kind.VLAN,
}
TAGGED = re.compile(r"^(?P<card>.+)\.\d+$")
NO_WAY_OUT = ("DEFROUTE", "DHCLIENT_SET_DEFAULT_ROUTE")
DHCP = ("dhcp", "dhcp4", "bootp")
DEFAULT_ROUTE = re.compile(r"^(?:default|0\.0\.0\.0/0)\s.*$", re.MULTILINE)
OTHER_FILES = re.compile(r"\.(?:bak|old|orig|rpmsave|rpmnew|template)$|~$")


class Ifcfg:
    def __init__(self, dialect: Dialect) -> None:
        self.name = dialect.name
        self._dialect = dialect

    def interfaces(self, root: Root) -> list[Interface]:
        return [found for found in self._all(root) if found.kind is Kind.CARD]

    def stacks(self, root: Root) -> list[Interface]:
        return [found for found in self._all(root) if found.kind is not Kind.CARD]

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        if interface.bare:
            self._make(root, interface.name)
            return
        self._leave_aliases(root, interface)
        if interface.dhcp:
            return
        text = root.read(interface.file) or ""
        new = _set(_without(text, STATIC), "BOOTPROTO", "dhcp")
        root.write(interface.file, new, WHY_DHCP)
        if self._dialect.routes and (routes := root.read(self._dialect.routes)):
            left = DEFAULT_ROUTE.sub(lambda match: f"#{match[0]}", routes)
            if left != routes:
                root.write(self._dialect.routes, left, WHY_DHCP)
        if self._dialect.defaults and (defaults := root.read(self._dialect.defaults)):
            left = _without(defaults, re.compile(r"^GATEWAY(?:DEV)?$"))
            if left != defaults:
                root.write(self._dialect.defaults, left, WHY_DHCP)
        for path in self._routes(root, interface.file):
            root.write(path, re.sub(r"(?m)^(?=[^#\n])", "#", root.read(path) or ""), WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        if interface.bare:
            return
        text = root.read(interface.file) or ""
        new = _without(text, re.compile(f"^(?:{'|'.join(self._dialect.hardware)})$"))
        if new != text:
            if self._dialect is REDHAT and interface.name:
                new = _set(new, "DEVICE", interface.name)  # what else would tell the card
            root.write(interface.file, new, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        key, _, value = self._dialect.start
        text = root.read(interface.file) or ""
        if parse(text).get(key) != value:
            root.write(interface.file, _set(text, key, value), WHY_OTHERS)

    def _make(self, root: Root, name: str) -> None:
        key, value, _ = self._dialect.start
        device = f"DEVICE={name}\n" if self._dialect is REDHAT else ""
        text = f"{device}BOOTPROTO=dhcp\n{key}={value}\n"
        root.write(f"{self._dialect.folder}/ifcfg-{name}", text, WHY_DHCP)

    def _leave_aliases(self, root: Root, interface: Interface) -> None:
        """Second addresses of a card, which come up with it whatever ONBOOT says."""
        for file, values in self._files(root):
            if _name(file, values).startswith(f"{interface.name}:") and "IPADDR" in values:
                text = _without(root.read(file) or "", STATIC)
                root.write(file, _set(text, "ONPARENT", "no"), WHY_DHCP)

    def _files(self, root: Root) -> list[tuple[str, dict[str, str]]]:
        names = (name for name in root.names(self._dialect.folder) if name.startswith("ifcfg-"))
        paths = [f"{self._dialect.folder}/{name}" for name in names if not OTHER_FILES.search(name)]
        return [(path, parse(root.read(path) or "")) for path in paths if not path.endswith("/ifcfg-lo")]

    def _all(self, root: Root) -> list[Interface]:
        files = self._files(root)
        found = []
        for file, values in files:
            called = _name(file, values)
            kind = self._kind(called, values)
            name = called if kind is not Kind.CARD or is_physical(called) else ""
            if ":" in called or not (name or values.get("TYPE")):
                continue
            member = any(self._dialect.member.match(key) for key in values)
            dhcp = values.get("BOOTPROTO", "none").lower() in DHCP
            leads_out = dhcp or "GATEWAY" in values or self._leads_out(root, file, called, values)
            avoided = any(values.get(key, "").lower() == "no" for key in NO_WAY_OUT)
            found.append(
                Interface(
                    file=file,
                    name=name,
                    id="" if name else file,
                    dhcp=dhcp,
                    gateway=leads_out and not member and not avoided,
                    by_hardware=any(values.get(key) for key in self._dialect.hardware),
                    kind=kind,
                    started=values.get(self._dialect.start[0], "").lower() not in self._dialect.idle,
                    on=self._parts(called, values, files) if kind is not Kind.CARD else (),
                    routes=bool(self._routes(root, file)),
                )
            )
        return found

    def _kind(self, name: str, values: dict[str, str]) -> Kind:
        kind = KINDS.get(values.get("TYPE", values.get("DEVICETYPE", "ethernet")).lower(), Kind.OTHER)
        if kind is not Kind.CARD:
            return kind
        if TAGGED.match(name) or any(self._dialect.vlan.match(key) for key in values):
            return Kind.VLAN
        # A card of Red Hat names its bridge by the key with which SUSE makes one.
        return Kind.BUNDLE if any(self._dialect.bundle.match(key) for key in values) else Kind.CARD

    def _parts(
        self, name: str, values: dict[str, str], files: list[tuple[str, dict[str, str]]]
    ) -> tuple[str, ...]:
        named = [
            word for key, value in values.items() if self._dialect.parts.match(key) for word in value.split()
        ]
        members = [
            _name(file, other)
            for file, other in files
            if any(self._dialect.member.match(key) and value == name for key, value in other.items())
        ]
        tagged = TAGGED.match(name)
        return tuple(dict.fromkeys([*named, *members] or ([tagged["card"]] if tagged else [])))

    def _routes(self, root: Root, file: str) -> list[str]:
        """Files of the card's own routes and rules that say something."""
        paths = [file.replace("/ifcfg-", f"/{start}") for start in self._dialect.own_routes]
        return [path for path in paths if re.search(r"(?m)^\s*[^#\s]", root.read(path) or "")]

    def _leads_out(self, root: Root, file: str, name: str, values: dict[str, str]) -> bool:
        if self._dialect.routes:
            own = root.read(file.replace("/ifcfg-", "/ifroute-")) or ""
            every = DEFAULT_ROUTE.findall(root.read(self._dialect.routes) or "")
            mine = any(_leads_through(line.split(), name, values) for line in every)
            return mine or DEFAULT_ROUTE.search(own) is not None
        every_card = parse(root.read(self._dialect.defaults) or "")
        if every_card.get("GATEWAYDEV"):
            return every_card["GATEWAYDEV"] == name
        return "GATEWAY" in every_card and _holds(values, every_card["GATEWAY"])


def _name(file: str, values: dict[str, str]) -> str:
    return values.get("DEVICE") or file.rsplit("/ifcfg-", 1)[1]


def _leads_through(route: list[str], name: str, values: dict[str, str]) -> bool:
    """`route`: destination, gateway, netmask, interface, as in the file of routes for all cards."""
    if len(route) > 3 and route[3] != "-":
        return route[3] == name
    return len(route) > 1 and _holds(values, route[1])


def _holds(values: dict[str, str], gateway: str) -> bool:
    """Whether the gateway is in the network of the card's first address; True where that cannot be told."""
    address = values.get("IPADDR") or values.get("IPADDR0") or ""
    width = values.get("PREFIX") or values.get("PREFIXLEN") or values.get("PREFIX0") or values.get("NETMASK")
    if not address:
        return False
    try:
        network = ipaddress.ip_interface(
            address if "/" in address or not width else f"{address}/{width}"
        ).network
        return network.prefixlen == network.max_prefixlen or ipaddress.ip_address(gateway) in network
    except ValueError:
        return True


def _without(text: str, keys: re.Pattern[str]) -> str:
    lines = []
    for line in text.splitlines():
        match = ASSIGNMENT.match(line)
        lines.append(f"#{line}" if match and keys.match(match["key"]) else line)
    return "\n".join(lines) + "\n"


def _set(text: str, key: str, value: str) -> str:
    if key in parse(text):
        return replaced(text, key, value)
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{key}={value}\n"
