"""Faults by map: a line that cuts or twists at a byte, and calls that fail at a number."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

AT_ONCE = 64 * 1024
HEADER = 5  # bytes of a TLS record: type, version, length (RFC 8446, 5.1)
SECONDS = 20.0

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Fault:
    """At byte `at` of the connection made as number `connection`, on its way to the receiver or `back`.

    `twist` is mixed into that byte; 0 cuts the connection before it. On the control connection (number 0) the
    lengths of TLS records are spared: a peer that waits for a longer record cannot know better for a minute.
    """

    connection: int
    at: int
    twist: int = 0
    back: bool = False


class _Records:
    """Tells which bytes of a TLS connection are in the headers of records."""

    def __init__(self) -> None:
        self._next = 0  # offset of the next header
        self._header = b""

    def headers(self, position: int, data: bytes) -> set[int]:
        """Offsets in `data`, which follows what was told before and begins at `position`."""
        found: set[int] = set()
        end = position + len(data)
        while self._next + len(self._header) < end:
            at = self._next + len(self._header) - position
            more = data[at : at + HEADER - len(self._header)]
            found.update(range(at, at + len(more)))
            self._header += more
            if len(self._header) == HEADER:
                self._next += HEADER + int.from_bytes(self._header[3:], "big")
                self._header = b""
        return found


class Line:
    """A port of its own on loopback that leads to `port`, through the faults."""

    def __init__(self, port: int, faults: Sequence[Fault]) -> None:
        self.hit: list[Fault] = []
        self._to = port
        self._faults = faults
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._start(self._let_in)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._door, *self._sockets):
            _hang_up(sock)
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()
        for sock in (self._door, *self._sockets):
            sock.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _let_in(self) -> None:
        number = 0
        with suppress(OSError):  # closed
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                for sock in (near, far):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += (near, far)
                mine = [fault for fault in self._faults if fault.connection == number]
                for ends, back in (((near, far), False), ((far, near), True)):
                    faults = [fault for fault in mine if fault.back is back]
                    self._start(self._pump, *ends, faults, _Records() if not number else None)
                number += 1

    def _pump(
        self, source: socket.socket, target: socket.socket, faults: Sequence[Fault], records: _Records | None
    ) -> None:
        position = 0
        with suppress(OSError):  # the other end has gone
            while data := bytearray(source.recv(AT_ONCE)):
                spared = records.headers(position, bytes(data)) if records else set()
                for fault in faults:
                    at = fault.at - position
                    if not 0 <= at < len(data):
                        continue
                    self.hit.append(fault)
                    if not fault.twist:
                        target.sendall(data[:at])
                        _hang_up(source)
                        return _hang_up(target)
                    if at not in spared:
                        data[at] ^= fault.twist
                target.sendall(data)
                position += len(data)
        _hang_up(target)
        return None


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Faulty(Generic[P, R]):
    """Stands in for a function: call number n (from 0) ends as `faults[n]` says, others as they really do.

    An exception is raised; what is no exception is called with the real function and the arguments.
    """

    def __init__(self, real: Callable[P, R], faults: Mapping[int, BaseException | Callable[..., R]]) -> None:
        self.calls = 0
        self.hit = 0
        self._real = real
        self._faults = faults
        self._lock = threading.Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            fault = self._faults.get(self.calls)
            self.calls += 1
            self.hit += fault is not None
        if fault is None:
            return self._real(*args, **kwargs)
        if isinstance(fault, BaseException):
            raise fault
        return fault(self._real, *args, **kwargs)


def failing(code: int) -> OSError:
    return OSError(code, os.strerror(code))


IO_ERROR = failing(errno.EIO)
FULL = failing(errno.ENOSPC)
