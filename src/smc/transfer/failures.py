"""Failures that cross the wire: the peer's error is raised here as what it was there."""

import time
from collections.abc import Callable
from contextlib import suppress

from smc.base.errors import (
    Broken,
    SmcError,
    SourceReadError,
    TargetWriteError,
    Transient,
    WireError,
)
from smc.model.progress import Failure
from smc.transfer.pipeline import Crew
from smc.wire.channel import Channel
from smc.wire.messages import Failed

BLAMED = {
    "Source": SourceReadError,
    "Target": TargetWriteError,
    "Wire": WireError,
}  # by the code's first word
FAREWELL_SECONDS = 5.0  # for the peer to read why


class PeerFailed(Exception):
    """The peer said why it ends."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def part(
    channel: Channel, crew: Crew, error: BaseException, abort_streams: Callable[[], None]
) -> BaseException:
    """End the work of a connection after a failure, and tell the peer what it cannot know.

    Returns the error to raise: the one that began it, the peer's as it was there.
    """
    crew.fail(error)
    first = crew.failure or error
    if not isinstance(first, PeerFailed | Transient):
        with suppress(Exception):  # a farewell; another thread may still hear on the channel
            channel.send(Failed(describe(first)))
            _hear_out(channel)
    abort_streams()
    channel.abort()
    crew.end()
    return restore(first.failure) if isinstance(first, PeerFailed) else first


def _hear_out(channel: Channel) -> None:
    """A peer that is busy sending reads why before the connection goes."""
    deadline = time.monotonic() + FAREWELL_SECONDS
    while time.monotonic() < deadline:
        channel.receive(timeout=1.0)


def describe(error: BaseException) -> Failure:
    """Also of an error that nobody thought of."""
    if isinstance(error, SmcError):
        return Failure.of(error)
    return Failure(kind=Broken.__name__, code="InternalError", message=f"{type(error).__name__}: {error}")


def restore(failure: Failure) -> SmcError:
    """What is broken is blamed on the end that the code names."""
    error = failure.error()
    if not isinstance(error, Broken):
        return error
    blamed = BLAMED.get(failure.code.partition(".")[0], Broken)
    return blamed(failure.message, code=failure.code, hint=failure.hint)
