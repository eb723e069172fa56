"""NetworkManager: keyfiles in /etc/NetworkManager/system-connections (nm-settings-keyfile(5))."""

import re

from smc.guest.networks.sections import added, assignments, edited, sections, values
from smc.guest.networks.style import WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, Kind
from smc.guest.root import Root

FOLDER = "/etc/NetworkManager/system-connections"
ETHERNET = ("ethernet", "802-3-ethernet")
KINDS = {
    "ethernet": Kind.CARD,
    "802-3-ethernet": Kind.CARD,
    "bond": Kind.BUNDLE,
    "bridge": Kind.BUNDLE,
    "team": Kind.BUNDLE,
    "vlan": Kind.VLAN,
}
ROUTES = re.compile(r"^(?:routes?\d*|route\d+_options|routing-rules?\d*)$")
STATIC_KEYS = re.compile(rf"^(?:address\d*|addresses\d*|gateway|dns|dns-search)$|{ROUTES.pattern}")
MASTER_KEYS = ("master", "controller")
HARDWARE_KEYS = ("mac-address", "cloned-mac-address")


class NetworkManager:
    name = "NetworkManager"

    def interfaces(self, root: Root) -> list[Interface]:
        return [found for found in _all(root) if found.kind is Kind.CARD]

    def stacks(self, root: Root) -> list[Interface]:
        return [found for found in _all(root) if found.kind is not Kind.CARD and found.on]

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        def edit(section: str, key: str, _value: str) -> str | None:
            methods = ("manual", "disabled") if section == "ipv4" else ("manual",)
            if section not in {"ipv4", "ipv6"} or not {*methods} & {*values(text, section, "method")}:
                return None
            return "method=auto" if key == "method" else "#" if STATIC_KEYS.match(key) else None

        if interface.bare:
            root.write(
                f"{FOLDER}/smc-{interface.name}.nmconnection", _made(interface.name), WHY_DHCP, mode=0o600
            )
            return
        text = root.read(interface.file) or ""
        new = edited(text, edit)
        if "ipv4" not in sections(text):
            new = added(new, "ipv4", "method=auto")
        if new != text:
            root.write(interface.file, new, WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        if interface.bare:
            return

        def edit(section: str, key: str, _value: str) -> str | None:
            return "#" if section in (*ETHERNET, "bridge") and key in HARDWARE_KEYS else None

        text = root.read(interface.file) or ""
        new = edited(text, edit)
        if new != text:
            root.write(interface.file, new, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        """A profile of a card that is not there waits for nothing; one for any card takes the new one."""
        text = root.read(interface.file) or ""
        if interface.kind is Kind.CARD and (interface.name or interface.by_hardware):
            return
        if "false" in values(text, "connection", "autoconnect"):
            return

        def edit(section: str, key: str, _value: str) -> str | None:
            return "#" if (section, key) == ("connection", "autoconnect") else None

        root.write(interface.file, added(edited(text, edit), "connection", "autoconnect=false"), WHY_OTHERS)


def _all(root: Root) -> list[Interface]:
    texts = [(file, root.read(file) or "") for file in root.files(FOLDER, suffix=".nmconnection")]
    return [
        _interface(file, text, texts) for file, text in texts if _value(text, "connection", "type") in KINDS
    ]


def _interface(file: str, text: str, texts: list[tuple[str, str]]) -> Interface:
    def value(section: str, *keys: str) -> str:
        return "".join(_value(text, section, key) for key in keys)

    kind = KINDS[value("connection", "type")]
    name = value("connection", "interface-name")
    address = value("ipv4", "address1", "addresses")
    method = value("ipv4", "method")
    gateway = method == "auto" or "," in address or bool(value("ipv4", "gateway"))
    called = {name, value("connection", "uuid"), value("connection", "id")} - {""}
    members = (
        _key(other, there)
        for other, there in texts
        if called & {found for key in MASTER_KEYS for found in values(there, "connection", key)}
    )
    parent = value("vlan", "parent")
    below = (_key(other, there) for other, there in texts if parent in values(there, "connection", "uuid"))
    on = (next(below, parent),) if parent else tuple(members)
    return Interface(
        file=file,
        name=name,
        id=_key(file, text),
        dhcp=method == "auto",
        gateway=gateway
        and value("ipv4", "never-default").lower() != "true"
        and not value("connection", *MASTER_KEYS),
        by_hardware=any(values(text, part, key) for part in ETHERNET for key in HARDWARE_KEYS),
        kind=kind,
        on=on,
        started=value("connection", "autoconnect").lower() != "false",
        routes=any(section == "ipv4" and ROUTES.match(key) for section, key, _ in assignments(text)),
    )


def _value(text: str, section: str, key: str) -> str:
    """The last one counts, where a file says it more than once."""
    return "".join(values(text, section, key)[-1:])


def _made(name: str) -> str:
    return f"[connection]\nid={name}\ntype=ethernet\ninterface-name={name}\n\n[ipv4]\nmethod=auto\n"


def _key(file: str, text: str) -> str:
    return _value(text, "connection", "interface-name") or file
