"""What a job's parameters do to a copy that runs, judged at the wire and by rsync."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.kernel.copying import AGENT, RECEIVER, Ends, differences

from smc.base.errors import Transient, WireError
from smc.model.report import Equality
from smc.transfer.sender import send
from smc.wire.listener import Listener
from smc.wire.orders import Ssl, TransferSettings
from smc.wire.route import Route
from smc.wire.stream import Opening, SendingStream

pytestmark = pytest.mark.kernel

MIB = 1 << 20
MBIT = 125_000


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Tap:
    """What goes over loopback to the receiver's port, counted and kept as it passes."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.sent = 0
        self.seen = bytearray()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._open)

    def _open(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                self._start(self._pass, near, far, True)
                self._start(self._pass, far, near, False)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pass(self, one: socket.socket, other: socket.socket, outwards: bool) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                if outwards:
                    self.sent += len(data)
                    if len(self.seen) < 8 * MIB:
                        self.seen += data
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in (self._door, *self._ends):
            end.close()


def copy_through_a_tap(
    ends: Ends, settings: TransferSettings, meanwhile: Callable[[Tap], None] = lambda tap: None
) -> Tap:
    with Listener("127.0.0.1", 0, RECEIVER) as listener:
        tap = Tap(listener.port)
        answers: list[object] = []
        serving = threading.Thread(target=lambda: answers.append(ends.serve(listener)))
        serving.start()
        failures: list[BaseException] = []

        def run() -> None:
            try:
                ends.send(tap.port, settings)
            except BaseException as e:  # noqa: BLE001 - raised in the test's thread
                failures.append(e)

        sending = threading.Thread(target=run)
        sending.start()
        try:
            meanwhile(tap)
        finally:
            sending.join(120)
            serving.join(60)
            tap.close()
    assert not failures, failures
    return tap


def test_the_limit_holds_and_a_new_one_takes_effect_within_two_seconds(ends: Ends) -> None:
    (ends.source / "noise").write_bytes(os.urandom(60 * MIB))
    rates: list[float] = []

    def measure(tap: Tap) -> None:
        wait_for(lambda: tap.sent > MIB // 2)
        rates.append(rate(tap, 4.0))
        ends.dials.turn(TransferSettings(bandwidth_limit_mbit=80))
        time.sleep(1.0)  # less than the two seconds that are allowed
        rates.append(rate(tap, 3.0))
        ends.dials.turn(TransferSettings())

    copy_through_a_tap(ends, TransferSettings(bandwidth_limit_mbit=20), measure)
    assert rates[0] == pytest.approx(20 * MBIT, rel=0.05)
    assert rates[1] == pytest.approx(80 * MBIT, rel=0.05)
    assert differences(ends.source, ends.target) == ""


def rate(tap: Tap, seconds: float) -> float:
    """Bytes a second on the wire, over about so many seconds."""
    began, before = time.monotonic(), tap.sent
    time.sleep(seconds)
    return (tap.sent - before) / (time.monotonic() - began)


def test_a_level_can_be_changed_while_it_runs(ends: Ends) -> None:
    (ends.source / "text").write_bytes(b"the same line again and again\n" * (2 * MIB))

    def turn(tap: Tap) -> None:
        wait_for(lambda: tap.sent > MIB)
        ends.dials.turn(TransferSettings(bandwidth_limit_mbit=50, compress_level=7))

    tap = copy_through_a_tap(ends, TransferSettings(bandwidth_limit_mbit=50, compress_level=0), turn)
    assert tap.sent < 10 * MIB  # of 60
    assert differences(ends.source, ends.target) == ""


SECRET = b"a sentence that nobody on the way may read, and that no compressor gets small 0123456789 "


@pytest.mark.parametrize("mode", Ssl)
def test_contents_can_be_read_on_the_way_only_without_ssl(ends: Ends, mode: Ssl) -> None:
    (ends.source / "secret").write_bytes(SECRET * 20)
    tap = copy_through_a_tap(ends, TransferSettings(ssl=mode, compress_level=0))
    assert (SECRET in tap.seen) is (mode is Ssl.OFF)
    assert b"secret" not in tap.seen.replace(SECRET, b"")  # names go over the control connection
    assert differences(ends.source, ends.target) == ""


@pytest.mark.parametrize("checksum", [False, True])
def test_the_proof_says_how_equality_is_known(ends: Ends, *, checksum: bool) -> None:
    (ends.source / "file").write_bytes(b"content")
    _, received = ends.copy(TransferSettings(checksum=checksum))
    assert received.proof[0].by is (Equality.REREAD if checksum else Equality.TRANSFERRED)


@pytest.mark.parametrize("secure", [True, False])
def test_a_stream_without_its_token_is_refused_and_the_copy_ends(ends: Ends, *, secure: bool) -> None:
    """In every mode: a stranger who reaches the port brings nothing in."""
    (ends.source / "file").write_bytes(b"content")
    settings = TransferSettings(ssl=Ssl.ON if secure else Ssl.OFF)
    with Listener("127.0.0.1", 0, RECEIVER) as listener:
        route = Route("127.0.0.1", listener.port, AGENT)
        serving = threading.Thread(target=ends.serve, args=(listener,))
        serving.start()

        def forge(opening: Opening, secure: bool) -> SendingStream:
            return route.open_stream(Opening.fresh(opening.number), secure)

        ends.dials.turn(settings)
        stop = threading.Event()
        threading.Timer(3.0, stop.set).start()
        with route.connect() as channel, pytest.raises((Transient, WireError)):
            send(channel, forge, ends.source_trees(), ends.dials, stop, print)
        serving.join(90)
    assert not (ends.target / "file").exists()
