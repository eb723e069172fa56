"""Two ext4 filesystems, a copy between them over a real channel, and rsync and fsck as judges."""

import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.wire.certificates import RunCa

from smc.base.errors import SmcError
from smc.transfer.dials import Dials
from smc.transfer.memory import Memory
from smc.transfer.sender import Quiet, Sent, SourceTree, send
from smc.transfer.tally import WriterProgress
from smc.transfer.writer import Received, TargetTree, receive
from smc.wire.channel import Channel
from smc.wire.listener import Listener
from smc.wire.orders import TransferSettings
from smc.wire.route import Route

CA = RunCa()
AGENT = CA.issue("agent")
RECEIVER = CA.issue("receiver")
SIZE = 256 << 20
DEFAULT = TransferSettings()
LET_GO_SECONDS = 10.0  # for a process that was killed, to let go of its files


@dataclass
class Ends:
    """One run: the trees of both ends, and the receiver's memory, which outlives its connections."""

    source: Path
    target: Path
    memory: Memory = field(default_factory=Memory)
    progress: list[WriterProgress] = field(default_factory=list)
    excludes: tuple[str, ...] = ()
    dials: Dials = field(default_factory=lambda: Dials(DEFAULT))
    quiet: Quiet | None = None
    channel: Channel | None = None  # of the connection that was made last

    def copy(
        self, settings: TransferSettings = DEFAULT, *, stop: threading.Event | None = None
    ) -> tuple[Sent, Received]:
        """Both ends over TLS on loopback; raises what the sender raises."""
        with Listener("127.0.0.1", 0, RECEIVER) as listener:
            received: list[Received | SmcError] = []
            end = threading.Thread(target=lambda: received.append(self.serve(listener)))
            end.start()
            try:
                sent = self.send(listener.port, settings, stop)
            finally:
                end.join(60)
        assert isinstance(received[0], Received), received
        return sent, received[0]

    def serve(self, listener: Listener) -> Received | SmcError:
        try:
            with listener.accept(10) as channel:
                return self.receive(channel, listener)
        except SmcError as e:
            return e

    def send(self, port: int, settings: TransferSettings, stop: threading.Event | None = None) -> Sent:
        """On one connection."""
        self.dials = Dials(settings)
        route = Route("127.0.0.1", port, AGENT)
        with route.connect() as channel:
            self.channel = channel
            return send(
                channel,
                route.open_stream,
                self.source_trees(),
                self.dials,
                stop or threading.Event(),
                print,
                quiet=self.quiet,
            )

    def receive(self, channel: Channel, listener: Listener) -> Received:
        trees = [TargetTree("0_1", 0, 1, self.target)]
        return receive(channel, listener, trees, threading.Event(), self.progress.append, self.memory)

    def source_trees(self) -> Sequence[SourceTree]:
        return [SourceTree("0_1", self.source, "/srv", self.excludes)]


def differences(source: Path, target: Path, *excludes: str) -> str:
    """What rsync would still do to make `target` equal to `source`."""
    words = ["rsync", "-aHAXSn", "--numeric-ids", "--checksum", "--delete", "-i"]
    words += [f"--exclude={pattern}" for pattern in excludes]
    return tool(*words, f"{source}/", f"{target}/")


def tool(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, errors="surrogateescape", check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def unmount(mount_point: Path) -> None:
    deadline = time.monotonic() + LET_GO_SECONDS
    while subprocess.run(["umount", mount_point], capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            tool("umount", mount_point)  # which says why
            return
        time.sleep(0.1)


@contextmanager
def ext4(image: Path, size: int = SIZE, *options: str) -> Iterator[Path]:
    """A mounted filesystem; clean by fsck when it is left."""
    with image.open("wb") as made:
        made.truncate(size)
    tool("mkfs.ext4", "-q", "-b", "4096", *options, image)
    mount_point = image.with_suffix(".mounted")
    mount_point.mkdir()
    tool("mount", "-o", "loop", image, mount_point)
    try:
        yield mount_point
    finally:
        unmount(mount_point)
        mount_point.rmdir()
    tool("fsck.ext4", "-fn", image)
