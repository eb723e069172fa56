"""Control connections over loopback: what arrives, and how they end."""

import socket
import time
from contextlib import suppress

import pytest
from tests.unit.wire.ends import AGENT, HOST, RECEIVER, in_background
from tests.unit.wire.ends import control as pair

from smc.base.errors import SmcError, Transient, WireError
from smc.wire import messages as m
from smc.wire.channel import Channel, connect
from smc.wire.frame import Encoder
from smc.wire.listener import Listener
from smc.wire.tls import Identity, Tls, context_of

LISTING = tuple(m.Entry(b"name %d" % number, m.Kind.FILE, 0o644, 0, 0, number) for number in range(5000))


def test_messages_go_both_ways_at_once() -> None:
    with pair() as (agent, receiver):
        greeting = agent.sent_bytes
        threads = [
            in_background(lambda: say(agent)),
            in_background(lambda: say(receiver)),
            in_background(lambda: check(receiver)),
        ]
        check(agent)
        for thread in threads:
            thread.join(20)
        assert agent.receive(0) is receiver.receive(0) is None
        assert agent.sent_bytes - greeting == receiver.received_bytes > 0
        assert receiver.sent_bytes == agent.received_bytes > 0


def say(channel: Channel) -> None:
    for number in range(20):
        channel.send(m.Listing(number, 0, (m.Folder(b"", LISTING),)))


def check(channel: Channel) -> None:
    for number in range(20):
        assert channel.receive(20) == m.Listing(number, 0, (m.Folder(b"", LISTING),))


def test_what_is_sent_is_told_to_the_pace() -> None:
    told: list[int] = []
    with pair() as (agent, _):
        before = agent.sent_bytes
        agent.pace = told.append
        agent.send(m.PassEnd(1))
        assert sum(told) == agent.sent_bytes - before > 0


def test_content_has_no_place_here() -> None:
    with pair() as (agent, receiver):
        kind, head = m.encode_head(m.Small(0, ()))
        agent._push(agent._tls.seal(*agent._encoder.encode(kind, head, b"content").buffers))
        with pytest.raises(WireError, match="content"):
            receiver.receive(5)


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
        sock.connect((HOST, listener.port))
        tls = Tls(context_of(AGENT, server=False), server=False)
        tls.shake_hands(sock, time.monotonic() + 10)
        sock.let_go(tls.seal(*Encoder().encode(*m.encode_head(m.PassEnd(1))).buffers))
        with listener.accept(10) as channel:
            assert channel.receive(5) == m.PassEnd(1)


def test_what_was_sent_before_a_close_still_arrives() -> None:
    with pair() as (agent, receiver):
        agent.send(m.PassEnd(1))
        agent.close()
        assert receiver.receive(5) == m.PassEnd(1)
        with pytest.raises(Transient, match="cut"):
            receiver.receive(5)


def test_a_cut_connection_is_transient_for_both() -> None:
    with pair() as (agent, receiver):
        agent.abort()
        with pytest.raises(Transient):
            receiver.receive(5)
        with pytest.raises(Transient):
            agent.send(m.Alive())
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
    with pair() as (agent, _), pytest.raises(Transient, match="no message"):
        agent.receive(10)


def test_a_peer_whose_bytes_make_no_message_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the length of a record was twisted: what comes then is taken for its rest."""
    monkeypatch.setattr("smc.wire.channel.SILENCE_SECONDS", 0.5)
    with pair() as (agent, receiver):
        record = bytearray(agent._tls.seal(*agent._encoder.encode(*m.encode_head(m.Alive())).buffers))
        record[3] ^= 0x10  # 4 KiB longer
        agent._push(bytes(record))
        ended: list[SmcError] = []
        thread = in_background(lambda: ended.append(failure_of(receiver)))
        for _ in range(100):
            if not thread.is_alive():
                break
            with suppress(Transient):
                agent.send(m.Alive())
            thread.join(0.05)
        thread.join(10)
        assert "no message" in ended[0].message


def failure_of(channel: Channel) -> SmcError:
    with pytest.raises(SmcError) as raised:
        channel.receive(20)
    return raised.value


def test_time_in_which_nobody_listens_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.wire.channel.SILENCE_SECONDS", 0.5)
    with pair() as (agent, receiver):
        assert receiver.receive(0) is None
        kind, head = m.encode_head(m.Listing(0, 0, (m.Folder(b"", LISTING),)))
        whole = agent._tls.seal(*agent._encoder.encode(kind, head).buffers)
        agent._push(whole[:5000])
        time.sleep(0.6)  # it is the time that is judged
        rest = in_background(lambda: agent._push(whole[5000:]))
        assert isinstance(receiver.receive(10), m.Listing)
        rest.join(10)


def test_a_channel_with_nothing_to_say_keeps_the_peer_at_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.wire.channel.PULSE_SECONDS", 0.05)
    monkeypatch.setattr("smc.wire.channel.TICK_SECONDS", 0.05)
    monkeypatch.setattr("smc.wire.channel.SILENCE_SECONDS", 0.5)
    with pair() as (agent, _):
        assert agent.receive(1.0) is None
        assert agent.received_bytes > 0  # all of it said that the receiver lives


def test_frames_that_break_the_protocol_are_violations() -> None:
    with pair() as (agent, receiver):
        agent._push(agent._tls.seal(b"this is no frame, but it is surely long enough"))
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
    with pair() as (agent, _):
        agent.close()
        with pytest.raises(Transient) as raised:
            agent.send(m.Alive())
    assert raised.value.code == "Wire.Cut"
