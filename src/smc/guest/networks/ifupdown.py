"""ifupdown: /etc/network/interfaces and what it includes (interfaces(5))."""

import re
from collections.abc import Callable

from smc.guest.networks.style import WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, is_physical
from smc.guest.root import Root

MAIN = "/etc/network/interfaces"
FOLDER = "/etc/network/interfaces.d"
PROGRAMS = ("/sbin/ifup", "/usr/sbin/ifup")
STANZAS = ("iface", "auto", "mapping", "source", "source-directory", "rename", "no-auto-down", "no-scripts")
STATIC_OPTIONS = (  # of the method static, and what resolvconf takes from a stanza
    "address", "netmask", "network", "broadcast", "gateway", "pointopoint", "scope", "dns-nameserver",
    "dns-nameservers", "dns-search", "dns-domain",
)  # fmt: skip
HARDWARE_OPTIONS = ("hwaddress",)
MEMBERS = (
    "bridge_ports",
    "bridge-ports",
    "bond-slaves",
    "bond_slaves",
    "slaves",
    "vlan-raw-device",
    "vlan_raw_device",
)

Edit = Callable[
    [list[str], list[str]], str | None
]  # (words of the stanza line, words of this line) -> new line


class Ifupdown:
    name = "ifupdown"

    def interfaces(self, root: Root) -> list[Interface]:
        found: dict[str, Interface] = {}
        if not any(root.exists(program) for program in PROGRAMS):
            return []
        for file in _files(root):
            for stanza in _stanzas(root.read(file) or ""):
                words = stanza[0].split()
                if words[0] != "iface" or len(words) < 4 or not is_physical(words[1]) or words[2] != "inet":
                    continue
                options = {line.split()[0] for line in stanza[1:]}
                found.setdefault(
                    words[1],
                    Interface(
                        file=file,
                        name=words[1],
                        dhcp=words[3] == "dhcp",
                        gateway="gateway" in options or words[3] == "dhcp",
                        by_hardware=bool(options & {*HARDWARE_OPTIONS}),
                    ),
                )
        return list(found.values())

    def stacked(self, root: Root) -> list[str]:
        found = []
        for file in _files(root):
            for stanza in _stanzas(root.read(file) or ""):
                words = stanza[0].split()
                if words[0] == "iface" and len(words) > 1:
                    members = any(line.split()[0] in MEMBERS for line in stanza[1:])
                    if members or re.match(r"(?:.+\.\d+|vlan\d+)$", words[1]):
                        found.append(words[1])
        return sorted(set(found))

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        def edit(stanza: list[str], words: list[str]) -> str | None:
            if (
                stanza[0] != "iface"
                or stanza[1:2] != [interface.name]
                or len(stanza) < 4
                or stanza[3] != "static"
            ):
                return None
            if words is stanza:
                return f"iface {interface.name} {stanza[2]} {'dhcp' if stanza[2] == 'inet' else 'auto'}"
            return "#" if words[0] in STATIC_OPTIONS else None

        for file in _files(root):
            _edit(root, file, edit, WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        def edit(stanza: list[str], words: list[str]) -> str | None:
            mine = stanza[0] == "iface" and stanza[1:2] == [interface.name]
            return "#" if mine and words is not stanza and words[0] in HARDWARE_OPTIONS else None

        for file in _files(root):
            _edit(root, file, edit, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        def edit(stanza: list[str], words: list[str]) -> str | None:
            if (
                words is not stanza
                or stanza[0] not in {"auto", "allow-auto"}
                or interface.name not in stanza[1:]
            ):
                return None
            rest = [word for word in stanza[1:] if word != interface.name]
            return " ".join([stanza[0], *rest]) if rest else "#"

        for file in _files(root):
            _edit(root, file, edit, WHY_OTHERS)


def _files(root: Root) -> list[str]:
    return [MAIN, *root.files(FOLDER)] if root.exists(MAIN) else []


def _starts_stanza(line: str) -> bool:
    words = line.split()
    return bool(words) and (words[0] in STANZAS or words[0].startswith("allow-"))


def _stanzas(text: str) -> list[list[str]]:
    """Lines of each stanza, without comments and empty lines."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _starts_stanza(line):
            found.append([line])
        elif found:
            found[-1].append(line)
    return found


def _edit(root: Root, file: str, edit: Edit, why: str) -> None:
    """Give each line of the file to `edit`: None keeps it, "#" comments it out, else what it becomes."""
    text = root.read(file) or ""
    lines, stanza = [], [""]
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            lines.append(line)
            continue
        if _starts_stanza(line):
            stanza = words
        changed = edit(stanza, words)
        lines.append(line if changed is None else f"#{line}" if changed == "#" else changed)
    if lines != text.splitlines():
        root.write(file, "\n".join(lines) + "\n", why)
