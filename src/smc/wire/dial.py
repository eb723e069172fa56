"""TCP connections as agent and receiver open them: straight, or through an HTTP CONNECT proxy.

The host `gateway` stands for the default gateway: an instance of the local cloud reaches the
machine of the center there.
"""

import base64
import ipaddress
import select
import socket
import struct
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from smc.base.errors import Transient, UserError

GATEWAY = "gateway"
CONNECT_SECONDS = 15.0
ROUTES = Path("/proc/net/route")
ROUTE_IS_UP = 0x1
ROUTE_HAS_GATEWAY = 0x2
LONGEST_ANSWER = 64 * 1024  # bytes of a proxy's answer to CONNECT


def parse_address(url: str) -> tuple[str, int]:
    """Host and port of `https://HOST[:PORT]`. Raises `UserError` (`Center.InvalidAddress`)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:  # no port, no IPv6 address
        host, port = "", 0
    if not host or not url.startswith("https://"):
        raise UserError(
            f"{url!r} is not the address of a center",
            code="Center.InvalidAddress",
            hint="Give it as https://HOST:PORT.",
        )
    return host, port


def dial(
    host: str, port: int, *, proxy: str | None = None, timeout: float = CONNECT_SECONDS
) -> socket.socket:
    """Connect to `host:port` within `timeout` seconds for each step.

    `proxy` is `http://[user:password@]host:port`; "" goes straight; None asks the environment
    (`https_proxy`, `no_proxy`). Raises `Transient` when the other end cannot be reached.
    """
    address = resolve(host)
    via = proxy_for(address) if proxy is None else proxy
    if not via:
        return _connect(address, port, timeout)
    return _connect_through(via, address, port, timeout)


def has_ended(connection: socket.socket) -> bool:
    """Whether the other end has closed it while it idled, as servers do; for one on which nothing is awaited.

    What is sent there is lost, and behind some gateways not even an error comes back.
    """
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def resolve(host: str, routes: Path = ROUTES) -> str:
    """`host`, or the address of the default gateway when it is the word `gateway`."""
    return default_gateway(routes) if host == GATEWAY else host


def default_gateway(routes: Path = ROUTES) -> str:
    """The IPv4 default gateway by the kernel's routing table (proc(5); addresses are in host order)."""
    best: tuple[int, str] | None = None
    for line in routes.read_text().splitlines()[1:]:
        _, destination, gateway, flags, _, _, metric, mask, *_ = line.split()
        wanted = ROUTE_IS_UP | ROUTE_HAS_GATEWAY
        if int(destination, 16) or int(mask, 16) or int(flags, 16) & wanted != wanted:
            continue
        address = socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))
        if best is None or int(metric) < best[0]:
            best = int(metric), address
    if best is None:
        raise Transient("this machine has no default gateway", code="Network.NoGateway")
    return best[1]


def proxy_for(host: str) -> str:
    """The proxy that the environment names for `host`, "" for none; never for a loopback address."""
    if is_loopback(host) or proxy_bypass(host):
        return ""
    return getproxies().get("https", "")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    try:
        connection = socket.create_connection((host, port), timeout)
    except OSError as e:
        raise Transient(
            f"{host}:{port} cannot be reached: {e.strerror or e}",
            code="Network.Unreachable",
            hint=f"Allow outgoing TCP connections to {host}:{port}, or set https_proxy.",
        ) from e
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _connect_through(proxy: str, host: str, port: int, timeout: float) -> socket.socket:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        at = parts.port or 3128
    except ValueError:
        at = 0
    if parts.scheme != "http" or not parts.hostname or not at:
        raise UserError(
            f"the proxy {parts.hostname or '(no host)'} cannot be used",
            code="Proxy.Unsupported",
            hint="Give it as http://[user:password@]host:port.",
        )
    connection = _connect(parts.hostname, at, timeout)
    try:
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            request += f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
        connection.sendall(f"{request}\r\n".encode())
        status = _read_head(connection).split(b"\r\n", 1)[0].decode("latin-1")
    except OSError as e:
        connection.close()
        raise Transient(f"the proxy {parts.hostname} gave no answer: {e}", code="Network.Unreachable") from e
    if status.split()[1:2] != ["200"]:
        connection.close()
        raise Transient(
            f"the proxy {parts.hostname} does not connect to {target}: {status or 'connection closed'}",
            code="Proxy.Refused",
            hint=f"Allow CONNECT to {target} at the proxy.",
        )
    return connection


def _read_head(connection: socket.socket) -> bytes:
    """Up to the empty line, not a byte more: what follows belongs to the tunnel."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < LONGEST_ANSWER:
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head
