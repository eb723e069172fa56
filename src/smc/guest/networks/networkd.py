"""systemd-networkd: .network files in /etc/systemd/network (systemd.network(5))."""

from smc.guest.networks.sections import added, edited, sections, values
from smc.guest.networks.style import DRIVER, WHY_DHCP, WHY_MAC, Interface, is_physical
from smc.guest.root import Root

FOLDER = "/etc/systemd/network"
HARDWARE_KEYS = ("MACAddress", "PermanentMACAddress", "Path", "Driver", "Property")
STATIC_SECTIONS = ("Address", "Route", "RoutingPolicyRule", "Neighbor")
STATIC_KEYS = ("Address", "Gateway", "DNS", "Domains")
STACKING_KEYS = ("Bridge", "Bond", "VLAN", "MACVLAN", "IPVLAN", "VXLAN", "Tunnel", "VRF")
YES = ("yes", "true", "1", "on", "both")


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
            dhcp = any(value.lower() in {*YES, "ipv4", "v4"} for value in values(text, "Network", "DHCP"))
            gateway = dhcp or bool(values(text, "Network", "Gateway") or values(text, "Route", "Gateway"))
            name = names[0] if len(names) == 1 and not patterns else ""
            found.append(Interface(file=file, name=name, dhcp=dhcp, gateway=gateway, by_hardware=by_hardware))
        return found

    def stacked(self, root: Root) -> list[str]:
        made = [
            name
            for file in root.files(FOLDER, suffix=".netdev")
            for name in values(root.read(file) or "", "NetDev", "Name")
        ]
        used = {
            value
            for file in root.files(FOLDER, suffix=".network")
            for key in STACKING_KEYS
            for value in values(root.read(file) or "", "Network", key)
        }
        return sorted(used & {*made})

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        def edit(section: str, key: str, _value: str) -> str | None:
            static = section in STATIC_SECTIONS or (section == "Network" and key in STATIC_KEYS)
            return "#" if static or (section == "Network" and key == "DHCP") else None

        text = root.read(interface.file) or ""
        if (
            interface.dhcp
            and not {*STATIC_SECTIONS} & sections(text)
            and not values(text, "Network", "Address")
        ):
            return
        root.write(interface.file, added(edited(text, edit), "Network", "DHCP=yes"), WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        def edit(section: str, key: str, value: str) -> str | None:
            bound = section == "Match" and key in HARDWARE_KEYS and (key, value) != ("Driver", DRIVER)
            return "#" if bound or (section, key) == ("Link", "MACAddress") else None

        old = root.read(interface.file) or ""
        text = edited(old, edit)
        if text == old:
            return
        if not any(values(text, "Match", key) for key in ("Name", "Driver", "Type")):
            text = added(text, "Match", f"Driver={DRIVER}")
        root.write(interface.file, text, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        """networkd waits for no card that is not there."""
