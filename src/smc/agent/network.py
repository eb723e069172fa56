"""The network cards of this machine, their addresses, and where packets and questions for names go."""

import ipaddress
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from smc.agent.machine import read_text
from smc.base.errors import Transient
from smc.model.server import Nic
from smc.wire.dial import default_gateway

NETLINK_ROUTE = 0
RTM_NEWADDR = 20
RTM_GETADDR = 22
NLMSG_DONE = 3
NLM_F_REQUEST_DUMP = 0x301
IFA_ADDRESS = 1
IFA_LOCAL = 2
MESSAGE = struct.Struct("=IHHII")  # length, type, flags, sequence, sender (linux/netlink.h)
ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index (linux/if_addr.h)
ATTRIBUTE = struct.Struct("=HH")
LINK_LOCAL_V6 = ipaddress.ip_network("fe80::/10")
LISTENING_HERE = "127.0.0.53"  # systemd-resolved; the real servers are in a file of its own

Addresses = Mapping[int, tuple[str, ...]]  # by index of the interface


def read_nics(root: Path = Path("/"), addresses: Callable[[], Addresses] | None = None) -> tuple[Nic, ...]:
    """Cards with hardware behind them, and what is built on them (bond, VLAN) when it has an address."""
    by_index = (addresses or read_addresses)()
    nics = []
    for folder in sorted((root / "sys/class/net").iterdir()):
        mine = by_index.get(int(read_text(folder / "ifindex") or 0), ())
        if not (folder / "device").exists() and not (mine and _is_built_on_cards(folder)):
            continue
        driver = folder / "device/driver"
        nics.append(
            Nic(
                name=folder.name,
                mac=read_text(folder / "address"),
                addresses=mine,
                driver=driver.readlink().name if driver.is_symlink() else "",
                up=read_text(folder / "operstate") == "up",
            )
        )
    return tuple(nics)


def hardware_addresses(root: Path = Path("/")) -> list[str]:
    """MACs of the cards with hardware behind them, sorted."""
    folders = (root / "sys/class/net").iterdir()
    return sorted(read_text(folder / "address") for folder in folders if (folder / "device").exists())


def read_gateway(root: Path = Path("/")) -> str:
    try:
        return default_gateway(root / "proc/net/route")
    except (OSError, Transient):
        return ""


def read_dns(root: Path = Path("/")) -> tuple[str, ...]:
    servers = _nameservers(root / "etc/resolv.conf")
    if LISTENING_HERE in servers:
        return _nameservers(root / "run/systemd/resolve/resolv.conf") or servers
    return servers


def read_addresses() -> Addresses:
    """Addresses with prefix length, by the kernel (rtnetlink(7)); not the link-local ones of IPv6."""
    found: dict[int, tuple[str, ...]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as netlink:
        netlink.settimeout(5.0)
        body = ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        netlink.send(MESSAGE.pack(MESSAGE.size + len(body), RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0) + body)
        for kind, payload in _messages(netlink):
            if kind == RTM_NEWADDR:
                _, prefix, _, _, index = ADDRESS.unpack_from(payload)
                attributes = _attributes(payload[ADDRESS.size :])
                raw = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
                if raw and (address := ipaddress.ip_address(raw)) not in LINK_LOCAL_V6:
                    found[index] = (*found.get(index, ()), f"{address}/{prefix}")
    return found


def _messages(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    while True:
        data = netlink.recv(1 << 16)
        while len(data) >= MESSAGE.size:
            length, kind, *_ = MESSAGE.unpack_from(data)
            if kind == NLMSG_DONE or length < MESSAGE.size:
                return
            yield kind, data[MESSAGE.size : length]
            data = data[_aligned(length) :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        if length < ATTRIBUTE.size:
            break
        found[kind] = data[ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _is_built_on_cards(folder: Path) -> bool:
    """A bridge of containers has none below it."""
    return any(
        (folder.parent / below.name.removeprefix("lower_") / "device").exists()
        for below in folder.glob("lower_*")
    )


def _nameservers(path: Path) -> tuple[str, ...]:
    words = (line.split() for line in read_text(path).splitlines())
    return tuple(word[1] for word in words if len(word) > 1 and word[0] == "nameserver")
