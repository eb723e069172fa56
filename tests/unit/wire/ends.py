"""Both ends of what goes between agent and receiver, over loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.unit.wire.certificates import RunCa

from smc.wire.channel import Channel, connect
from smc.wire.listener import Listener
from smc.wire.stream import Opening, ReceivingStream, SendingStream, open_stream

CA = RunCa()
AGENT = CA.issue("agent")
RECEIVER = CA.issue("receiver")
HOST = "127.0.0.1"


@contextmanager
def control() -> Iterator[tuple[Channel, Channel]]:
    """The agent's end and the receiver's."""
    with Listener(HOST, 0, RECEIVER) as listener:
        agent = connect(HOST, listener.port, AGENT)
        with agent, listener.accept(10) as receiver:
            yield agent, receiver


@contextmanager
def data(*, secure: bool) -> Iterator[tuple[SendingStream, ReceivingStream]]:
    """A data stream's two ends."""
    opening = Opening.fresh(3)
    with (
        Listener(HOST, 0, RECEIVER) as listener,
        listener.expect([opening], secure=secure) as awaited,
        open_stream(HOST, listener.port, AGENT, opening, secure=secure) as sender,
    ):
        receiver = awaited.accept(10)
        assert receiver is not None
        with receiver:
            yield sender, receiver


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread
