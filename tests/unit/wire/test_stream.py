"""Data streams: content arrives as it was sent, or the stream ends."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.ends import data, in_background

from smc.base.errors import SmcError, Transient, WireError
from smc.wire import messages as m
from smc.wire.stream import Opening, ReceivingStream, SendingStream

BOTH = pytest.mark.parametrize("secure", [True, False], ids=["TLS", "plain"])
CONTENT = os.urandom(m.PIECE)
FILL = 64 << 20  # bytes; more than the kernel holds for a peer that does not read


def piece(number: int) -> m.Piece:
    return m.Piece(0, 0, 0, number, m.PIECE, b"h" * 32)


def take(receiver: ReceivingStream) -> tuple[m.Message, bytes] | None:
    received = receiver.receive()
    return received and (received[0], bytes(received[1]))


@BOTH
def test_a_sender_sees_that_the_receiver_hung_up_without_sending(*, secure: bool) -> None:
    with data(secure=secure) as (sender, receiver):
        sender.send(m.Missing(0, 0))
        assert receiver.receive() is not None
        assert not sender.is_cut()
        receiver.abort()
        deadline = time.monotonic() + 10
        while not sender.is_cut():
            assert time.monotonic() < deadline
        sender.abort()
        sender.close()
        assert not sender.is_cut()  # it ended at this end


@contextmanager
def bare() -> Iterator[tuple[SendingStream, socket.socket, Opening]]:
    """A plain sender whose bytes come out at a socket."""
    opening = Opening.fresh(0)
    ours, theirs = socket.socketpair()
    with SendingStream(ours, opening, None) as sender, theirs:
        yield sender, theirs, opening


def recorded(*sizes: int) -> tuple[list[bytes], Opening]:
    """The frames of messages with content of these sizes, and the one that says that all was sent."""
    with bare() as (sender, line, opening):
        frames = []
        for number, size in enumerate(sizes):
            sender.send(piece(number), CONTENT[:size])
            frames.append(line.recv(1 << 20))
        sender.close()
        frames.append(line.recv(1 << 20))
    return frames, opening


def heard(wire: bytes, opening: Opening) -> Iterator[tuple[m.Message, bytes] | None]:
    """What a receiver makes of these bytes; ends as it does."""
    ours, theirs = socket.socketpair()
    with ReceivingStream(ours, opening, None) as receiver:
        with theirs:
            theirs.sendall(wire)
        while (received := take(receiver)) is not None:
            yield received
        yield None


@BOTH
@pytest.mark.parametrize("level", [None, 1], ids=["as it is", "compressed"])
def test_content_arrives_as_it_was_sent(secure: bool, level: int | None) -> None:
    text = b"all work and no play " * 50_000
    with data(secure=secure) as (sender, receiver):

        def send() -> None:
            for number in range(5):
                sender.send(piece(number), CONTENT, level)
                sender.send(m.Small(number, ()), [CONTENT, text, b"", CONTENT[:5]], level)
                sender.send(m.Whole(0, 0, 1, m.Sent(0, 0, b"")))
            sender.close()

        thread = in_background(send)
        for number in range(5):
            assert take(receiver) == (piece(number), CONTENT)
            assert take(receiver) == (m.Small(number, ()), CONTENT + text + CONTENT[:5])
            assert take(receiver) == (m.Whole(0, 0, 1, m.Sent(0, 0, b"")), b"")
        assert receiver.receive() is receiver.receive() is None
        thread.join(10)
        assert sender.sent_bytes == receiver.received_bytes > 5 * m.PIECE


def test_what_was_done_to_content_is_told() -> None:
    with bare() as (sender, line, _):
        reader = in_background(lambda: drain(line))
        sending = sender.send(piece(0), bytes(m.PIECE), 1)
        assert sending.plain == m.PIECE > 1000 > sending.wire > 0
        assert sending.compress_seconds > 0
        assert sending.send_seconds > 0
        sending = sender.send(piece(1), CONTENT, 1)
        assert sending.plain == sending.wire == m.PIECE
        sender.close()
        reader.join(10)


def drain(line: socket.socket) -> int:
    count = 0
    while more := line.recv(1 << 20):
        count += len(more)
    return count


@BOTH
def test_the_pace_is_told_of_every_byte_in_small_steps(secure: bool) -> None:
    steps: list[int] = []
    with data(secure=secure) as (sender, receiver):
        thread = in_background(receiver.receive)
        sender.pace = steps.append
        before = sender.sent_bytes
        sender.send(piece(0), CONTENT)
        thread.join(10)
        assert sum(steps) == sender.sent_bytes - before > m.PIECE
        assert max(steps) <= 64 * 1024


@BOTH
def test_the_pace_holds_the_stream_back(secure: bool) -> None:
    with data(secure=secure) as (sender, receiver):
        asked, go_on = threading.Semaphore(0), threading.Semaphore(0)

        def pace(_size: int, /) -> None:
            asked.release()
            go_on.acquire()

        sender.pace = pace
        thread = in_background(lambda: sender.send(piece(0), CONTENT[: 100 * 1024]))
        for allowed in range(3):
            assert asked.acquire(timeout=10)
            assert sender.sent_bytes <= (allowed + 1) * 64 * 1024
            go_on.release()
        thread.join(10)
        sender.pace = None
        assert take(receiver) == (piece(0), CONTENT[: 100 * 1024])


def test_a_pace_that_raises_leaves_no_half_frame_to_go_on_from() -> None:
    class StoppedError(Exception):
        pass

    def pace(_size: int, /) -> None:
        raise StoppedError

    with data(secure=False) as (sender, receiver):
        sender.pace = pace
        with pytest.raises(StoppedError):
            sender.send(piece(0), CONTENT)
        with pytest.raises(Transient):
            sender.send(piece(1))
        with pytest.raises(Transient):
            receiver.receive()


@BOTH
def test_abort_frees_a_sender_whose_peer_does_not_read(secure: bool) -> None:
    with data(secure=secure) as (sender, _):
        ended: list[SmcError] = []
        underway = threading.Event()

        def send() -> None:
            try:
                for number in range(FILL // m.PIECE):
                    sender.send(piece(number), CONTENT)
                    underway.set()
            except SmcError as e:
                ended.append(e)

        thread = in_background(send)
        assert underway.wait(10)
        sender.abort()
        thread.join(10)
        assert ended[0].code == "Wire.Cut"
        with pytest.raises(Transient):
            sender.send(piece(0))


@BOTH
def test_abort_frees_a_receiver_that_waits(secure: bool) -> None:
    with data(secure=secure) as (_, receiver):
        ended: list[SmcError] = []

        def wait() -> None:
            try:
                receiver.receive()
            except SmcError as e:
                ended.append(e)

        thread = in_background(wait)
        receiver.abort()
        thread.join(10)
        assert ended[0].code == "Wire.Cut"
        with pytest.raises(Transient):
            receiver.receive()


@BOTH
def test_a_receiver_that_goes_away_is_a_cut_line(secure: bool) -> None:
    with data(secure=secure) as (sender, receiver):
        receiver.close()
        with pytest.raises(Transient) as raised:
            for number in range(FILL // m.PIECE):
                sender.send(piece(number), CONTENT)
        assert raised.value.code == "Wire.Cut"


@BOTH
def test_an_end_without_a_goodbye_is_a_cut_line(secure: bool) -> None:
    with data(secure=secure) as (sender, receiver):
        sender.send(piece(0), b"content")
        sender.abort()
        assert take(receiver) == (piece(0), b"content")
        with pytest.raises(Transient) as raised:
            receiver.receive()
        assert raised.value.code == "Wire.Cut"


def test_a_sender_that_fails_says_no_goodbye() -> None:
    with data(secure=False) as (sender, receiver):
        with pytest.raises(ZeroDivisionError), sender:
            raise ZeroDivisionError
        with pytest.raises(Transient):
            receiver.receive()


FRAMES, OPENING = recorded(200, 300, 0)
WIRE = b"".join(FRAMES)
TRUE = [(piece(0), CONTENT[:200]), (piece(1), CONTENT[:300]), (piece(2), b""), None]


def test_what_was_recorded_is_heard_as_it_was() -> None:
    assert list(heard(WIRE, OPENING)) == TRUE


@settings(deadline=None)
@given(length=st.integers(0, len(WIRE) - 1))
def test_a_stream_that_is_cut_anywhere_is_a_cut_line(length: int) -> None:
    found = []
    with pytest.raises(Transient) as raised:
        for received in heard(WIRE[:length], OPENING):
            found.append(received)
    assert raised.value.code == "Wire.Cut"
    assert found == TRUE[: len(found)]


@settings(deadline=None)
@given(at=st.integers(0, len(WIRE) - 1), bit=st.integers(0, 7))
def test_a_twisted_bit_is_never_heard(at: int, bit: int) -> None:
    wire = bytearray(WIRE)
    wire[at] ^= 1 << bit
    found = []
    with pytest.raises((WireError, Transient)):
        for received in heard(bytes(wire), OPENING):
            found.append(received)
    assert found == TRUE[: len(found)]


@settings(deadline=None)
@given(order=st.lists(st.integers(0, 3), max_size=6))
def test_frames_in_another_order_are_heard_up_to_there(order: list[int]) -> None:
    found = []
    with suppress(WireError, Transient):
        for received in heard(b"".join(FRAMES[at] for at in order), OPENING):
            found.append(received)
    assert found == TRUE[: len(found)]


def test_frames_of_another_stream_are_not_trusted() -> None:
    again = Opening(OPENING.number + 1, os.urandom(32), OPENING.key)
    for opening in (Opening.fresh(0), again):
        with pytest.raises(WireError) as raised:
            next(heard(WIRE, opening))
        assert raised.value.code == "Wire.NotTrusted"


def test_content_belongs_to_messages_that_have_its_hash() -> None:
    with data(secure=False) as (sender, receiver):
        sender.send(m.PassEnd(1), b"content")
        with pytest.raises(WireError, match="content"):
            receiver.receive()


@settings(deadline=None, max_examples=30)
@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
def test_a_twisted_bit_under_tls_is_never_heard(at: int, bit: int) -> None:
    with data(secure=True) as (sender, receiver):
        assert sender._tls is not None
        wire = bytearray()
        for number in range(3):
            kind, head = m.encode_head(piece(number))
            wire += sender._tls.seal(*sender._encoder.encode(kind, head, CONTENT[:600]).buffers)
        wire[at % len(wire)] ^= 1 << bit
        sender._socket.sendall(wire)
        sender.abort()
        found = []
        with pytest.raises((WireError, Transient)):
            while (received := take(receiver)) is not None:
                found.append(received)
        assert found == [(piece(number), CONTENT[:600]) for number in range(len(found))]
        assert len(found) < 3
