"""The control connection of a run: typed messages both ways over mutual TLS 1.3.

The socket is used outside the lock of TLS, so that one thread may send while another receives.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from smc.base.errors import Transient, WireError
from smc.wire.dial import dial
from smc.wire.frame import Decoder, Encoder
from smc.wire.messages import Alive, Message, decode_head, encode_head
from smc.wire.tls import AT_ONCE, HANDSHAKE_SECONDS, Identity, Tls, context_of, cut, prepare

PULSE_SECONDS = 10.0  # a peer that has nothing to say says so
SILENCE_SECONDS = 60.0  # no whole message for so long, be there bytes or not: the connection is dead
TICK_SECONDS = 0.25  # how soon a waiting call looks at the clock


class Pace(Protocol):
    """Called after bytes went out; returns when more may."""

    def __call__(self, size: int, /) -> None: ...


def connect(
    host: str, port: int, identity: Identity, *, timeout: float = 15.0, proxy: str | None = None
) -> "Channel":
    """Dial the receiver. `Transient` when it cannot be reached, `WireError` when it is not the one."""
    tls = Tls(context_of(identity, server=False), server=False)
    sock = dial(host, port, proxy=proxy, timeout=timeout)
    try:
        prepare(sock)
        tls.shake_hands(sock, time.monotonic() + HANDSHAKE_SECONDS)
    except BaseException:
        sock.close()
        raise
    channel = Channel(sock, tls)
    try:
        channel.send(Alive())  # a listener knows by the first frame that this is no stream
    except BaseException:
        channel.close()
        raise
    return channel


class Channel:
    """Messages both ways. One thread may receive while others send.

    `Transient` (`Wire.Cut`) when the connection is gone, `WireError` for what the protocol forbids.
    `begun`: bytes of the first frame that were read already.
    """

    def __init__(self, sock: socket.socket, tls: Tls, begun: bytes = b"") -> None:
        self.pace: Pace = _no_limit
        self.sent_bytes = 0
        self.received_bytes = 0
        self._socket = sock
        self._tls = tls
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._begun = begun
        self._fresh = True
        self._received: deque[Message] = deque()
        self._sending = threading.Lock()
        self._closed = threading.Event()
        # Heard: the last whole message; what lies between two calls of `receive` counts as no time.
        self._last_sent = self._last_heard = self._left = time.monotonic()
        self._pulse = threading.Thread(target=self._keep_alive, name="pulse", daemon=True)
        sock.settimeout(TICK_SECONDS)
        self._pulse.start()

    def send(self, message: Message) -> None:
        with self._sending:
            self._push(self._tls.seal(*self._encoder.encode(*encode_head(message)).buffers))

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; None when none came within `timeout` seconds."""
        self._last_heard += time.monotonic() - self._left
        try:
            return self._next(None if timeout is None else time.monotonic() + timeout)
        finally:
            self._left = time.monotonic()

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

    def _next(self, deadline: float | None) -> Message | None:
        while not self._received:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            if self._fresh:  # what came together with the handshake's last message is with TLS already
                self._fresh = False
                self._decode([self._begun, *self._tls.open(b"")])
            elif data := self._pull():
                self._decode(self._tls.open(data))
                self._check_silence()
        return self._received.popleft()

    def _decode(self, pieces: Sequence[bytes]) -> None:
        for frame in self._decoder.feed(pieces):
            if frame.content:
                raise WireError("content came over the control connection")
            message = decode_head(frame.kind, frame.head)
            self._last_heard = time.monotonic()
            if not isinstance(message, Alive):
                self._received.append(message)

    def _push(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                count = self._socket.send(view[:AT_ONCE])
            except TimeoutError:
                self._check_silence()
                continue
            except OSError as e:
                raise cut(e) from e
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
            raise cut(e) from e
        if not data:
            raise cut("the peer hung up")
        self.received_bytes += len(data)
        return data

    def _check_silence(self) -> None:
        if time.monotonic() - self._last_heard > SILENCE_SECONDS:
            raise cut(f"no message came for {SILENCE_SECONDS:g} s")

    def _keep_alive(self) -> None:
        while not self._closed.wait(PULSE_SECONDS / 2):
            if time.monotonic() - self._last_sent < PULSE_SECONDS:
                continue
            try:
                self.send(Alive())
            except (Transient, WireError):
                return  # whoever uses the channel meets the same


def _no_limit(_size: int, /) -> None:
    return None
