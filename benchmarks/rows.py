"""What is measured and what is asked of it: the table behind the benchmark of files."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.pair import PLAIN

PEERS = ("rsyncd", "ssh")
WHERE = ("tmpfs", "ext4")
RUNS = 5
EXT4_RUNS = 3  # the disk makes them long


@dataclass(frozen=True)
class Row:
    """`peers` to compare with, on each of `trees`; `settings` are ours; `ext4`: measured there as well."""

    trees: str
    peers: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    ext4: bool = False


ROWS = {
    "first": Row("ABC", PEERS, ext4=True),
    "first-ssl-off": Row("ABC", ("rsyncd",), PLAIN),
    "unchanged": Row("AC", PEERS),
    "changed-1pct-files": Row("AC", PEERS),
    "changed-1pct-of-one-file": Row("D", PEERS),
    "limited": Row("E", ("link",)),
}
FIRST = ("first", "first-ssl-off")
LATER = ("unchanged", "changed-1pct-files", "changed-1pct-of-one-file")

NEEDS = {  # how many times as fast as the peer; by row, tree and peer
    ("first", "A", "rsyncd"): 1.5,
    ("first", "C", "rsyncd"): 1.5,
    ("first", "B", "rsyncd"): 1.0,
    ("first-ssl-off", "B", "rsyncd"): 1.5,
    ("first", "A", "ssh"): 2.0,
    ("first", "B", "ssh"): 2.0,
    ("first", "C", "ssh"): 2.0,
    ("limited", "E", "link"): 0.95,
} | {
    (row, tree, peer): need
    for row, need in (("unchanged", 3.0), ("changed-1pct-files", 1.5), ("changed-1pct-of-one-file", 1.5))
    for tree in "ACD"
    for peer in PEERS
}


def need(row: str, tree: str, peer: str, where: str) -> float | None:
    """None: measured to be known. On ext4 both wait for the same disk, so nothing is asked there."""
    return NEEDS.get((row, tree, peer)) if where == "tmpfs" else None
