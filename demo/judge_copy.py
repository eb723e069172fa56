"""Before the first boot: the image's disks beside the living source, compared by rsync.

rsync is the judge here because we did not write it; the product does not use it.
"""

from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from demo.ssh import Shell

EXPECTED = Path(__file__).with_name("expected_differences.txt")
COMPARE_SECONDS = 1200.0
ONLY_TIME_OF_A_FOLDER = ".d..t......"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `rsync -i`: `what` its eleven letters, or `*deleting` for what only the copy has."""

    what: str
    path: str  # whole path on the source


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How many differences each reason explains, and those that none does."""

    reasons: dict[str, int]
    unexplained: tuple[Difference, ...]


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """The source's sshd as the judge's machine reaches it; `key` is a path there."""

    host: str
    port: int
    key: str


def compare(
    judge: Shell, source: Remote, *, mounted: str, original: str, mount_point: str
) -> list[Difference]:
    """Differences between `original` on the source and `mounted` on the judge, in either direction.

    `original` is a bind mount of the source's filesystem without what is mounted in it.
    """
    remote = (
        f"ssh -p {source.port} -i {source.key} -o StrictHostKeyChecking=no"
        " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    )
    printed = judge.run(
        f"rsync -aHAXSn --numeric-ids --checksum --delete -i -8 -e '{remote}'"
        f" root@{source.host}:{original}/ {mounted}/",
        timeout=COMPARE_SECONDS,
    )
    return [_parsed(line, mount_point) for line in printed.splitlines() if line.strip()]


def judge_differences(differences: list[Difference], named: set[str], moving: set[str]) -> Judgement:
    """`named` are the paths of the conversion report, `moving` those on the agent's own list."""
    known = [(path, "named by the conversion report") for path in named]
    known += [(path, "on the agent's list of what did not hold still") for path in moving]
    reasons = [_reason(difference, known, expected()) for difference in differences]
    return Judgement(
        reasons=dict(Counter(reason for reason in reasons if reason)),
        unexplained=tuple(d for d, reason in zip(differences, reasons, strict=True) if not reason),
    )


def named_by(report: Mapping[str, Any]) -> tuple[set[str], set[str]]:  # Any: JSON of model/report.py
    """Paths that the conversion report names, and those on the agent's list of what did not hold still."""
    return {change["path"] for change in report["changes"]}, {moved["path"] for moved in report["moving"]}


def expected() -> list[tuple[str, str]]:
    """The committed list: pattern and reason."""
    lines = [line for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#")]
    return [(pattern, reason) for pattern, _, reason in (line.partition("  ") for line in lines)]


def _reason(difference: Difference, known: list[tuple[str, str]], patterns: list[tuple[str, str]]) -> str:
    """The first that explains it; "" for none."""
    path = difference.path
    for name, reason in known:
        if path == name:
            return reason
    for pattern, reason in patterns:
        if fnmatchcase(path, pattern):
            return reason
    if difference.what == ONLY_TIME_OF_A_FOLDER and any(_holds(path, name) for name, _ in known + patterns):
        return "the time of a folder in which one of these lies"
    return ""


def _holds(folder: str, path: str) -> bool:
    return str(PurePosixPath(path).parent) == folder


def _parsed(line: str, mount_point: str) -> Difference:
    what, _, name = line.partition(" ")
    name = name.strip(" ").split(" -> ")[0].split(" => ")[0]
    return Difference(what=what, path=str(PurePosixPath(mount_point) / name))
