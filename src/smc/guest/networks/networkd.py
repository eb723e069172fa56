"""systemd-networkd: .network files in /etc/systemd/network (systemd.network(5))."""

import msgspec

from smc.guest.networks.sections import added, edited, sections, values
from smc.guest.networks.style import DRIVER, WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, Kind, is_physical
from smc.guest.root import Root

FOLDER = "/etc/systemd/network"
HARDWARE_KEYS = ("MACAddress", "PermanentMACAddress", "Path", "Driver", "Property")
ROUTING = ("Route", "RoutingPolicyRule")
STATIC_SECTIONS = ("Address", *ROUTING, "Neighbor")
STATIC_KEYS = ("Address", "Gateway", "DNS", "Domains")
STACKING_KEYS = ("Bridge", "Bond", "VLAN", "MACVLAN", "IPVLAN", "VXLAN", "Tunnel", "VRF")
KINDS = {"bond": Kind.BUNDLE, "bridge": Kind.BUNDLE, "team": Kind.BUNDLE, "vlan": Kind.VLAN}
NOT_REQUIRED = "RequiredForOnline=no"
YES = ("yes", "true", "1", "on", "both")
NO = ("no", "false", "0", "off")


class Networkd:
    name = "systemd-networkd"

    def interfaces(self, root: Root) -> list[Interface]:
        found = []
        for file in root.files(FOLDER, suffix=".network"):
            text = root.read(file) or ""
            names = " ".join(values(text, "Match", "Name")).split()
            by_hardware = any(values(text, "Match", key) for key in HARDWARE_KEYS)
            patterns = any(mark in name for name in names for mark in "*?[!")
            ethernet = "ether" in values(text, "Match", "Type") and not values(text, "Match", "Kind")
            if not (by_hardware or patterns or ethernet or any(map(is_physical, names))):
                continue
            name = names[0] if len(names) == 1 and not patterns else ""
            found.append(_interface(file, text, name, by_hardware=by_hardware))
        return found

    def stacks(self, root: Root) -> list[Interface]:
        networks = [(file, root.read(file) or "") for file in root.files(FOLDER, suffix=".network")]
        cards = {card.file: card.key for card in self.interfaces(root)}
        found = []
        for netdev in root.files(FOLDER, suffix=".netdev"):
            made = root.read(netdev) or ""
            name = "".join(values(made, "NetDev", "Name"))
            on = tuple(
                cards.get(file) or "".join(values(text, "Match", "Name"))
                for file, text in networks
                if any(name in values(text, "Network", key) for key in STACKING_KEYS)
            )
            if not on:
                continue
            kind = KINDS.get("".join(values(made, "NetDev", "Kind")).lower(), Kind.OTHER)
            mine = [(file, text) for file, text in networks if name in values(text, "Match", "Name")]
            file, text = mine[0] if mine else (netdev, "")
            bound = bool(values(made, "NetDev", "MACAddress"))
            stack = _interface(file, text, name, by_hardware=bound)
            found.append(msgspec.structs.replace(stack, kind=kind, on=on))
        return found

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        def edit(section: str, key: str, _value: str) -> str | None:
            static = section in STATIC_SECTIONS or (section == "Network" and key in STATIC_KEYS)
            return "#" if static or (section == "Network" and key == "DHCP") else None

        file = _file(root, interface)
        text = root.read(file) or ""
        if (
            interface.dhcp
            and not {*STATIC_SECTIONS} & sections(text)
            and not values(text, "Network", "Address")
        ):
            return
        root.write(file, added(edited(text, edit), "Network", "DHCP=yes"), WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        if interface.kind is not Kind.CARD:
            _free_made(root, interface.name)

        def edit(section: str, key: str, value: str) -> str | None:
            bound = section == "Match" and key in HARDWARE_KEYS and (key, value) != ("Driver", DRIVER)
            return "#" if bound or (section, key) == ("Link", "MACAddress") else None

        file = _file(root, interface)
        old = root.read(file) or ""
        text = edited(old, edit)
        if text == old:
            return
        if not any(values(text, "Match", key) for key in ("Name", "Driver", "Type")):
            text = added(text, "Match", f"Driver={DRIVER}")
        root.write(file, text, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        """networkd waits for no card that is not there, but for what it makes, and for a card added later."""

        def edit(section: str, key: str, _value: str) -> str | None:
            if (section, key) == ("Link", "RequiredForOnline"):
                return NOT_REQUIRED
            way_out = section in ROUTING or (section == "Network" and key == "Gateway")
            return "#" if way_out and interface.kind is not Kind.CARD else None

        if not interface.file.endswith(".network"):
            return
        old = root.read(interface.file) or ""
        text = edited(old, edit)
        if not values(text, "Link", "RequiredForOnline"):
            text = added(text, "Link", NOT_REQUIRED)
        if text != old:
            root.write(interface.file, text, WHY_OTHERS)


def _file(root: Root, interface: Interface) -> str:
    """That of a bare card has a name by which no card is known."""
    files = root.files(FOLDER, suffix=".network") if interface.bare else []
    named = (file for file in files if interface.name in values(root.read(file) or "", "Match", "Name"))
    return next(named, interface.file)


def _interface(file: str, text: str, name: str, *, by_hardware: bool) -> Interface:
    dhcp = any(value.lower() in {*YES, "ipv4", "v4"} for value in values(text, "Network", "DHCP"))
    taken = {
        value.lower()
        for section in ("DHCPv4", "DHCP")
        for key in ("UseRoutes", "UseGateway")
        for value in values(text, section, key)
    }
    gateways = values(text, "Network", "Gateway") or (
        values(text, "Route", "Gateway") if _default_routes(text) else []
    )
    return Interface(
        file=file,
        name=name,
        id="" if name else file,
        dhcp=dhcp,
        gateway=bool(gateways) or (dhcp and not taken & {*NO}),
        by_hardware=by_hardware,
        routes="RoutingPolicyRule" in sections(text) or bool(values(text, "Route", "Destination")),
    )


def _default_routes(text: str) -> bool:
    """Whether some [Route] leads everywhere; which of several has the gateway is not told apart."""
    destinations = values(text, "Route", "Destination")
    count = sum(line.strip() == "[Route]" for line in text.splitlines())
    return len(destinations) < count or bool({"0.0.0.0/0", "default"} & {*destinations})


def _free_made(root: Root, name: str) -> None:
    def edit(section: str, key: str, _value: str) -> str | None:
        return "#" if (section, key) == ("NetDev", "MACAddress") else None

    for file in root.files(FOLDER, suffix=".netdev"):
        text = root.read(file) or ""
        if name in values(text, "NetDev", "Name") and (new := edited(text, edit)) != text:
            root.write(file, new, WHY_MAC)
