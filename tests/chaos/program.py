"""A center in a process of its own, as the chaos tests start it: to its end, or to a moment that kills it."""

import atexit
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    status: int
    said: str
    errors: str


@dataclass(frozen=True)
class Program:
    """A module of tests.chaos that goes on where the last process of its folder ended.

    `story` is the version of the story that it runs as, where it takes one.
    """

    module: str
    story: str = ""

    def killed(self, folder: Path, moment: str, *, story: str = "") -> None:
        """It gets as far as `moment` and no further."""
        ended = self._run(folder, story, moment)
        assert ended.status == -signal.SIGKILL, f"{moment}: {ended}"

    def finished(self, folder: Path, *, story: str = "", says: str = "finished") -> Sequence[str]:
        """It runs to its end. Returns the words that it prints; `says` is how they begin."""
        ended = self._run(folder, story, "")
        assert ended.status == 0, ended
        assert ended.said.startswith(says), ended
        return ended.said.split()

    def _run(self, folder: Path, story: str, moment: str) -> Ended:
        version = story or self.story
        words = [str(folder), *([version] if version else []), *moment.split()]
        said, errors = folder / "said", folder / "errors"
        start = json.dumps([self.module, words, str(said), str(errors)])
        forks = _forks()
        assert forks.stdin and forks.stdout
        forks.stdin.write(f"{start}\n")
        forks.stdin.flush()
        status = forks.stdout.readline()
        assert status, "tests.chaos.forks has ended"
        return Ended(int(status), said.read_text(), errors.read_text()[-2000:])


@cache
def _forks() -> "subprocess.Popen[str]":
    """One for all tests; it ends with them."""
    command = [sys.executable, "-m", "tests.chaos.forks"]
    started = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(started.communicate)
    return started


def left(folder: Path) -> dict[Kind, int]:
    """How many of each kind there are in the cloud of `folder`."""
    kinds = [resource.kind for resource in MemoryCloud(folder / "cloud.json").left]
    return {kind: kinds.count(kind) for kind in set(kinds)}
