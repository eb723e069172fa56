"""The judge of equality: what rsync would still do, by content."""

from pathlib import Path

from benchmarks.peers import FIDELITY
from smc.base.run import run

JUDGE_SECONDS = 900.0


def differences(source: Path, target: Path, *, content: bool = True) -> list[str]:
    """Lines of rsync's own; none when the copy is equal. Without `content` size and time speak for it."""
    judged = ("--checksum",) if content else ()
    words = ("rsync", *FIDELITY, "-n", "-i", *judged, f"{source}/", f"{target}/")
    return run(*words, timeout=JUDGE_SECONDS).stdout.splitlines()
