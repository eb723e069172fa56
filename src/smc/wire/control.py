"""Asking the center: one JSON message of `orders.py` out, one typed answer or a typed error back."""

import http.client
import socket
import ssl
import time
from contextlib import suppress
from typing import TypeVar

import msgspec

from smc.base.errors import Broken, SmcError, Transient, UserError, WireError
from smc.model.codec import decode, encode
from smc.wire.backoff import delays
from smc.wire.dial import dial, has_ended, parse_address
from smc.wire.orders import ORDERS_SECONDS, Refusal
from smc.wire.trust import pinned_context

T = TypeVar("T")

ANSWER_SECONDS = ORDERS_SECONDS + 20.0  # longer than the center may hold a request
LARGEST_ANSWER = 16 << 20  # bytes; an order with the plan of many disks is some 100 KB
TRY_AGAIN_STATUSES = frozenset({408, 429, 502, 503, 504})


class Control:
    """One connection to the center, kept open between messages; for one thread at a time.

    `url` is `https://HOST[:PORT]`; HOST may be `gateway` (see dial.py). `ca` is the PEM of the center's
    CA, `credential` what enrolment gave ("" before it).
    """

    def __init__(self, url: str, ca: str, credential: str = "", *, proxy: str | None = None) -> None:
        self.host, self.port = parse_address(url)
        self._context = pinned_context(ca)
        self._credential = credential
        self._proxy = proxy
        self._connection: http.client.HTTPConnection | None = None
        self._ended = False

    def post(self, path: str, message: msgspec.Struct, reply: type[T], *, patience: float = 0.0) -> T:
        """Send `message` to `path`; `patience`: for so many seconds a `Transient` is tried again.

        Raises `UserError` for a refusal (its code, message and hint are the center's), `Transient` when the
        center is out of reach or asks to come back later, `Broken` when it failed, `WireError` when what
        answered does not speak as a center.
        """
        deadline = time.monotonic() + patience
        for delay in delays():
            try:
                return self._post(path, message, reply)
            except Transient:
                if time.monotonic() + delay > deadline:
                    raise
                time.sleep(delay)
        raise AssertionError("delays() has no end")

    def interrupt(self) -> None:
        """From another thread: the `post` that waits for its answer, and any later one, is `Transient`."""
        self._ended = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: str, message: msgspec.Struct, reply: type[T]) -> T:
        body = encode(message)
        kept = self._connection is not None and self._connection.sock is not None
        try:
            status, answer = self._exchange(path, body)
        except Transient:
            if not kept:
                raise
            status, answer = self._exchange(path, body)  # the center closes connections that idle
        if status != 200:
            raise _refused(status, answer)
        try:
            return decode(answer, reply)
        except UserError as e:
            raise WireError(f"{self.host} answered {path} with what is {e.message}") from e

    def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        if self._credential:
            headers["Authorization"] = f"Bearer {self._credential}"
        try:
            connection = self._connected()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read(LARGEST_ANSWER + 1)
        except ssl.SSLCertVerificationError as e:
            self.close()
            raise UserError(
                f"{self.host}:{self.port} is not the center this machine was imported to: {e.verify_message}",
                code="Center.NotTrusted",
                hint="If the center was set up anew, import this machine again with a new import command.",
            ) from e
        except (OSError, http.client.HTTPException) as e:
            self.close()
            why = str(e) or type(e).__name__
            raise Transient(
                f"the center at {self.host}:{self.port} gave no answer: {why}", code="Center.Unreachable"
            ) from e
        if len(content) > LARGEST_ANSWER:
            self.close()
            raise WireError(f"the answer of {self.host} to {path} is over {LARGEST_ANSWER} bytes")
        return answer.status, content

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is not None and self._connection.sock is not None:
            if not has_ended(self._connection.sock):
                return self._connection
            self._connection.close()
        if self._ended:
            raise Transient("the connection to the center was given up", code="Center.Unreachable")
        plain = dial(self.host, self.port, proxy=self._proxy)
        plain.settimeout(ANSWER_SECONDS)
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.auto_open = 0  # it would open a plain connection; only this method opens one
        try:
            connection.sock = self._context.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        self._connection = connection
        return connection


def _refused(status: int, answer: bytes) -> SmcError:
    try:
        refusal = decode(answer, Refusal)
    except UserError:
        refusal = Refusal(
            code="Center.NoSense",
            message=f"the center answered with HTTP status {status} and no message",
            hint="Check that the address is the center's agent address.",
        )
    kind: type[SmcError] = UserError if 400 <= status < 500 else Broken
    if status in TRY_AGAIN_STATUSES:
        kind = Transient
    return kind(refusal.message, code=refusal.code, hint=refusal.hint)
