"""A center in a process of its own, as the chaos tests start it: to its end, or to a moment that kills it."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smc.cloud.driver import Kind
from smc.cloud.memory import MemoryCloud

ROOT = Path(__file__).parents[2]
SECONDS = 120.0


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
        assert ended.returncode == -signal.SIGKILL, f"{moment}: {ended.stdout}{ended.stderr[-2000:]}"

    def finished(self, folder: Path, *, story: str = "", says: str = "finished") -> Sequence[str]:
        """It runs to its end. Returns the words that it prints; `says` is how they begin."""
        ended = self._run(folder, story, "")
        assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
        assert ended.stdout.startswith(says), ended.stdout + ended.stderr[-2000:]
        return ended.stdout.split()

    def _run(self, folder: Path, story: str, moment: str) -> "subprocess.CompletedProcess[str]":
        version = story or self.story
        words = [str(folder), *([version] if version else []), *moment.split()]
        command = [sys.executable, "-m", self.module, *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)


def left(folder: Path) -> dict[Kind, int]:
    """How many of each kind there are in the cloud of `folder`."""
    kinds = [resource.kind for resource in MemoryCloud(folder / "cloud.json").left]
    return {kind: kinds.count(kind) for kind in set(kinds)}
