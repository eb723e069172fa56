"""netplan: YAML files in /etc/netplan, handed to networkd or NetworkManager at each start."""

import re

from smc.guest.networks.blocks import Node, commented, nodes, with_key
from smc.guest.networks.style import DRIVER, WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, Kind
from smc.guest.root import Root

FOLDER = "/etc/netplan"
SECTIONS = {
    "ethernets": Kind.CARD,
    "bonds": Kind.BUNDLE,
    "bridges": Kind.BUNDLE,
    "vlans": Kind.VLAN,
    "vrfs": Kind.OTHER,
    "tunnels": Kind.OTHER,
}
WAYS_OUT = ("gateway4", "gateway6", "routes", "routing-policy")
STATIC = ("addresses", *WAYS_OUT, "nameservers")
HARDWARE = ("macaddress", "driver", "path")
INLINE = re.compile(rf"\b(?:{'|'.join(HARDWARE)})[\"']?\s*:(?!\s*{DRIVER}\b)")  # {macaddress: ...}
YES = ("true", "yes", "on")
NO = ("false", "no", "off")
TO = re.compile(r"^\s*(?:-\s+)?to:", re.MULTILINE)
WORD = re.compile(r"[\w.:@-]*\w[\w.:@-]*")
DEFAULT_ROUTE = re.compile(r"^\s*(?:-\s+)?to:\s*[\"']?(?:default|0\.0\.0\.0/0|0/0)[\"']?\s*$", re.MULTILINE)


class Netplan:
    name = "netplan"

    def interfaces(self, root: Root) -> list[Interface]:
        return [found for found in _all(root) if found.kind is Kind.CARD]

    def stacks(self, root: Root) -> list[Interface]:
        return [found for found in _all(root) if found.kind is not Kind.CARD]

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        if interface.bare:  # netplan puts together what its files say of a card, also those in one line
            text = f"network:\n  version: 2\n  ethernets:\n    {interface.name}:\n      dhcp4: true\n"
            root.write(f"{FOLDER}/99-smc-{interface.name}.yaml", text, WHY_DHCP, mode=0o600)
            return
        text = root.read(interface.file) or ""
        card = _card(text, interface)
        new = commented(text, lambda node: node.path[:-1] == card.path and node.path[-1] in STATIC)
        if not interface.dhcp:
            new = with_key(new, (*card.path, "dhcp4"), "true")
        root.write(interface.file, new, WHY_DHCP) if new != text else None

    def free(self, root: Root, interface: Interface) -> None:
        if interface.bare:
            return
        text = root.read(interface.file) or ""
        card = _card(text, interface)
        match = (*card.path, "match")

        def bound(node: Node) -> bool:
            if node.path == (*card.path, "macaddress"):
                return True
            return node.path[:-1] == match and node.path[-1] in HARDWARE and node.value != DRIVER

        new = commented(text, bound)
        if any(node.path == match and INLINE.search(node.value) for node in nodes(new)):
            new = with_key(new, match, f"{{driver: {DRIVER}}}")
        elif new != text and any(node.path == match for node in nodes(new)):
            left = [node for node in nodes(new) if node.path[:-1] == match]
            new = new if left else with_key(new, (*match, "driver"), DRIVER)
        root.write(interface.file, new, WHY_MAC) if new != text else None

    def let_go(self, root: Root, interface: Interface) -> None:
        """A start waits two minutes for what does not come up, unless it is optional."""
        text = root.read(interface.file) or ""
        new, path = text, _card(text, interface).path
        if interface.kind is not Kind.CARD:
            new = commented(new, lambda node: node.path[:-1] == path and node.path[-1] in WAYS_OUT)
        new = with_key(new, (*path, "optional"), "true")
        if new != text:
            root.write(interface.file, new, WHY_OTHERS)


def _all(root: Root) -> list[Interface]:
    return [
        _interface(file, text, node)
        for file in root.files(FOLDER, suffix=".yaml")
        for text in (root.read(file) or "",)
        for node in _entries(text)
        if not node.value.strip("{} ")
    ]


def _entries(text: str) -> list[Node]:
    return [
        node
        for node in nodes(text)
        if len(node.path) == 3
        and node.path[0] == "network"
        and node.path[1] in SECTIONS
        and node.path[2] != "lo"
    ]


def _interface(file: str, text: str, card: Node) -> Interface:
    below = {node.path[len(card.path) :]: node for node in nodes(text) if node.path[:3] == card.path}

    def value(*path: str) -> str:
        return below[path].value.strip("\"'") if path in below else ""

    dhcp = value("dhcp4").lower() in YES
    routes = below.get(("routes",))
    block = "\n".join(text.splitlines()[routes.line : routes.end]) if routes else ""
    name = value("set-name") or (value("match", "name") if ("match",) in below else card.path[-1])
    leads_out = dhcp and value("dhcp4-overrides", "use-routes").lower() not in NO
    return Interface(
        file=file,
        name="" if any(mark in name for mark in "*?[") else name,
        dhcp=dhcp,
        gateway=leads_out or ("gateway4",) in below or DEFAULT_ROUTE.search(block) is not None,
        by_hardware=any(("match", key) in below for key in HARDWARE)
        or ("macaddress",) in below
        or INLINE.search(value("match")) is not None,
        kind=SECTIONS[card.path[1]],
        id=card.path[-1],
        started=value("activation-mode") not in {"manual", "off"},
        on=_listed(text, below.get(("interfaces",))) or tuple(filter(None, (value("link"),))),
        routes=("routing-policy",) in below or len(TO.findall(block)) > len(DEFAULT_ROUTE.findall(block)),
    )


def _listed(text: str, node: Node | None) -> tuple[str, ...]:
    """The words of a list, in one line or in one each."""
    if node is None:
        return ()
    lines = [node.value, *text.splitlines()[node.line + 1 : node.end]]
    return tuple(WORD.findall("\n".join(line for line in lines if not line.lstrip().startswith("#"))))


def _card(text: str, interface: Interface) -> Node:
    return next(
        node
        for node in _entries(text)
        if node.path[-1] == interface.id and SECTIONS[node.path[1]] is interface.kind
    )
