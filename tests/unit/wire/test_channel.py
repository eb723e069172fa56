"""Channels over loopback: who gets in, what arrives, and how they end."""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from tests.unit.wire.certificates import RunCa

from smc.base.errors import SmcError, Transient, WireError
from smc.wire import messages as m
from smc.wire.channel import Channel, Identity, Listener, _context, _Tls, connect
from smc.wire.frame import Encoder

CA = RunCa()
AGENT = CA.issue("agent")
RECEIVER = CA.issue("receiver")
HOST = "127.0.0.1"


@contextmanager
def pair() -> Iterator[tuple[Channel, Channel]]:
    """The agent's end and the receiver's."""
    with Listener(HOST, 0, RECEIVER) as listener:
        accepted: list[Channel] = []
        thread = threading.Thread(target=lambda: accepted.append(listener.accept(10)))
        thread.start()
        agent = connect(HOST, listener.port, AGENT)
        thread.join(10)
        with agent, accepted[0] as receiver:
            yield agent, receiver


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_messages_go_both_ways_at_once() -> None:
    content = os.urandom(m.PIECE)
    with pair() as (agent, receiver):
        agent.compress_at(1)

        threads = [
            in_background(lambda: say(agent, content)),
            in_background(lambda: say(receiver, content)),
            in_background(lambda: check(receiver, content)),
        ]
        check(agent, content)
        for thread in threads:
            thread.join(20)
        assert agent.sent_bytes == receiver.received_bytes > 20 * m.PIECE
        assert receiver.sent_bytes == agent.received_bytes


def say(channel: Channel, content: bytes) -> None:
    for number in range(20):
        channel.send(m.Piece(number, 0, 0, m.PIECE), content)


def check(channel: Channel, content: bytes) -> None:
    for number in range(20):
        received = channel.receive(20)
        assert received is not None
        assert received[0] == m.Piece(number, 0, 0, m.PIECE)
        assert received[1] == content


def test_receive_gives_nothing_when_nothing_comes() -> None:
    with pair() as (agent, _):
        assert agent.receive(0.05) is None


class Late(socket.socket):
    """Holds back what is sent until something is received."""

    held = b""

    def sendall(self, data: bytes, flags: int = 0, /) -> None:  # type: ignore[override] # bytes are all that come
        self.held += data

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.let_go()
        return super().recv(size, flags)

    def let_go(self, more: bytes = b"") -> None:
        data, self.held = self.held + more, b""
        super().sendall(data)


def test_what_comes_with_the_end_of_the_handshake_is_not_left_waiting() -> None:
    with Listener(HOST, 0, RECEIVER) as listener, Late() as sock:
        accepted: list[Channel] = []
        thread = in_background(lambda: accepted.append(listener.accept(10)))
        sock.connect((HOST, listener.port))
        tls = _Tls(_context(AGENT, server=False), server=False)
        tls.shake_hands(sock)
        sock.let_go(tls.seal(*Encoder().encode(*m.encode(m.PassBegin(1)))))
        thread.join(10)
        with accepted[0] as channel:
            assert channel.receive(5) is not None


def test_what_was_sent_before_a_close_still_arrives() -> None:
    with pair() as (agent, receiver):
        agent.send(m.PassBegin(1))
        agent.close()
        received = receiver.receive(5)
        assert received is not None
        assert received[0] == m.PassBegin(1)
        with pytest.raises(Transient, match="cut"):
            receiver.receive(5)


def test_a_cut_connection_is_transient_for_both() -> None:
    with pair() as (agent, receiver):
        agent.abort()
        with pytest.raises(Transient):
            receiver.receive(5)
        with pytest.raises(Transient):
            agent.send(m.Alive(), b"")
        with pytest.raises(Transient):
            agent.receive(5)


def test_abort_frees_a_thread_that_waits() -> None:
    with pair() as (agent, _):
        ended: list[SmcError] = []

        def wait() -> None:
            try:
                agent.receive()
            except SmcError as e:
                ended.append(e)

        thread = in_background(wait)
        agent.abort()
        thread.join(10)
        assert isinstance(ended[0], Transient)


