"""Who gets in at the receiver's port, as what, and that nobody keeps others out."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from tests.unit.wire.certificates import RunCa
from tests.unit.wire.ends import AGENT, CA, HOST, RECEIVER, in_background

from smc.base.errors import Transient, WireError
from smc.wire import messages as m
from smc.wire.channel import connect
from smc.wire.listener import GREETED_AT_ONCE, Listener
from smc.wire.stream import Opening, open_stream
from smc.wire.tls import Identity

NOT_LONG = 0.05  # seconds; what is refused never comes, so more would prove no more


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(HOST, 0, RECEIVER) as opened:
        yield opened


def refusal(listener: Listener) -> str:
    """Why the last was turned away, as soon as one was."""
    for _ in range(100):
        with pytest.raises(Transient) as raised:
            listener.accept(0.1)
        assert raised.value.code == "Wire.NobodyCame"
        if "turned away" in raised.value.message:
            return raised.value.message
    raise AssertionError("nobody was turned away")


def is_hung_up(sock: socket.socket) -> bool:
    sock.settimeout(10)
    try:
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


OTHER = RunCa().issue("agent")
STRANGERS = {
    "of another CA": OTHER,
    "of another CA, trusting ours": Identity(CA.pem, OTHER.certificate, OTHER.key),
    "another role": CA.issue("receiver"),
    "no role": CA.issue("someone"),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_does_not_get_in(listener: Listener, stranger: Identity) -> None:
    with pytest.raises((WireError, Transient)), connect(HOST, listener.port, stranger) as channel:
        channel.receive(5)
    assert "turned away" in refusal(listener)


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_opens_no_stream_even_with_a_token(listener: Listener, stranger: Identity) -> None:
    opening = Opening.fresh(0)
    with listener.expect([opening], secure=True) as awaited:
        with (
            suppress(Transient, WireError),
            open_stream(HOST, listener.port, stranger, opening, secure=True) as stream,
        ):
            assert is_hung_up(stream._socket)
        assert "turned away" in refusal(listener)
        assert awaited.accept(0) is None


@pytest.mark.parametrize(
    "identity", [RunCa().issue("receiver"), CA.issue("agent")], ids=["another CA", "another role"]
)
def test_an_agent_does_not_talk_to_an_impostor(identity: Identity) -> None:
    with Listener(HOST, 0, identity) as listener:
        with pytest.raises(WireError) as raised:
            connect(HOST, listener.port, AGENT)
        assert raised.value.code == "Wire.NotTrusted"
        with pytest.raises(WireError) as raised:
            open_stream(HOST, listener.port, AGENT, Opening.fresh(0), secure=True)
        assert raised.value.code == "Wire.NotTrusted"


def test_a_client_without_a_certificate_and_a_plain_one_do_not_get_in(listener: Listener) -> None:
    with socket.create_connection((HOST, listener.port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert is_hung_up(plain)
    assert "began with" in refusal(listener)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((HOST, listener.port)) as bare,
        context.wrap_socket(bare) as tls,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        tls.settimeout(10)
        if not tls.recv(10):
            raise ConnectionError
    with connect(HOST, listener.port, AGENT), listener.accept(10):
        pass  # the port still serves


def test_an_older_tls_is_refused(listener: Listener) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((HOST, listener.port)) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock)
    assert "turned away" in refusal(listener)


def test_slow_strangers_do_not_delay_the_agent(listener: Listener) -> None:
    opening = Opening.fresh(0)
    with ExitStack() as stack, listener.expect([opening], secure=False) as awaited:
        for number in range(3 * GREETED_AT_ONCE):
            slow = stack.enter_context(socket.create_connection((HOST, listener.port)))
            slow.sendall((b"", b"\x16", b"\x16\x03\x01", b"SMCd")[number % 4])
        stack.enter_context(connect(HOST, listener.port, AGENT))
        stack.enter_context(listener.accept(5))
        stack.enter_context(open_stream(HOST, listener.port, AGENT, opening, secure=False))
        arrived = awaited.accept(5)
        assert arrived is not None
        stack.enter_context(arrived)


def test_who_never_says_who_he_is_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.wire.listener.HANDSHAKE_SECONDS", 0.1)
    with (
        Listener(HOST, 0, RECEIVER) as listener,
        socket.create_connection((HOST, listener.port)) as silent,
        socket.create_connection((HOST, listener.port)) as half,
    ):
        half.sendall(b"SMCd")
        assert is_hung_up(silent)
        assert is_hung_up(half)


def test_a_newer_control_connection_takes_the_place_of_one_that_waits(listener: Listener) -> None:
    assert not listener.newcomer.is_set()
    with connect(HOST, listener.port, AGENT) as first:
        assert listener.newcomer.wait(5)
        with connect(HOST, listener.port, AGENT) as second:
            with pytest.raises(Transient):
                first.receive(5)
            with listener.accept(5) as accepted:
                assert not listener.newcomer.is_set()
                second.send(m.PassEnd(2))
                assert accepted.receive(5) == m.PassEnd(2)


def test_streams_come_in_the_order_of_arrival_and_know_their_numbers(listener: Listener) -> None:
    openings = [Opening.fresh(number) for number in range(4)]
    with listener.expect(openings, secure=False) as awaited, ExitStack() as stack:
        for opening in reversed(openings):
            stack.enter_context(open_stream(HOST, listener.port, AGENT, opening, secure=False))
            arrived = awaited.accept(5)
            assert arrived is not None
            assert stack.enter_context(arrived).number == opening.number
        assert awaited.accept(0) is None


WAYS = pytest.mark.parametrize("secure", [True, False], ids=["TLS", "plain"])


def is_refused(listener: Listener, opening: Opening, *, secure: bool) -> str:
    with suppress(Transient), open_stream(HOST, listener.port, AGENT, opening, secure=secure) as stream:
        assert is_hung_up(stream._socket)
    return refusal(listener)


@WAYS
def test_a_token_opens_one_stream(listener: Listener, secure: bool) -> None:
    opening = Opening.fresh(0)
    with listener.expect([opening], secure=secure) as awaited:
        with open_stream(HOST, listener.port, AGENT, opening, secure=secure):
            arrived = awaited.accept(5)
            assert arrived is not None
            with arrived:
                assert "token" in is_refused(listener, opening, secure=secure)
        assert awaited.accept(NOT_LONG) is None


@WAYS
def test_an_unknown_token_opens_nothing(listener: Listener, secure: bool) -> None:
    known = Opening.fresh(0)
    with listener.expect([known], secure=secure) as awaited:
        for opening in (Opening.fresh(0), Opening(1, known.token, known.key)):
            assert "token" in is_refused(listener, opening, secure=secure)
        assert awaited.accept(NOT_LONG) is None


@WAYS
def test_a_stream_in_the_other_mode_is_refused(listener: Listener, secure: bool) -> None:
    opening = Opening.fresh(0)
    with listener.expect([opening], secure=secure) as awaited:
        assert "TLS" in is_refused(listener, opening, secure=not secure)
        assert awaited.accept(NOT_LONG) is None


@WAYS
def test_tokens_that_were_not_used_are_void_after_the_end(listener: Listener, secure: bool) -> None:
    opening = Opening.fresh(0)
    listener.expect([opening], secure=secure).close()
    assert "token" in is_refused(listener, opening, secure=secure)


def test_a_stream_of_another_version_is_refused(listener: Listener) -> None:
    opening = Opening.fresh(0)
    with (
        listener.expect([opening], secure=False) as awaited,
        socket.create_connection((HOST, listener.port)) as sock,
    ):
        sock.sendall(opening.to_bytes().replace(b"SMCd\x01", b"SMCd\x02"))
        assert is_hung_up(sock)
        assert "version 2" in refusal(listener)
        assert awaited.accept(0) is None


def test_what_came_but_was_not_accepted_is_cut_by_the_end() -> None:
    opening = Opening.fresh(0)
    with Listener(HOST, 0, RECEIVER) as listener:
        listener.expect([opening], secure=False)
        stream = open_stream(HOST, listener.port, AGENT, opening, secure=False)
        channel = connect(HOST, listener.port, AGENT)
        stranger = socket.create_connection((HOST, listener.port))
        assert listener.newcomer.wait(5)
    with stream, channel, stranger:
        assert is_hung_up(stream._socket)
        assert is_hung_up(stranger)
        with pytest.raises(Transient):
            channel.receive(5)


def test_the_end_frees_who_waits(listener: Listener) -> None:
    awaited = listener.expect([Opening.fresh(0)], secure=True)
    found: list[object] = []
    thread = in_background(lambda: found.append(awaited.accept(60)))
    listener.close()
    thread.join(10)
    assert found == [None]


def test_secrets_are_not_printed() -> None:
    opening = Opening(5, os.urandom(32), b"k" * 32)
    assert repr(opening) == "Opening(number=5)"


@pytest.mark.parametrize(
    "wrong", [(0, b"short", b"k" * 32), (0, b"t" * 32, b""), (1 << 16, b"t" * 32, b"k" * 32)]
)
def test_an_opening_of_a_wrong_shape_is_a_violation(wrong: tuple[int, bytes, bytes]) -> None:
    with pytest.raises(WireError, match="shape"):
        Opening(*wrong)
