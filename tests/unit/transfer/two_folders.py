"""Two folders of ordinary files, a copy between them in one process, and a comparison of our own."""

import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.transfer.faults import Fault, Line
from tests.unit.transfer.hostile import AGENT, RECEIVER

from smc.base.errors import SmcError
from smc.transfer.dials import Dials
from smc.transfer.files.temporary import PREFIX
from smc.transfer.memory import Memory
from smc.transfer.sender import OpenStream, Sent, SourceTree, send
from smc.transfer.writer import Received, TargetTree, WriterProgress, receive
from smc.wire.channel import Channel
from smc.wire.listener import Listener
from smc.wire.orders import TransferSettings
from smc.wire.route import Route

SECONDS = 20.0
Picture = dict[bytes, tuple[object, ...]]


@dataclass(frozen=True)
class Outcome:
    """How both ends ended: what they return, or the error of ours that they raise."""

    sent: Sent | SmcError
    received: Received | SmcError

    @property
    def is_right(self) -> bool:
        """Both are done, and their proofs are equal."""
        if not isinstance(self.sent, Sent) or not isinstance(self.received, Received):
            return False
        return [tree.hash for tree in self.sent.trees] == [
            hash for proof in self.received.proof for hash in {proof.sent, proof.written}
        ]


@dataclass
class TwoFolders:
    source: Path
    target: Path
    memory: Memory = field(default_factory=Memory)
    settings: TransferSettings = field(default_factory=TransferSettings)
    prepare: Callable[[Channel], None] = lambda channel: None  # of the receiver's channel
    excludes: tuple[str, ...] = ()
    opening: Callable[[Route], OpenStream] = lambda route: route.open_stream
    notes: list[str] = field(default_factory=list)  # of the receiver

    def copy(self, *faults: Fault) -> Outcome:
        """Once. `faults` are of the line; an exception that is not of ours fails the test."""
        received: list[Received | BaseException] = []
        sent: Sent | SmcError
        with Listener("127.0.0.1", 0, RECEIVER) as listener:
            end = threading.Thread(target=lambda: received.append(self._serve(listener)))
            end.start()
            try:
                with Line(listener.port, faults) as line:
                    sent = self._send(line.port)
            except SmcError as e:
                sent = e
                listener.close()  # nobody comes any more
            finally:
                end.join(SECONDS)
        assert not end.is_alive()
        result = received[0]
        assert isinstance(result, Received | SmcError), repr(result)
        return Outcome(sent, result)

    def _send(self, port: int) -> Sent:
        route = Route("127.0.0.1", port, AGENT)
        with route.connect() as channel:
            trees = [SourceTree("0_1", self.source, "/srv", self.excludes)]
            dials = Dials(self.settings)
            return send(channel, self.opening(route), trees, dials, threading.Event(), lambda note: None)

    def _hear(self, now: WriterProgress) -> None:
        self.notes.append(now.note)

    def _serve(self, listener: Listener) -> Received | BaseException:
        try:
            with listener.accept(SECONDS) as channel:
                self.prepare(channel)
                trees = [TargetTree("0_1", 0, 1, self.target)]
                return receive(channel, listener, trees, threading.Event(), self._hear, self.memory)
        except BaseException as e:  # noqa: BLE001 - what is no error of ours is a finding
            return e


def picture(root: Path) -> Picture:
    """All of a tree that a user can copy: kinds, modes, owners, times, contents, which names are one file."""
    found: Picture = {}
    first: dict[int, bytes] = {}
    for path in sorted(os.fsencode(path) for path in [root, *root.rglob("*")]):
        state = os.lstat(path)
        name = os.path.relpath(path, os.fsencode(root))
        content: object = None
        if stat.S_ISREG(state.st_mode):
            content = Path(os.fsdecode(path)).read_bytes()
        elif stat.S_ISLNK(state.st_mode):
            content = os.readlink(path)  # noqa: PTH115 - bytes
        one = first.setdefault(state.st_ino, name) if state.st_nlink > 1 and content is not None else name
        owner = state.st_uid, state.st_gid
        found[name] = (state.st_mode, owner, state.st_mtime_ns, content, one)
    return found


class Watcher:
    """Looks at the target while it is copied: under a final name is never anything but the old or the new."""

    def __init__(self, target: Path, allowed: Mapping[bytes, set[bytes]]) -> None:
        self.wrong: list[bytes] = []
        self.looks = 0
        self._target = os.fsencode(target)
        self._allowed = allowed
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._end.set()
        self._thread.join(SECONDS)
        self._look()
        assert not self.wrong

    def _watch(self) -> None:
        while not self._end.wait(0.001):
            self._look()

    def _look(self) -> None:
        self.looks += 1
        for folder, _, names in os.walk(self._target):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - bytes
                if name.startswith(PREFIX) or os.path.islink(path):  # noqa: PTH114 - bytes
                    continue
                try:
                    with open(path, "rb") as file:  # noqa: PTH123 - names are bytes
                        content = file.read()
                except FileNotFoundError:
                    continue
                if content not in self._allowed.get(os.path.relpath(path, self._target), ()):
                    self.wrong.append(path)


def allowed(*trees: Path) -> dict[bytes, set[bytes]]:
    """By path: the contents that the trees have."""
    found: dict[bytes, set[bytes]] = {}
    for tree in trees:
        for path, (_, _, _, content, _) in picture(tree).items():
            if isinstance(content, bytes):
                found.setdefault(path, set()).add(content)
    return found
