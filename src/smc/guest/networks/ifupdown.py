"""ifupdown: /etc/network/interfaces and what it includes (interfaces(5))."""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from smc.guest.networks.style import WHY_DHCP, WHY_MAC, WHY_OTHERS, Interface, Kind, is_physical
from smc.guest.root import Root

MAIN = "/etc/network/interfaces"
FOLDER = "/etc/network/interfaces.d"
PROGRAMS = ("/sbin/ifup", "/usr/sbin/ifup")
STANZAS = ("iface", "auto", "mapping", "source", "source-directory", "rename", "no-auto-down", "no-scripts")
STATIC_OPTIONS = (  # of the method static, and what resolvconf takes from a stanza
    "address", "netmask", "network", "broadcast", "gateway", "pointopoint", "scope", "dns-nameserver",
    "dns-nameservers", "dns-search", "dns-domain",
)  # fmt: skip
HARDWARE_OPTIONS = ("hwaddress", "bridge_hw", "bridge-hw")
MEMBERS = {
    "bridge_ports": Kind.BUNDLE,
    "bridge-ports": Kind.BUNDLE,
    "bond-slaves": Kind.BUNDLE,
    "bond_slaves": Kind.BUNDLE,
    "slaves": Kind.BUNDLE,
    "vlan-raw-device": Kind.VLAN,
    "vlan_raw_device": Kind.VLAN,
}
METHODS = {"inet": ("static", "manual", "dhcp"), "inet6": ("static", "auto")}  # that DHCP takes the place of
MASTERS = ("bond-master", "bond_master")
NO_NAMES = ("none", "all", "regex", "noregex")
TAGGED = re.compile(r"^(?P<card>.+)\.\d+$|^vlan\d+$")
COMMANDS = ("up", "post-up", "pre-up", "down", "post-down", "pre-down")
ROUTING = re.compile(r"\b(?:ip\s+(?:-\S+\s+)*(?:route|rule|ro|ru)|route\s+(?:-\S+\s+)*(?:add|del))\b")
WAY_OUT = re.compile(r"\broute\s+(?:add|replace)\s+default\b")

# (words of the stanza line, words of this line) -> new line
Edit = Callable[[list[str], list[str]], str | None]


class Ifupdown:
    name = "ifupdown"

    def interfaces(self, root: Root) -> list[Interface]:
        return [found for found in _all(root) if found.kind is Kind.CARD and is_physical(found.name)]

    def stacks(self, root: Root) -> list[Interface]:
        return [found for found in _all(root) if found.kind is not Kind.CARD]

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        """Once for each family, though several stanzas may have addresses; for IPv4 in any case."""
        asked: set[str] = set()

        def edit(stanza: list[str], words: list[str]) -> str | None:
            if stanza[0] != "iface":
                return _not_started(stanza, words, lambda name: name.startswith(f"{interface.name}:"))
            if stanza[1:2] != [interface.name] or len(stanza) < 4:
                return None
            family, method = stanza[2:4]
            if method not in METHODS.get(family, ()):
                asked.update({family} & {"inet"})  # some other way to an address
                return None
            if words is stanza:
                wanted = "manual" if family in asked else "dhcp" if family == "inet" else "auto"
                asked.add(family)
                return None if method == wanted else f"iface {interface.name} {family} {wanted}"
            if method in {"dhcp", "auto"}:
                return None
            routing = words[0] in COMMANDS and ROUTING.search(" ".join(words))
            return "#" if routing or words[0] in STATIC_OPTIONS else None

        for file in _files(root):
            _edit(root, file, edit, WHY_DHCP)
        if "inet" not in asked:
            auto = f"auto {interface.name}\n" if interface.bare else ""
            text = (root.read(interface.file) or "").rstrip("\n")
            root.write(interface.file, f"{text}\n{auto}iface {interface.name} inet dhcp\n", WHY_DHCP)

    def free(self, root: Root, interface: Interface) -> None:
        def edit(stanza: list[str], words: list[str]) -> str | None:
            mine = stanza[0] == "iface" and stanza[1:2] == [interface.name]
            return "#" if mine and words is not stanza and words[0] in HARDWARE_OPTIONS else None

        for file in _files(root):
            _edit(root, file, edit, WHY_MAC)

    def let_go(self, root: Root, interface: Interface) -> None:
        def edit(stanza: list[str], words: list[str]) -> str | None:
            alias = f"{interface.name}:"  # a second address of it
            return _not_started(stanza, words, lambda name: f"{name}:".startswith(alias))

        for file in _files(root):
            _edit(root, file, edit, WHY_OTHERS)


def _not_started(stanza: list[str], words: list[str], unwanted: Callable[[str], bool]) -> str | None:
    """The line of what comes up at the start without what is unwanted."""
    if words is not stanza or stanza[0] not in {"auto", "allow-auto"}:
        return None
    rest = [name for name in stanza[1:] if not unwanted(name)]
    if rest == stanza[1:]:
        return None
    return " ".join([stanza[0], *rest]) if rest else "#"


def _all(root: Root) -> list[Interface]:
    """Each `iface` with the file where it is first spoken of: for IPv4, else for IPv6."""
    if not any(root.exists(program) for program in PROGRAMS):
        return []
    stanzas = [(file, stanza) for file in _files(root) for stanza in _stanzas(root.read(file) or "")]
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for family in METHODS:
        of_family: dict[str, list[tuple[str, list[str]]]] = {}  # for IPv6 where there is none for IPv4
        for file, stanza in stanzas:
            words = stanza[0].split()
            if words[0] == "iface" and len(words) > 3 and words[2] == family and ":" not in words[1]:
                of_family.setdefault(words[1], []).append((file, stanza))
        found |= {name: own for name, own in of_family.items() if name not in found}
    return [_interface(name, own, stanzas) for name, own in found.items()]


def _interface(
    name: str, own: list[tuple[str, list[str]]], stanzas: list[tuple[str, list[str]]]
) -> Interface:
    """`own`: its stanzas of one family, each with its file."""
    dhcp = any(stanza[0].split()[2:4] == ["inet", "dhcp"] for _, stanza in own)
    lines = [line for _, stanza in own for line in stanza[1:]]
    started = [
        word
        for _, stanza in stanzas
        if stanza[0].startswith(("auto", "allow-"))
        for word in stanza[0].split()[1:]
    ]
    options = {line.split()[0] for line in lines}
    commands = [line for line in lines if line.split()[0] in COMMANDS and ROUTING.search(line)]
    members = [words for line in lines for words in (line.split(),) if words[0] in MEMBERS]
    masters = [
        member
        for _, stanza in stanzas
        for member in stanza[0].split()[1:2]
        if any(line.split()[0] in MASTERS and line.split()[1:2] == [name] for line in stanza[1:])
    ]
    tagged = TAGGED.match(name)
    kind = MEMBERS[members[0][0]] if members else Kind.VLAN if tagged else Kind.CARD
    kind = Kind.BUNDLE if masters else kind
    on = dict.fromkeys(word for words in members for word in words[1:] if word not in NO_NAMES)
    on |= dict.fromkeys(masters)
    if tagged and tagged["card"] and not on:
        on[tagged["card"]] = None
    out = [line for line in commands if WAY_OUT.search(line)]
    return Interface(
        file=own[0][0],
        name=name,
        dhcp=dhcp,
        gateway=dhcp or "gateway" in options or bool(out),
        by_hardware=bool(options & {*HARDWARE_OPTIONS}),
        kind=kind,
        on=tuple(on),
        routes=len(commands) > len(out),
        started=any(fnmatchcase(name, word.lstrip("/")) for word in started),
    )


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
