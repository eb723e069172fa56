"""One connection of a run: typed messages over mutual TLS 1.3, trusted by the run's own CA alone.

TLS works on memory buffers under a lock and the socket is used outside it, so that one thread may
send while another receives, on every Python version, and a frame costs few system calls.
"""

import socket
import ssl
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from smc.base.errors import Transient, WireError
from smc.wire.dial import dial
from smc.wire.frame import Decoder, Encoder
from smc.wire.messages import Alive, Message, decode, encode

AGENT = "agent"
RECEIVER = "receiver"
HANDSHAKE_SECONDS = 20.0
PULSE_SECONDS = 10.0  # a peer that has nothing to say says so
SILENCE_SECONDS = 60.0  # no byte from the peer for so long: the connection is dead
TICK_SECONDS = 0.25  # how soon a waiting call looks at the clock
AT_ONCE = 256 * 1024  # bytes handed to the socket or taken from it in one call
RECORD = 16 * 1024  # TLS never hands out more at a time


@dataclass(frozen=True, slots=True)
class Identity:
    """What this end trusts and what it shows, all PEM."""

    ca: str
    certificate: str
    key: str = field(repr=False)


class Pace(Protocol):
    """Called after bytes went out; returns when more may."""

    def __call__(self, size: int, /) -> None: ...


def connect(
    host: str, port: int, identity: Identity, *, timeout: float = 15.0, proxy: str | None = None
) -> "Channel":
    """Dial the receiver. `Transient` when it cannot be reached, `WireError` when it is not the one."""
    context = _context(identity, server=False)
    return _shake_hands(dial(host, port, proxy=proxy, timeout=timeout), context, expected=RECEIVER)


class Listener:
    """The receiver's port; only the run's agent gets in."""

    def __init__(self, host: str, port: int, identity: Identity) -> None:
        self._context = _context(identity, server=True)
        self._socket = socket.create_server((host, port))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accept(self, timeout: float) -> "Channel":
        """The next agent. `Transient` (`Wire.NobodyCame`) after `timeout`; strangers are turned away."""
        deadline = time.monotonic() + timeout
        refused = ""
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                sock, _ = self._socket.accept()
            except TimeoutError:
                break
            try:
                return _shake_hands(sock, self._context, expected=AGENT)
            except (Transient, WireError) as e:
                refused = f"; the last that tried was turned away: {e}"
        raise Transient(f"nobody connected within {timeout:g} s{refused}", code="Wire.NobodyCame")

    def close(self) -> None:
        self._socket.close()


class Channel:
    """Messages both ways. One thread may receive while others send.

    `Transient` (`Wire.Cut`) when the connection is gone, `WireError` for what the protocol forbids.
    """

    def __init__(self, sock: socket.socket, tls: "_Tls") -> None:
        self.pace: Pace = _no_limit
        self.sent_bytes = 0
        self.received_bytes = 0
        self._socket = sock
        self._tls = tls
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._fresh = True
        self._received: deque[tuple[Message, memoryview]] = deque()
        self._sending = threading.Lock()
        self._closed = threading.Event()
        self._last_sent = self._last_heard = time.monotonic()
        self._pulse = threading.Thread(target=self._keep_alive, name="pulse", daemon=True)
        sock.settimeout(TICK_SECONDS)
        self._pulse.start()

    def compress_at(self, level: int | None) -> None:
        """zstd's level for what is sent from now on; None: as it is."""
        with self._sending:
            self._encoder.compress_at(level)

    def send(self, message: Message, content: bytes | memoryview = b"") -> None:
        with self._sending:
            header, payload = self._encoder.encode(*encode(message, content))
            self._push(self._tls.seal(header, payload))

    def receive(self, timeout: float | None = None) -> tuple[Message, memoryview] | None:
        """The next message and its content; None when none came within `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._received:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            # What came together with the handshake's last message is with TLS already.
            data = b"" if self._fresh else self._pull()
            if data or self._fresh:
                self._fresh = False
                self._decode(self._tls.open(data))
        return self._received.popleft()

    def close(self) -> None:
        """Say goodbye, if that is still possible, and let go of the socket; no thread may be using it."""
        if not self._closed.is_set():
            with suppress(Transient), self._sending:
                self._push(self._tls.goodbye())
        self.abort()
        self._socket.close()

    def abort(self) -> None:
        """Cut the connection: threads that wait in `send` or `receive` get `Transient`."""
        self._closed.set()
        with suppress(OSError):  # cut already
            self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decode(self, pieces: Sequence[bytes]) -> None:
        for frame in self._decoder.feed(pieces):
            message, content = decode(frame.kind, frame.payload)
            if not isinstance(message, Alive):
                self._received.append((message, content))

    def _push(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                count = self._socket.send(view[:AT_ONCE])
            except TimeoutError:
                self._check_silence()
                continue
            except OSError as e:
                raise _cut(e) from e
            view = view[count:]
            self._last_sent = time.monotonic()
            self.pace(count)
        self.sent_bytes += len(data)

    def _pull(self) -> bytes:
        try:
            data = self._socket.recv(AT_ONCE)
        except TimeoutError:
            self._check_silence()
            return b""
        except OSError as e:
            raise _cut(e) from e
        if not data:
            raise _cut("the peer hung up")
        self._last_heard = time.monotonic()
        self.received_bytes += len(data)
        return data

    def _check_silence(self) -> None:
        if time.monotonic() - self._last_heard > SILENCE_SECONDS:
            raise _cut(f"nothing was heard for {SILENCE_SECONDS:g} s")

    def _keep_alive(self) -> None:
        while not self._closed.wait(PULSE_SECONDS / 2):
            if time.monotonic() - self._last_sent < PULSE_SECONDS:
                continue
            try:
                self.send(Alive())
            except (Transient, WireError):
                return  # whoever uses the channel meets the same


class _Tls:
    """The TLS state of one connection, between memory buffers."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._lock = threading.Lock()

    def shake_hands(self, sock: socket.socket) -> str:
        """Returns the peer's common name."""
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(self._outgoing.read())
                data = sock.recv(AT_ONCE)
                if not data:
                    raise _cut("the peer hung up during the handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                sock.sendall(self._outgoing.read())  # the alert that tells the peer
                raise
            else:
                sock.sendall(self._outgoing.read())
                return _common_name(self._session)

    def seal(self, *pieces: bytes) -> bytes:
        with self._lock:
            for piece in pieces:
                view = memoryview(piece)
                try:
                    while view:
                        view = view[self._session.write(view) :]
                except ssl.SSLError as e:  # after a goodbye, or an alert that said why
                    raise _cut("the connection has been closed") from e
            return self._outgoing.read()

    def open(self, data: bytes) -> list[bytes]:
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
            raise _cut("the peer said goodbye")
        return pieces

    def goodbye(self) -> bytes:
        with self._lock:
            with suppress(ssl.SSLError):  # it waits for the peer's goodbye; ours is in the buffer
                self._session.unwrap()
            return self._outgoing.read()


def _no_limit(_size: int, /) -> None:
    return None


def _shake_hands(sock: socket.socket, context: ssl.SSLContext, *, expected: str) -> Channel:
    tls = _Tls(context, server=expected == AGENT)
    try:
        sock.settimeout(HANDSHAKE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        name = tls.shake_hands(sock)
        if name != expected:
            raise WireError(f"expected the {expected}, met {name!r}", code="Wire.NotTrusted")
    except ssl.SSLError as e:
        sock.close()
        raise _distrust(e) from e
    except OSError as e:
        sock.close()
        raise _cut(e) from e
    except BaseException:
        sock.close()
        raise
    return Channel(sock, tls)


def _context(identity: Identity, *, server: bool) -> ssl.SSLContext:
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


def _common_name(session: ssl.SSLObject) -> str:
    certificate = session.getpeercert() or {}
    subject = certificate.get("subject", ())
    for part in subject:
        for entry in part:
            if entry[0] == "commonName":
                return str(entry[1])
    return ""


def _cut(why: object) -> Transient:
    return Transient(f"the connection was cut: {why}", code="Wire.Cut")


def _distrust(error: ssl.SSLError) -> WireError:
    return WireError(f"TLS failed: {error.reason or error}", code="Wire.NotTrusted")
