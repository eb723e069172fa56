"""netplan: YAML files in /etc/netplan, handed to networkd or NetworkManager at each start."""

import re

from smc.guest.networks.blocks import Node, commented, nodes, with_key
from smc.guest.networks.style import DRIVER, WHY_DHCP, WHY_MAC, Interface
from smc.guest.root import Root

FOLDER = "/etc/netplan"
ETHERNETS = ("network", "ethernets")
STACKS = ("bonds", "bridges", "vlans", "vrfs", "tunnels")
STATIC = ("addresses", "gateway4", "gateway6", "routes", "nameservers")
HARDWARE = ("macaddress", "driver", "path")
INLINE = re.compile(rf"\b(?:{'|'.join(HARDWARE)})[\"']?\s*:(?!\s*{DRIVER}\b)")  # {macaddress: ...}
YES = ("true", "yes", "on")
DEFAULT_ROUTE = re.compile(r"^\s*(?:-\s+)?to:\s*[\"']?(?:default|0\.0\.0\.0/0|0/0)[\"']?\s*$", re.MULTILINE)


class Netplan:
    name = "netplan"

    def interfaces(self, root: Root) -> list[Interface]:
        return [
            _interface(file, text, card)
            for file in root.files(FOLDER, suffix=".yaml")
            for text in (root.read(file) or "",)
            for card in nodes(text)
            if card.path[:-1] == ETHERNETS and not card.value.strip("{} ")
        ]

    def stacked(self, root: Root) -> list[str]:
        return sorted(
            node.path[2]
            for file in root.files(FOLDER, suffix=".yaml")
            for node in nodes(root.read(file) or "")
            if len(node.path) == 3 and node.path[0] == "network" and node.path[1] in STACKS
        )

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        text = root.read(interface.file) or ""
        card = _card(text, interface)
        new = commented(text, lambda node: node.path[:-1] == card.path and node.path[-1] in STATIC)
        if not interface.dhcp:
            new = with_key(new, (*card.path, "dhcp4"), "true")
        root.write(interface.file, new, WHY_DHCP) if new != text else None

    def free(self, root: Root, interface: Interface) -> None:
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
        """A start waits two minutes for a card that is not there, unless it is optional."""
        text = root.read(interface.file) or ""
        new = with_key(text, (*_card(text, interface).path, "optional"), "true")
        if new != text:
            root.write(interface.file, new, "the new machine has one network card; a start does not wait")


def _interface(file: str, text: str, card: Node) -> Interface:
    below = {node.path[len(card.path) :]: node for node in nodes(text) if node.path[:3] == card.path}

    def value(*path: str) -> str:
        return below[path].value.strip("\"'") if path in below else ""

    dhcp = value("dhcp4").lower() in YES
    routes = below.get(("routes",))
    block = "\n".join(text.splitlines()[routes.line : routes.end]) if routes else ""
    name = value("set-name") or (value("match", "name") if ("match",) in below else card.path[-1])
    return Interface(
        file=file,
        name="" if any(mark in name for mark in "*?[") else name,
        dhcp=dhcp,
        gateway=dhcp or ("gateway4",) in below or DEFAULT_ROUTE.search(block) is not None,
        by_hardware=any(("match", key) in below for key in HARDWARE)
        or ("macaddress",) in below
        or INLINE.search(value("match")) is not None,
    )


def _card(text: str, interface: Interface) -> Node:
    cards = [node for node in nodes(text) if node.path[:-1] == ETHERNETS]
    return next(card for card in cards if _interface(interface.file, text, card).name == interface.name)
