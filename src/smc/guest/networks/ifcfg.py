"""ifcfg files: Red Hat's network service and NetworkManager's older plug-in, and wicked of SUSE.

One file a card, named after it, with KEY=value lines as shells read them.
"""

import re
from typing import NamedTuple

from smc.guest.networks.style import WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, is_physical
from smc.guest.root import Root
from smc.guest.settings import ASSIGNMENT, parse, replaced


class Dialect(NamedTuple):
    name: str
    folder: str
    hardware: tuple[str, ...]  # keys that bind a file to a card
    start: tuple[str, str]  # key and value of a card that is not brought up at the start
    stacks: re.Pattern[str]  # keys of bridges, bonds, VLANs
    member: re.Pattern[str]  # keys of a card that is a part of one
    routes: str  # a file of routes beside the cards' own files; "" for none
    defaults: str  # settings that hold for every card; "" for none


REDHAT = Dialect(
    name="ifcfg",
    folder="/etc/sysconfig/network-scripts",
    hardware=("HWADDR", "MACADDR"),
    start=("ONBOOT", "no"),
    stacks=re.compile(r"^(?:VLAN|BONDING_OPTS|BONDING_MASTER|TEAM_CONFIG|DELAY|STP)$"),
    member=re.compile(r"^(?:MASTER|BRIDGE|TEAM_MASTER)$"),
    routes="",
    defaults="/etc/sysconfig/network",
)
SUSE = Dialect(
    name="wicked",
    folder="/etc/sysconfig/network",
    hardware=("LLADDR",),
    start=("STARTMODE", "off"),
    stacks=re.compile(r"^(?:BRIDGE|BONDING_MASTER|ETHERDEVICE)$"),
    member=re.compile(r"^MASTER_DEVICE$"),
    routes="/etc/sysconfig/network/routes",
    defaults="",
)
STATIC = re.compile(
    r"^(?:IPADDR|PREFIX|PREFIXLEN|NETMASK|NETWORK|BROADCAST|GATEWAY|DNS)(?:_?\w{1,8})?$|^DOMAIN$"
)
DHCP = ("dhcp", "dhcp4", "dhcp6", "bootp")
DEFAULT_ROUTE = re.compile(r"^(?:default|0\.0\.0\.0/0)\s.*$", re.MULTILINE)
OTHER_FILES = re.compile(r"\.(?:bak|old|orig|rpmsave|rpmnew|template)$|~$")


class Ifcfg:
    def __init__(self, dialect: Dialect) -> None:
        self.name = dialect.name
        self._dialect = dialect

    def interfaces(self, root: Root) -> list[Interface]:
        found = []
        for file, values in self._files(root):
            name = values.get("DEVICE") or file.rsplit("/ifcfg-", 1)[1]
            name = name if is_physical(name) else ""
            member = any(self._dialect.member.match(key) for key in values)
            if self._is_stack(values) or member or not (name or values.get("TYPE")):
                continue
            dhcp = values.get("BOOTPROTO", "none").lower() in DHCP
            found.append(
                Interface(
                    file=file,
                    name=name,
                    dhcp=dhcp,
                    gateway=dhcp or "GATEWAY" in values or self._leads_out(root, file),
                    by_hardware=self._bound(values),
                )
            )
        return found

    def stacked(self, root: Root) -> list[str]:
        return sorted(
            file.rsplit("/ifcfg-", 1)[1] for file, values in self._files(root) if self._is_stack(values)
        )

    def use_dhcp(self, root: Root, interface: Interface) -> None:
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

    def free(self, root: Root, interface: Interface) -> None:
        text = root.read(interface.file) or ""
        new = _without(text, re.compile(f"^(?:{'|'.join(self._dialect.hardware)})$"))
        if new != text:
            if self._dialect is REDHAT and interface.name:
                new = _set(new, "DEVICE", interface.name)  # what else would tell the card
            root.write(interface.file, new, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        key, value = self._dialect.start
        text = root.read(interface.file) or ""
        if parse(text).get(key) != value:
            root.write(interface.file, _set(text, key, value), WHY_OTHERS)

    def _files(self, root: Root) -> list[tuple[str, dict[str, str]]]:
        names = (name for name in root.names(self._dialect.folder) if name.startswith("ifcfg-"))
        paths = [f"{self._dialect.folder}/{name}" for name in names if not OTHER_FILES.search(name)]
        return [(path, parse(root.read(path) or "")) for path in paths if not path.endswith("/ifcfg-lo")]

    def _bound(self, values: dict[str, str]) -> bool:
        return any(values.get(key) for key in self._dialect.hardware)

    def _is_stack(self, values: dict[str, str]) -> bool:
        kind = values.get("TYPE", "ethernet").lower()
        return kind != "ethernet" or any(self._dialect.stacks.match(key) for key in values)

    def _leads_out(self, root: Root, file: str) -> bool:
        if self._dialect.routes:
            own = file.replace("/ifcfg-", "/ifroute-")
            texts = (root.read(self._dialect.routes) or "", root.read(own) or "")
            return any(DEFAULT_ROUTE.search(text) for text in texts)
        return "GATEWAY" in parse(root.read(self._dialect.defaults) or "")


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
