"""Data streams: frames with content from sender to receiver, over TLS or sealed over plain TCP.

Sockets block, one thread is at each end. A stream has no pulse: that both ends live is the control
connection's matter, and who finds that they do not calls `abort` here.
"""

import hashlib
import hmac
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from struct import Struct

from smc.base.errors import Transient, WireError
from smc.wire.channel import Pace
from smc.wire.dial import dial
from smc.wire.frame import END, Bytes, Content, Decoder, Encoder
from smc.wire.messages import WITH_CONTENT, Message, decode_head, encode_head
from smc.wire.tls import AT_ONCE, HANDSHAKE_SECONDS, Identity, Tls, context_of, cut, limit, prepare

MAGIC = b"SMCd"
VERSION = 1
OPENING = Struct("<4sBH32s")  # magic, version, number, token
SECRET_SIZE = 32
PACED = 48 * 1024  # bytes between two calls of a pace: three records of TLS, under 64 KiB with what it adds


@dataclass(frozen=True, slots=True)
class Opening:
    """What lets one stream in, once. Made by the receiver, told to the sender over the control connection."""

    number: int
    token: bytes = field(repr=False)  # 32 random bytes
    key: bytes = field(repr=False)  # 32 random bytes

    def __post_init__(self) -> None:
        if len(self.token) != SECRET_SIZE or len(self.key) != SECRET_SIZE or not 0 <= self.number < 1 << 16:
            raise WireError("an opening for a stream has a wrong shape")

    @classmethod
    def fresh(cls, number: int) -> "Opening":
        return cls(number, os.urandom(SECRET_SIZE), os.urandom(SECRET_SIZE))

    def to_bytes(self) -> bytes:
        """The first bytes of the stream; the key is not among them."""
        return OPENING.pack(MAGIC, VERSION, self.number, self.token)

    def seal_key(self) -> bytes:
        """The key of the frames' MACs: of this stream alone, even if a key were given to several."""
        return hmac.digest(self.key, self.to_bytes(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of one message: `plain` bytes of content went as `wire` bytes.

    `send_seconds` is how long the line took, waiting for the pace included.
    """

    plain: int
    wire: int
    compress_seconds: float
    send_seconds: float


def parse_opening(data: bytes) -> tuple[int, bytes]:
    """Number and token of the `OPENING.size` bytes that a stream begins with, or `WireError`."""
    magic, version, number, token = OPENING.unpack(data)
    if magic != MAGIC:
        raise WireError(f"expected a stream, got {magic!r}")
    if version != VERSION:
        raise WireError(f"the peer opens streams of version {version}, this program of {VERSION}")
    return number, token


def open_stream(
    host: str,
    port: int,
    identity: Identity,
    opening: Opening,
    *,
    secure: bool,
    proxy: str | None = None,
    timeout: float = 15.0,
) -> "SendingStream":
    """Dial the receiver and show the token. `secure`: over TLS, else frames are sealed but can be read.

    `Transient` when it cannot be reached, `WireError` when it is not the one. That it refused the token
    shows at a later `send`, as a cut.
    """
    tls = Tls(context_of(identity, server=False), server=False) if secure else None
    sock = dial(host, port, proxy=proxy, timeout=timeout)
    try:
        prepare(sock)
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        if tls is not None:
            tls.shake_hands(sock, deadline)
        first = opening.to_bytes()
        limit(sock, deadline)
        sock.sendall(first if tls is None else tls.seal(first))
        sock.settimeout(None)
    except OSError as e:
        sock.close()
        raise cut(e) from e
    except BaseException:
        sock.close()
        raise
    return SendingStream(sock, opening, tls)


class SendingStream:
    """The sender's end; for one thread, but `abort` is for any.

    `pace` is called with the number of bytes after each at most 64 KiB of them; None: there is no limit. It
    must return, or raise, soon after `abort`: that cannot wake it.
    """

    def __init__(self, sock: socket.socket, opening: Opening, tls: Tls | None) -> None:
        self.number = opening.number
        self.pace: Pace | None = None
        self.sent_bytes = 0
        self._socket = sock
        self._tls = tls
        self._encoder = Encoder(opening.seal_key() if tls is None else None)
        self._aborted = threading.Event()
        self._closed = False

    def send(self, message: Message, content: Content = b"", level: int | None = None) -> Sending:
        """`content` in one or more pieces, compressed at zstd's `level` (None: not) where that helps.

        Returns when the kernel has all of it. Raises `Transient` (`Wire.Cut`) when the connection is gone.
        """
        kind, head = encode_head(message)
        packed = self._encoder.encode(kind, head, content, level)
        began = time.perf_counter()
        self._put(packed.buffers)
        return Sending(packed.plain, packed.wire, packed.compress_seconds, time.perf_counter() - began)

    def is_cut(self) -> bool:
        """Whether the receiver hung up, or turned the stream away: it never says anything. For any thread."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return not self._closed

    def abort(self) -> None:
        """Cut the connection: a `send` that waits, and every later one, raises `Transient`."""
        self._aborted.set()
        with suppress(OSError):  # cut already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Tell the receiver that nothing more comes, if that is still possible, and let go of the socket."""
        if self._closed:
            return
        self._closed = True
        if not self._aborted.is_set():
            with suppress(Transient):
                self._put(self._encoder.encode(END, b"").buffers)
        self._aborted.set()
        self._socket.close()

    def __enter__(self) -> "SendingStream":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abort()  # not all was sent: no goodbye
        self.close()

    def _put(self, buffers: Sequence[Bytes]) -> None:
        """Whoever fails in the middle of a frame leaves a line that is of no more use."""
        try:
            for step in _steps(buffers, AT_ONCE if self.pace is None else PACED):
                if self._aborted.is_set():
                    raise cut("it was ended at this end")
                count = self._send_plain(step) if self._tls is None else self._send_secure(self._tls, step)
                self.sent_bytes += count
                if self.pace is not None:
                    self.pace(count)
        except OSError as e:
            self.abort()
            raise cut(e) from e
        except BaseException:
            self.abort()
            raise

    def _send_plain(self, step: list[memoryview]) -> int:
        size = left = sum(map(len, step))
        while left := left - (sent := self._socket.sendmsg(step)):
            step = _without(step, sent)
        return size

    def _send_secure(self, tls: Tls, step: list[memoryview]) -> int:
        sealed = tls.seal(*step)
        self._socket.sendall(sealed)
        return len(sealed)


class ReceivingStream:
    """The receiver's end; for one thread, but `abort` is for any. `number` is that of its opening."""

    def __init__(self, sock: socket.socket, opening: Opening, tls: Tls | None) -> None:
        self.number = opening.number
        self.received_bytes = 0
        self._socket = sock
        self._tls = tls
        self._decoder = Decoder(opening.seal_key() if tls is None else None)
        self._incoming = memoryview(bytearray(AT_ONCE if tls is not None else 0))
        self._aborted = threading.Event()
        self._ended = False
        sock.settimeout(None)

    def receive(self) -> tuple[Message, memoryview] | None:
        """The next message and its content, plain and good until the next call; None when the sender said
        that nothing more comes.

        Raises `Transient` (`Wire.Cut`) when the connection ends without that word, `WireError` for what is
        not of the peer (`Wire.NotTrusted`) or not of the protocol. That the content is right is not known
        before its SHA-256 was compared with the message's.
        """
        if self._ended:
            return None
        frame = self._decoder.read_frame(self._fill if self._tls is None else self._fill_secure)
        if frame.kind == END:
            self._ended = True
            return None
        if frame.content and frame.kind not in WITH_CONTENT:
            raise WireError(f"content came with a message of kind {frame.kind}")
        return decode_head(frame.kind, frame.head), frame.content

    def abort(self) -> None:
        """Cut the connection: a `receive` that waits, and every later one, raises `Transient`."""
        self._aborted.set()
        with suppress(OSError):  # cut already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket; no thread may be using it."""
        self._aborted.set()
        self._socket.close()

    def __enter__(self) -> "ReceivingStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self, view: memoryview) -> None:
        while view:
            view = view[self._pull(view, socket.MSG_WAITALL) :]

    def _fill_secure(self, view: memoryview) -> None:
        assert self._tls is not None
        self._tls.fill(view, self._more)

    def _more(self) -> memoryview:
        return self._incoming[: self._pull(self._incoming, 0)]

    def _pull(self, view: memoryview, flags: int) -> int:
        if self._aborted.is_set():
            raise cut("it was ended at this end")
        try:
            count = self._socket.recv_into(view, 0, flags)
        except OSError as e:
            raise cut(e) from e
        if not count:
            raise cut("the peer hung up")
        self.received_bytes += count
        return count


def _steps(buffers: Sequence[Bytes], size: int) -> Iterator[list[memoryview]]:
    """The same bytes in the same order, at most `size` of them at a time, none of them copied."""
    step: list[memoryview] = []
    room = size
    for buffer in buffers:
        view = memoryview(buffer)
        while view:
            step.append(view[:room])
            view, room = view[room:], room - len(step[-1])
            if not room:
                yield step
                step, room = [], size
    if step:
        yield step


def _without(views: Sequence[memoryview], count: int) -> list[memoryview]:
    """All but the first `count` bytes."""
    left: list[memoryview] = []
    for view in views:
        if count < len(view):
            left.append(view[count:])
        count = max(count - len(view), 0)
    return left