def test_a_peer_that_says_nothing_at_all_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.wire.channel.SILENCE_SECONDS", 0.0)
    with pair() as (agent, _), pytest.raises(Transient, match="nothing was heard"):
        agent.receive(10)


def test_a_channel_with_nothing_to_say_keeps_the_peer_at_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.wire.channel.PULSE_SECONDS", 0.05)
    monkeypatch.setattr("smc.wire.channel.TICK_SECONDS", 0.05)
    monkeypatch.setattr("smc.wire.channel.SILENCE_SECONDS", 0.5)
    with pair() as (agent, _):
        assert agent.receive(1.0) is None
        assert agent.received_bytes > 0


OTHER = RunCa().issue("agent")
STRANGERS = {
    "of another CA": OTHER,
    "of another CA, trusting ours": Identity(CA.pem, OTHER.certificate, OTHER.key),
    "another role": CA.issue("receiver"),
    "no role": CA.issue("someone"),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_does_not_get_in(stranger: Identity) -> None:
    with Listener(HOST, 0, RECEIVER) as listener:
        refused: list[SmcError] = []

        def listen() -> None:
            try:
                listener.accept(0.7).close()
            except SmcError as e:
                refused.append(e)

        thread = in_background(listen)
        with pytest.raises((WireError, Transient)), connect(HOST, listener.port, stranger) as channel:
            channel.receive(5)
        thread.join(10)
    assert refused[0].code == "Wire.NobodyCame"
    assert "turned away" in refused[0].message


@pytest.mark.parametrize(
    "identity", [RunCa().issue("receiver"), CA.issue("agent")], ids=["another CA", "another role"]
)
def test_an_agent_does_not_talk_to_an_impostor(identity: Identity) -> None:
    with Listener(HOST, 0, identity) as listener:
        thread = in_background(lambda: let_in(listener))
        with pytest.raises(WireError) as raised:
            connect(HOST, listener.port, AGENT)
        thread.join(10)
    assert raised.value.code == "Wire.NotTrusted"


def test_a_client_without_a_certificate_and_a_plain_one_do_not_get_in() -> None:
    with Listener(HOST, 0, RECEIVER) as listener:
        accepted: list[Channel] = []
        thread = in_background(lambda: accepted.append(listener.accept(10)))
        with socket.create_connection((HOST, listener.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(10)
            assert plain.recv(100) is not None
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
        agent = connect(HOST, listener.port, AGENT)  # the port still serves
        thread.join(10)
        agent.close()
        accepted[0].close()


def let_in(listener: Listener) -> None:
    """Whoever comes; that nobody does is no failure here."""
    with suppress(SmcError):
        listener.accept(1.0).close()


def test_an_older_tls_is_refused() -> None:
    with Listener(HOST, 0, RECEIVER) as listener:
        thread = in_background(lambda: let_in(listener))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection((HOST, listener.port)) as sock, pytest.raises(ssl.SSLError):
            context.wrap_socket(sock)
        thread.join(10)


def test_frames_that_break_the_protocol_are_violations() -> None:
    with pair() as (agent, receiver):
        agent._push(agent._tls.seal(b"this is no frame, but long enough"))
        with pytest.raises(WireError):
            receiver.receive(5)


def test_nobody_there_is_transient() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Transient):
        connect(HOST, port, AGENT, timeout=2)


def test_certificates_that_do_not_load_are_named() -> None:
    with pytest.raises(WireError, match="certificates"):
        connect(HOST, 1, Identity("no PEM", AGENT.certificate, AGENT.key))


def test_a_key_is_not_printed() -> None:
    assert "PRIVATE" not in repr(AGENT)


def test_sending_after_the_goodbye_is_a_cut_line() -> None:
    with Listener(HOST, 0, RECEIVER) as listener:
        thread = in_background(lambda: let_in(listener))
        with connect(HOST, listener.port, AGENT) as channel:
            channel.close()
            with pytest.raises(Transient) as raised:
                channel.send(m.Alive())
        thread.join(10)
    assert raised.value.code == "Wire.Cut"
