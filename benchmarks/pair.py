"""Our two ends as two programs of their own, started before any clock and told what to copy."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.certificates import issue
from benchmarks.measure import Copy, Watch
from smc.base.errors import Broken

TOP = Path(__file__).resolve().parents[1]
COPY_SECONDS = 900.0
START_SECONDS = 30.0
PLAIN = {"ssl": "off"}  # of the settings: data streams without TLS


class End:
    """One of our programs; `prefix` is what goes before its words, such as `ip netns exec NAME`."""

    def __init__(self, role: str, identity: dict[str, str], prefix: Sequence[str]) -> None:
        self._role = role
        words = [*prefix, sys.executable, "-m", "benchmarks.ours", role]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=TOP, start_new_session=True
        )
        self._rest = b""
        self.pid = self._process.pid
        self.tell(identity)

    def tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as e:
            raise Broken(f"ours: the {self._role} has ended") from e

    def answer(self, timeout: float) -> dict[str, Any]:
        """The next line; `Broken` when it tells an error, or none comes in time."""
        assert self._process.stdout
        while b"\n" not in self._rest:
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                raise Broken(f"ours: the {self._role} said nothing for {timeout:g} s")
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                raise Broken(f"ours: the {self._role} has ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise Broken(f"ours: {found['error']}")
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()


class Pair:
    """Both ends. A copy that fails leaves them unusable, so the next gets new ones and no memory."""

    name = "ours"

    def __init__(self, agent: Sequence[str], receiver: Sequence[str], host: str, listen: str) -> None:
        self._prefixes = {"agent": agent, "receiver": receiver}
        self._host, self._listen = host, listen
        self._ends: dict[str, End] = {}

    def copy(
        self, source: Path, target: Path, *, fresh: bool, settings: dict[str, Any] | None = None
    ) -> Copy:
        """Make `target` equal to `source`; `fresh`: it is empty and the receiver remembers nothing of it.

        `settings` as in `wire/orders.py`, without those that have their default. Raises `Broken`.
        """
        try:
            return self._copy(source, target, fresh, settings or {})
        except BaseException:
            self.close()
            raise

    def _copy(self, source: Path, target: Path, fresh: bool, settings: dict[str, Any]) -> Copy:
        self._start()
        agent, receiver = self._ends["agent"], self._ends["receiver"]
        watches = Watch(agent.pid), Watch(receiver.pid)
        receiver.tell({"target": str(target), "fresh": fresh, "host": self._listen})
        port = receiver.answer(START_SECONDS)["port"]
        agent.tell({"source": str(source), "host": self._host, "port": port, "settings": settings})
        sent = agent.answer(COPY_SECONDS)
        receiver.answer(START_SECONDS)
        usages = [watch.usage() for watch in watches]
        return Copy(sent["seconds"], usages[0], usages[1], sent["wire"])

    def _start(self) -> None:
        if self._ends:
            return
        for role, identity in issue("agent", "receiver").items():
            self._ends[role] = End(role, identity, self._prefixes[role])
        for end in self._ends.values():
            end.answer(START_SECONDS)

    def close(self) -> None:
        for end in self._ends.values():
            end.close()
        self._ends.clear()


@contextmanager
def ours(
    *,
    agent: Sequence[str] = (),
    receiver: Sequence[str] = (),
    host: str = "127.0.0.1",
    listen: str = "127.0.0.1",
) -> Iterator[Pair]:
    """On loopback unless told otherwise."""
    pair = Pair(agent, receiver, host, listen)
    try:
        yield pair
    finally:
        pair.close()
