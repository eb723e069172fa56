"""Faults by map: a line that cuts or twists at a byte, and calls that fail at a number."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, ParamSpec, TypeAlias, TypeVar

from smc.transfer import native

AT_ONCE = 64 * 1024
SECONDS = 20.0
HANDLES = ("dir_fd", "src_dir_fd")  # of calls that take a name
WRITE = 2  # the step of native.write_files

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Fault:
    """At byte `at` of the connection made as number `connection`, on its way to the receiver or `back`.

    `twist` is mixed into that byte; 0 cuts the connection before it.
    """

    connection: int
    at: int
    twist: int = 0
    back: bool = False


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
                    self._start(self._pump, *ends, faults)
                number += 1

    def _pump(self, source: socket.socket, target: socket.socket, faults: Sequence[Fault]) -> None:
        position = 0
        with suppress(OSError):  # the other end has gone
            while data := bytearray(source.recv(AT_ONCE)):
                for fault in faults:
                    at = fault.at - position
                    if not 0 <= at < len(data):
                        continue
                    self.hit.append(fault)
                    if not fault.twist:
                        target.sendall(data[:at])
                        _hang_up(source)
                        return _hang_up(target)
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


def only_in(root: Path, faulty: Callable[..., R], real: Callable[..., R]) -> Callable[..., R]:
    """`faulty` for calls about something in `root`, by an open handle; other calls are real."""

    def call(first: object, *args: object, **kwargs: object) -> R:
        handles = [first, *(kwargs[name] for name in HANDLES if name in kwargs)]
        mine = any(isinstance(handle, int) and _is_in(root, handle) for handle in handles)
        return (faulty if mine else real)(first, *args, **kwargs)

    return call


def _is_in(root: Path, handle: int) -> bool:
    return Path(f"/proc/self/fd/{handle}").readlink().is_relative_to(root)


Reading: TypeAlias = "Callable[[int, list[native.Item], int, int], native.ParcelRead]"
ReadPiece: TypeAlias = "Callable[[int, int, int], tuple[bytes, native.Extents]]"
WriteFiles: TypeAlias = "Callable[[int, Sequence[native.ToWrite], bytes], list[tuple[int, int]]]"


class Parcels:
    """Stands in for `native.Parcel`: reading n (from 0) in `root` takes nothing if n is in `failing`."""

    def __init__(self, root: Path, failing: Collection[int] = ()) -> None:
        self.calls = 0
        self._root = root
        self._failing = failing

    def __call__(self, room: int, most: int) -> native.Parcel:
        return _Parcel(room, most, self._read)

    def _read(
        self, real: Reading, folder: int, items: "list[native.Item]", first: int, old: int
    ) -> "native.ParcelRead":
        if not _is_in(self._root, folder):
            return real(folder, items, first, old)
        self.calls += 1
        if self.calls - 1 not in self._failing:
            return real(folder, items, first, old)
        end = first
        while end < len(items) and items[end][1] is items[first][1]:
            end += 1
        return end, list(range(first, end)), [], []


class _Parcel(native.Parcel):
    def __init__(self, room: int, most: int, read: "Callable[..., native.ParcelRead]") -> None:
        super().__init__(room, most)
        self._read = read

    def read(self, folder: int, items: "list[native.Item]", first: int, old: int, /) -> "native.ParcelRead":
        return self._read(super().read, folder, items, first, old)


def short_piece(
    lost: int, real: ReadPiece, handle: int, offset: int, length: int
) -> tuple[bytes, "native.Extents"]:
    """As if the file ended before its last `lost` bytes of the piece."""
    return real(handle, offset, max(length - lost, 0))


def short_pread(
    lost: int, real: Callable[[int, int, int], bytes], handle: int, length: int, offset: int
) -> bytes:
    return real(handle, length, offset)[:-lost]


def refusing(
    error: OSError, real: WriteFiles, folder: int, files: Sequence["native.ToWrite"], data: bytes
) -> list[tuple[int, int]]:
    """The last file does not find room; the others are written."""
    return [*real(folder, files[:-1], data), (error.errno or errno.EIO, WRITE)]
