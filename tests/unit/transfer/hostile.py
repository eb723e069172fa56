"""A sender that says what a test wants, on its control connection and its streams, to a real receiver."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.wire.certificates import RunCa

from smc.base.errors import SmcError, WireError
from smc.transfer import writer
from smc.transfer.memory import Memory
from smc.transfer.verify import hash_bytes
from smc.transfer.writer import Received, TargetTree, receive
from smc.wire import messages as m
from smc.wire.channel import Channel, connect
from smc.wire.listener import Listener
from smc.wire.stream import Opening, SendingStream, open_stream

CA = RunCa()
AGENT = CA.issue("agent")
RECEIVER = CA.issue("receiver")
HELLO = m.Hello(m.PROTOCOL, (m.Tree("0_1"),))
SECONDS = 10.0
UID, GID = os.getuid(), os.getgid()


def entry(name: bytes, kind: m.Kind = m.Kind.FILE, **fields: object) -> m.Entry:
    known = {"mode": 0o755, "uid": UID, "gid": GID, "mtime_ns": 0} | fields
    return m.Entry(name, kind, **known)  # type: ignore[arg-type] # fields are named by the tests


def digest(content: bytes) -> bytes:
    return hash_bytes(content)


def sent(content: bytes, index: int = 0, **fields: object) -> m.Sent:
    """Of a content of at most one piece."""
    known = {"size": len(content), "hash": digest(content)} | fields
    return m.Sent(index, **known)  # type: ignore[arg-type] # fields are named by the tests


def piece(content: bytes, number: int = 0, **fields: object) -> m.Piece:
    """Of the first file of listing 0, in its first attempt."""
    known = {"listing": 0, "index": 0, "attempt": 0, "size": len(content), "hash": digest(content)} | fields
    return m.Piece(number=number, **known)  # type: ignore[arg-type] # fields are named by the tests


class Peer:
    """The far end of `channel`; `ended` is how the receiver ended."""

    def __init__(
        self, channel: Channel, port: int, thread: threading.Thread, ended: list[Received | BaseException]
    ) -> None:
        self.channel = channel
        self.streams: list[SendingStream] = []
        self.welcome = m.Welcome((), ())
        self._port = port
        self._thread = thread
        self._ended = ended

    def say(self, message: m.Message) -> None:
        self.channel.send(message)

    def put(self, message: m.Message, content: bytes = b"", *, stream: int = 0) -> None:
        """On a data stream."""
        self.streams[stream].send(message, content)

    def hear(self) -> m.Message:
        received = self.channel.receive(SECONDS)
        assert received is not None
        return received

    def greet(self, hello: m.Hello = HELLO) -> None:
        """Up to where a pass is due."""
        self.say(hello)
        welcome = self.hear()
        assert isinstance(welcome, m.Welcome), welcome
        self.welcome = welcome
        for key in welcome.streams:
            self.streams.append(self.open(key, secure=hello.secure))

    def open(self, key: m.StreamKey, *, secure: bool = True) -> SendingStream:
        opening = Opening(key.number, key.token, key.key)
        return open_stream("127.0.0.1", self._port, AGENT, opening, secure=secure, proxy="")

    def begin(self, hello: m.Hello = HELLO) -> None:
        """Up to where listings are due."""
        self.greet(hello)
        self.say(m.Totals((m.Total(0, 0),)))
        self.say(m.PassBegin(1))

    def list(self, *folders: m.Folder, number: int = 0) -> m.Message:
        """The receiver's answer."""
        self.say(m.Listing(number, 0, folders))
        return self.hear()

    def end(self) -> Received | BaseException:
        """Waits for the receiver, whose last word was heard."""
        for stream in self.streams:
            stream.abort()
        self.channel.abort()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        return self._ended[0]

    def finish(self) -> Received:
        """The end of a pass and of all."""
        self.say(m.PassEnd(1))
        done = self.hear()
        assert isinstance(done, m.PassDone), done
        self.say(m.Finish((m.TreeProof(0, 0, b""),)))
        for stream in self.streams:
            stream.close()
        finished = self.hear()
        assert isinstance(finished, m.Finished), finished
        self._thread.join(SECONDS)
        received = self._ended[0]
        assert isinstance(received, Received), received
        return received


@contextmanager
def hostile(root: Path, memory: Memory | None = None, *, judged: bool = False) -> Iterator[Peer]:
    """`judged`: the proof that the peer sends at last is compared, which is not the matter of most tests."""
    with pytest.MonkeyPatch.context() as patch, Listener("127.0.0.1", 0, RECEIVER) as listener:
        if not judged:
            patch.setattr(writer, "compare_proofs", lambda sent, written: None)
        ended: list[Received | BaseException] = []

        def serve() -> None:
            try:
                with listener.accept(SECONDS) as channel:
                    trees = [TargetTree("0_1", 0, 1, root)]
                    ended.append(
                        receive(channel, listener, trees, threading.Event(), lambda progress: None, memory)
                    )
            except BaseException as e:  # noqa: BLE001 - what is no error of ours is a finding
                ended.append(e)

        thread = threading.Thread(target=serve)
        thread.start()
        with connect("127.0.0.1", listener.port, AGENT) as channel:
            peer = Peer(channel, listener.port, thread, ended)
            try:
                yield peer
            finally:
                for stream in peer.streams:
                    stream.abort()
                    stream.close()
                channel.abort()
                thread.join(SECONDS)
                assert not thread.is_alive()


def hear_why(peer: Peer) -> m.Failed:
    """What the receiver answers until it fails."""
    while not isinstance(message := peer.hear(), m.Failed):
        assert not isinstance(message, m.Finished)
    return message


def assert_refused(peer: Peer, root: Path, kind: type[SmcError] = WireError) -> SmcError:
    """The receiver says why, ends with it, and touched nothing outside of its tree."""
    hear_why(peer)
    ended = peer.end()
    assert isinstance(ended, kind), repr(ended)
    outside = root.parent / "outside"
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_text() == "precious"
    assert {path.name for path in root.parent.iterdir()} == {"target", "outside"}
    return ended
