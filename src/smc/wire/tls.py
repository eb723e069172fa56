"""TLS of a run's connections: mutual, 1.3, trusted by the run's own CA alone, between memory buffers.

On memory buffers one thread may send while another receives, on every Python version, and 256 KiB cost one
system call where a TLS socket makes two for each record of 16 KiB.
"""

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

from smc.base.errors import Transient, WireError

AGENT = "agent"
RECEIVER = "receiver"
HANDSHAKE_SECONDS = 20.0
AT_ONCE = 256 * 1024  # bytes handed to the socket or taken from it in one call
RECORD = 16 * 1024  # TLS never hands out more at a time


@dataclass(frozen=True, slots=True)
class Identity:
    """What this end trusts and what it shows, all PEM."""

    ca: str
    certificate: str
    key: str = field(repr=False)


@lru_cache(maxsize=2)  # a connection and its streams have the same: each would cost 2 ms
def context_of(identity: Identity, *, server: bool) -> ssl.SSLContext:
    """Host names are not compared: the run's CA signs one agent and one receiver, told apart by name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        context.num_tickets = 0  # a session is never resumed
    try:
        context.load_verify_locations(cadata=identity.ca)
        with tempfile.TemporaryDirectory(prefix="smc-") as folder:  # ssl reads keys from files only
            chain = Path(folder) / "chain.pem"
            chain.touch(mode=0o600)
            chain.write_text(f"{identity.certificate.rstrip()}\n{identity.key}")
            context.load_cert_chain(chain)
    except (ssl.SSLError, ValueError) as e:
        raise WireError(f"the certificates of this run do not load: {e}", code="Wire.NotTrusted") from e
    return context


def cut(why: object) -> Transient:
    """The error of a connection that is gone."""
    return Transient(f"the connection was cut: {why}", code="Wire.Cut")


def prepare(sock: socket.socket) -> None:
    """Frames are whole when they are sent: nothing waits for more. Buffers are left to the kernel, which
    measures the line; a size that we set would be held under net.core.?mem_max and stay so."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def limit(sock: socket.socket, deadline: float) -> None:
    """The next call on `sock` ends by `deadline` (monotonic). Raises `TimeoutError` when that has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    sock.settimeout(left)


class Tls:
    """The TLS state of one connection. `seal` and `goodbye` may run beside `open` or `take`."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._expected = AGENT if server else RECEIVER
        self._lock = threading.Lock()

    def shake_hands(self, sock: socket.socket, deadline: float) -> None:
        """By `deadline` (monotonic) the peer has proved its role, else `WireError` or `Transient`."""
        try:
            self._shake_hands(sock, deadline)
        except ssl.SSLError as e:
            raise _distrust(e) from e
        except OSError as e:
            raise cut(e) from e
        name = _common_name(self._session)
        if name != self._expected:
            raise WireError(f"expected the {self._expected}, met {name!r}", code="Wire.NotTrusted")

    def seal(self, *pieces: bytes | bytearray | memoryview) -> bytes:
        """What to put on the wire for `pieces`. Raises `Transient` after a goodbye or a fatal alert."""
        with self._lock:
            try:
                for piece in pieces:
                    view = memoryview(piece)
                    while view:
                        view = view[self._session.write(view) :]  # a record at a time
            except ssl.SSLError as e:
                raise cut("the connection has been closed") from e
            return self._outgoing.read()

    def open(self, data: bytes) -> list[bytes]:
        """What `data` completes. Raises `Transient` at the peer's goodbye, `WireError` for forgeries."""
        pieces: list[bytes] = []
        with self._lock:
            self._incoming.write(data)
            try:
                while piece := self._session.read(RECORD):
                    pieces.append(piece)
            except ssl.SSLWantReadError:
                return pieces
            except ssl.SSLZeroReturnError:
                pass
            except ssl.SSLError as e:
                raise _distrust(e) from e
        if not pieces:
            raise cut("the peer said goodbye")
        return pieces

    def give(self, data: bytes | memoryview) -> None:
        """What came from the wire, for `take` and `fill`."""
        with self._lock:
            self._incoming.write(data)

    def take(self, view: memoryview) -> int:
        """Put at most a record into `view`; 0 when more must be given first. Raises as `open` does."""
        with self._lock:
            try:
                # typeshed does not know that any buffer will do and that the count comes back.
                count = cast("int", self._session.read(len(view), cast("bytearray", view)))
            except ssl.SSLWantReadError:
                return 0
            except ssl.SSLZeroReturnError:
                count = 0
            except ssl.SSLError as e:
                raise _distrust(e) from e
        if not count:
            raise cut("the peer said goodbye")
        return count

    def fill(self, view: memoryview, more: Callable[[], memoryview]) -> None:
        """Fill `view`; `more` waits for bytes from the wire. Raises as `open` does.

        For the one thread that receives on a stream, beside none: it takes no lock, 70,000 times a GiB.
        """
        read = cast("Callable[[int, memoryview], int]", self._session.read)  # as in `take`
        while view:
            try:
                count = read(len(view), view)  # at most a record
            except ssl.SSLWantReadError:
                self._incoming.write(more())
                continue
            except ssl.SSLZeroReturnError:
                count = 0
            except ssl.SSLError as e:
                raise _distrust(e) from e
            if not count:
                raise cut("the peer said goodbye")
            view = view[count:]

    def goodbye(self) -> bytes:
        with self._lock:
            with suppress(ssl.SSLError):  # it waits for the peer's goodbye; ours is in the buffer
                self._session.unwrap()
            return self._outgoing.read()

    def _shake_hands(self, sock: socket.socket, deadline: float) -> None:
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                self._send(sock, deadline)
                limit(sock, deadline)
                data = sock.recv(AT_ONCE)
                if not data:
                    raise cut("the peer hung up during the handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                with suppress(OSError):  # the alert that tells the peer; the reason is the error at hand
                    self._send(sock, deadline)
                raise
            else:
                self._send(sock, deadline)
                return

    def _send(self, sock: socket.socket, deadline: float) -> None:
        limit(sock, deadline)
        sock.sendall(self._outgoing.read())


def _common_name(session: ssl.SSLObject) -> str:
    certificate = session.getpeercert() or {}
    subject = certificate.get("subject", ())
    for part in subject:
        for entry in part:
            if entry[0] == "commonName":
                return str(entry[1])
    return ""


def _distrust(error: ssl.SSLError) -> WireError:
    return WireError(f"TLS failed: {error.reason or error}", code="Wire.NotTrusted")
