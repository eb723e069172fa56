"""NetworkManager: keyfiles in /etc/NetworkManager/system-connections (nm-settings-keyfile(5))."""

import re

from smc.guest.networks.sections import added, edited, sections, values
from smc.guest.networks.style import WHY_DHCP, WHY_MAC, Interface
from smc.guest.root import Root

FOLDER = "/etc/NetworkManager/system-connections"
ETHERNET = ("ethernet", "802-3-ethernet")
STATIC_KEYS = re.compile(r"^(?:address\d*|addresses\d*|gateway|dns|dns-search|routes?\d*)$")
HARDWARE_KEYS = ("mac-address", "cloned-mac-address")


class NetworkManager:
    name = "NetworkManager"

    def interfaces(self, root: Root) -> list[Interface]:
        found = []
        for file in root.files(FOLDER, suffix=".nmconnection"):
            text = root.read(file) or ""
            if not {*ETHERNET} & {*values(text, "connection", "type")} or values(
                text, "connection", "master"
            ):
                continue
            method = "".join(values(text, "ipv4", "method"))
            address = "".join(values(text, "ipv4", "address1") + values(text, "ipv4", "addresses"))
            found.append(
                Interface(
                    file=file,
                    name="".join(values(text, "connection", "interface-name")),
                    dhcp=method == "auto",
                    gateway=method == "auto" or "," in address or bool(values(text, "ipv4", "gateway")),
                    by_hardware=any(values(text, part, key) for part in ETHERNET for key in HARDWARE_KEYS),
                )
            )
        return found

    def stacked(self, root: Root) -> list[str]:
        return sorted(
            "".join(values(text, "connection", "id")) or file
            for file in root.files(FOLDER, suffix=".nmconnection")
            if (text := root.read(file) or "")
            and {"bridge", "bond", "vlan", "team"} & {*values(text, "connection", "type")}
        )

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        def edit(section: str, key: str, _value: str) -> str | None:
            if section not in {"ipv4", "ipv6"} or "manual" not in values(text, section, "method"):
                return None
            return "method=auto" if key == "method" else "#" if STATIC_KEYS.match(key) else None

        text = root.read(interface.file) or ""
        new = edited(text, edit)
        if "ipv4" not in sections(text):
            new = added(new, "ipv4", "method=auto")
        if new != text:
            root.write(interface.file, new, WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        def edit(section: str, key: str, _value: str) -> str | None:
            return "#" if section in ETHERNET and key in HARDWARE_KEYS else None

        text = root.read(interface.file) or ""
        new = edited(text, edit)
        if new != text:
            root.write(interface.file, new, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        """NetworkManager waits for no card that is not there."""
