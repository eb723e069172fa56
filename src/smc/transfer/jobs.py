"""The work that waits for a stream, and what a stream's thread works with."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from smc.transfer import native
from smc.transfer.compression import Compression
from smc.transfer.files.folders import Folders
from smc.transfer.ledger import Ledger
from smc.transfer.pace import Pace
from smc.transfer.pipeline import TICK_SECONDS
from smc.transfer.troubles import Troubles
from smc.wire import messages as m
from smc.wire.frame import Content
from smc.wire.stream import SendingStream


class Job(Protocol):
    """Some contents to be sent on one stream."""

    def work(self, desk: "Desk") -> None: ...


class Settled(Protocol):
    """Is told of each file once: as it was sent, or by its index, that it is missing."""

    def __call__(self, ledger: Ledger, sent: Sequence[m.Sent], missing: Sequence[int] = (), /) -> None: ...


class Opened(Protocol):
    """What holds a file open between two streams' turns."""

    def close(self) -> None: ...


class Jobs:
    """Handed out in order; waits end with the crew's work. How many there can be is the listings' matter."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._jobs: deque[Job] = deque()
        self._opened: set[Opened] = set()
        self._ended = False
        self._changed = threading.Condition()

    def put(self, job: Job, *, first: bool = False) -> None:
        """`first`: before all others, because it has begun."""
        with self._changed:
            if first:
                self._jobs.appendleft(job)
            else:
                self._jobs.append(job)
            self._changed.notify()

    def get(self) -> Job | None:
        """None when there will be no more."""
        with self._changed:
            while not self._jobs:
                if self._ended:
                    return None
                self._check()
                self._changed.wait(TICK_SECONDS)
            self._check()
            return self._jobs.popleft()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def opened(self, job: Opened) -> None:
        self._opened.add(job)

    def closed(self, job: Opened) -> None:
        self._opened.discard(job)

    def close(self) -> None:
        """Let go of the files of jobs that did not end; no stream is at work any more."""
        while self._opened:
            self._opened.pop().close()


@dataclass(frozen=True)
class Desk:
    """Of one stream's thread, as `folders` and `parcel` are."""

    stream: SendingStream
    folders: Sequence[Folders]
    parcel: native.Parcel
    jobs: Jobs
    compression: Compression
    troubles: Callable[[], Troubles]
    settled: Settled
    check: Callable[[], None]
    pace: Callable[[], Pace | None]  # None while there is no limit

    def send(self, message: m.Message, content: Content = b"") -> None:
        self.check()
        self.stream.pace = self.pace()
        sending = self.stream.send(message, content, self.compression.level())
        self.compression.saw(sending)

    def same(self, ledger: Ledger, sent: m.Sent) -> None:
        self.send(m.Same(ledger.number, sent))
        self.settled(ledger, (sent,))

    def miss(
        self, ledger: Ledger, index: int, path: bytes, error: OSError | None, *, pieces: int = 0
    ) -> None:
        """`error` None: what is there is no regular file any more. `pieces` were sent before."""
        self.send(m.Missing(ledger.number, index, pieces))
        self.troubles().missed(ledger.tree, path, error)
        self.settled(ledger, (), (index,))
