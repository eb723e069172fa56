"""A sender that says what a test wants it to say, to a real receiver."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.wire.certificates import RunCa

from smc.base.errors import SmcError
from smc.transfer.writer import Received, TargetTree, receive
from smc.wire import messages as m
from smc.wire.channel import Channel, Listener, connect

CA = RunCa()
AGENT = CA.issue("agent")
RECEIVER = CA.issue("receiver")
ROOT = m.Entry(b"", m.Kind.FOLDER, 0o755, 0, 0, 0)
HELLO = m.Hello(m.PROTOCOL, (m.Tree("0_1"),))
SECONDS = 20.0


class Peer:
    """The far end of `channel`; `ended` is how the receiver ended."""

    def __init__(self, channel: Channel, thread: threading.Thread, ended: list[Received | SmcError]) -> None:
        self.channel = channel
        self._thread = thread
        self._ended = ended

    def say(self, message: m.Message, content: bytes = b"") -> None:
        self.channel.send(message, content)

    def hear(self) -> m.Message:
        received = self.channel.receive(SECONDS)
        assert received is not None
        return received[0]

    def begin(self) -> None:
        """Up to where listings are due."""
        self.say(HELLO)
        assert self.hear() == m.Welcome()
        self.say(m.Totals((m.Total(0, 0),)))
        self.say(m.PassBegin(1))
        self.say(m.TreeBegin(0, ROOT))

    def list(self, *folders: m.Folder, number: int = 0) -> m.Message:
        """The receiver's answer."""
        self.say(m.Listing(number, folders))
        return self.hear()

    def end(self) -> Received | SmcError:
        """Waits for the receiver, whose last word was heard."""
        self.channel.abort()
        self._thread.join(SECONDS)
        return self._ended[0]


@contextmanager
def hostile(root: Path) -> Iterator[Peer]:
    with Listener("127.0.0.1", 0, RECEIVER) as listener:
        ended: list[Received | SmcError] = []

        def serve() -> None:
            try:
                with listener.accept(SECONDS) as channel:
                    trees = [TargetTree("0_1", 0, 1, root)]
                    ended.append(receive(channel, trees, threading.Event(), lambda progress: None))
            except SmcError as e:
                ended.append(e)

        thread = threading.Thread(target=serve)
        thread.start()
        with connect("127.0.0.1", listener.port, AGENT) as channel:
            yield Peer(channel, thread, ended)
            channel.abort()
            thread.join(SECONDS)
