"""The receiver's port: only the run's agent gets in, with its control connection and the streams it may open.

The first byte tells TLS from plain TCP, and under TLS the first four a control connection from a stream.
Each connection is greeted in a thread of its own, so that a slow stranger delays nobody.
"""

import hmac
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from smc.base.errors import SmcError, Transient, WireError
from smc.wire import frame, stream
from smc.wire.channel import Channel
from smc.wire.stream import OPENING, Opening, ReceivingStream, parse_opening
from smc.wire.tls import AT_ONCE, HANDSHAKE_SECONDS, Identity, Tls, context_of, cut, limit, prepare

log = logging.getLogger(__name__)

TLS_HANDSHAKE = b"\x16"  # the first byte of a TLS record of that type (RFC 8446, 5.1)
GREETED_AT_ONCE = 16  # connections that have not proved yet who they are
AGAIN_SECONDS = 0.25  # after the kernel could not hand over a connection


class Listener:
    """One port for everything of a run. `newcomer` is set while a control connection waits for `accept`."""

    def __init__(self, host: str, port: int, identity: Identity) -> None:
        self.newcomer = threading.Event()
        self._context = context_of(identity, server=True)
        self._changed = threading.Condition()
        self._waiting: Channel | None = None
        self._refused = ""
        self._greeted: dict[socket.socket, threading.Thread] = {}  # in order of arrival
        self._awaited: list[StreamsAwaited] = []
        self._closed = threading.Event()
        self._socket = socket.create_server((host, port))
        self.port: int = self._socket.getsockname()[1]
        self._door = threading.Thread(target=self._open_door, name="door", daemon=True)
        self._door.start()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accept(self, timeout: float) -> Channel:
        """The agent's newest control connection. `Transient` (`Wire.NobodyCame`) after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed.is_set(), timeout)
            channel, self._waiting = self._waiting, None
            self.newcomer.clear()
            refused, self._refused = self._refused, ""
        if channel is None:
            why = f"; the last that tried was turned away: {refused}" if refused else ""
            raise Transient(f"nobody connected within {timeout:g} s{why}", code="Wire.NobodyCame")
        return channel

    def expect(self, openings: Sequence[Opening], *, secure: bool) -> "StreamsAwaited":
        """From now on one stream is let in for each of `openings`, over TLS if `secure`, else without."""
        awaited = StreamsAwaited(openings, self._changed, self._forget, secure=secure)
        with self._changed:
            self._awaited.append(awaited)
        return awaited

    def close(self) -> None:
        """What was accepted lives on; everything else is cut."""
        self._closed.set()
        with suppress(OSError):  # it makes the waiting accept(2) return
            self._socket.shutdown(socket.SHUT_RDWR)
        self._door.join()
        self._socket.close()
        with self._changed:
            greeted = list(self._greeted.items())
            awaited = list(self._awaited)
            channel, self._waiting = self._waiting, None
            self._changed.notify_all()
        for sock, thread in greeted:
            _cut_off(sock)
            thread.join()
        for streams in awaited:
            streams.close()
        if channel is not None:
            channel.close()

    def _open_door(self) -> None:
        while not self._closed.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError as e:
                if not self._closed.wait(AGAIN_SECONDS):
                    log.warning("a connection could not be taken: %s", e)
                continue
            self._let_in(sock)

    def _let_in(self, sock: socket.socket) -> None:
        """When too many stand at the door the oldest goes: the agent needs a moment there, strangers stay."""
        thread = threading.Thread(target=self._greet, args=(sock,), name="greeting", daemon=True)
        with self._changed:
            if len(self._greeted) >= GREETED_AT_ONCE:
                oldest = next(iter(self._greeted))
                del self._greeted[oldest]
                _cut_off(oldest)
            self._greeted[sock] = thread
        thread.start()

    def _greet(self, sock: socket.socket) -> None:
        try:
            self._recognise(sock, time.monotonic() + HANDSHAKE_SECONDS)
        except (SmcError, OSError) as e:
            log.info("a connection was turned away: %s", e)
            with self._changed:
                self._greeted.pop(sock, None)
                self._refused = str(e)
            sock.close()

    def _recognise(self, sock: socket.socket, deadline: float) -> None:
        prepare(sock)
        limit(sock, deadline)
        first = sock.recv(1, socket.MSG_PEEK)
        if first == TLS_HANDSHAKE:
            tls = Tls(self._context, server=True)
            tls.shake_hands(sock, deadline)
            begun = _read_secure(sock, tls, len(frame.MAGIC), deadline)
            if begun == frame.MAGIC:
                self._welcome(sock, tls, begun)
            else:
                rest = _read_secure(sock, tls, OPENING.size - len(begun), deadline)
                self._admit(sock, tls, *parse_opening(begun + rest))
        elif first == stream.MAGIC[:1]:
            self._admit(sock, None, *parse_opening(_read(sock, OPENING.size, deadline)))
        elif first:
            raise WireError(f"a connection began with {first!r}", code="Wire.NotTrusted")
        else:
            raise cut("the peer hung up before it said a word")

    def _welcome(self, sock: socket.socket, tls: Tls, begun: bytes) -> None:
        """An agent speaks over one control connection: a newer one takes the place of one that waits."""
        with self._changed:
            self._greeted.pop(sock, None)
            if self._closed.is_set():
                raise cut("the listener was closed")
            older, self._waiting = self._waiting, Channel(sock, tls, begun)
            self.newcomer.set()
            self._changed.notify_all()
        if older is not None:
            older.abort()
            older.close()

    def _admit(self, sock: socket.socket, tls: Tls | None, number: int, token: bytes) -> None:
        with self._changed:
            found: tuple[StreamsAwaited, Opening] | None = None
            for awaited in self._awaited:
                for opening in awaited.unused:
                    # All are compared, whole: the time it takes tells nothing about a token.
                    if hmac.compare_digest(opening.token, token) and opening.number == number:
                        found = awaited, opening
            if found is None:
                raise WireError("a stream came with a token that is not awaited", code="Wire.NotTrusted")
            awaited, opening = found
            if awaited.secure != (tls is not None):
                how = "without" if awaited.secure else "over"
                raise WireError(f"stream {number} came {how} TLS", code="Wire.NotTrusted")
            self._greeted.pop(sock, None)
            awaited.unused.remove(opening)
            awaited.arrived.append(ReceivingStream(sock, opening, tls))
            self._changed.notify_all()

    def _forget(self, awaited: "StreamsAwaited") -> None:
        with self._changed:
            if awaited in self._awaited:
                self._awaited.remove(awaited)


class StreamsAwaited:
    """Streams that the agent was told to open. `unused` and `arrived` belong to the listener's lock."""

    def __init__(
        self,
        openings: Sequence[Opening],
        changed: threading.Condition,
        forget: Callable[["StreamsAwaited"], None],
        *,
        secure: bool,
    ) -> None:
        self.secure = secure
        self.unused = list(openings)
        self.arrived: deque[ReceivingStream] = deque()
        self._changed = changed
        self._forget = forget
        self._closed = False

    def accept(self, timeout: float) -> ReceivingStream | None:
        """The next stream in the order of arrival; None after `timeout` seconds, or when this was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.arrived or self._closed, timeout)
            return self.arrived.popleft() if self.arrived else None

    def close(self) -> None:
        """Unused tokens are void from now on, and what came but was not accepted is cut."""
        with self._changed:
            self._closed = True
            self.unused.clear()
            while self.arrived:
                self.arrived.popleft().close()
            self._changed.notify_all()
        self._forget(self)

    def __enter__(self) -> "StreamsAwaited":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(sock: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        limit(sock, deadline)
        more = sock.recv(size - len(data))
        if not more:
            raise cut("the peer hung up before it said who it is")
        data += more
    return data


def _read_secure(sock: socket.socket, tls: Tls, size: int, deadline: float) -> bytes:
    """What TLS has beyond that stays with it."""
    data = bytearray(size)
    left = memoryview(data)
    while left:
        taken = tls.take(left)
        if taken:
            left = left[taken:]
            continue
        limit(sock, deadline)
        more = sock.recv(AT_ONCE)
        if not more:
            raise cut("the peer hung up before it said who it is")
        tls.give(more)
    return bytes(data)


def _cut_off(sock: socket.socket) -> None:
    with suppress(OSError):  # gone already
        sock.shutdown(socket.SHUT_RDWR)
