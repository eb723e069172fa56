"""A link of a known speed: two network namespaces, a veth pair between them, a token bucket at each end."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from smc.base.run import run

RATE_MBIT = 100
BUCKET = (
    "burst",
    "32kb",
    "latency",
    "50ms",
)  # of tbf: a few packets at once, and the queue of a usual router
AGENT, RECEIVER = "192.0.2.1", "192.0.2.2"  # of documentation's range (RFC 5737): nobody else's


@dataclass(frozen=True)
class Link:
    """`agent` and `receiver` go before the words of a program that shall run at that end."""

    agent: Sequence[str]
    receiver: Sequence[str]
    host: str = RECEIVER

    def sent_bytes(self) -> int:
        """What left the agent's end so far: whole Ethernet frames."""
        counter = "/sys/class/net/line/statistics/tx_bytes"
        return int(run(*self.agent, "cat", counter, timeout=10).stdout)


@contextmanager
def limited() -> Iterator[Link]:
    """Names carry this process's number, so that two benchmarks do not meet."""
    names = [f"smc-bench-{os.getpid()}-{end}" for end in ("a", "b")]
    try:
        for name in names:
            _ip("netns", "add", name)
        _ip(
            "link",
            "add",
            "line",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            "line",
            "netns",
            names[1],
        )
        for name, address in zip(names, (AGENT, RECEIVER), strict=True):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "line")
            _ip("-n", name, "link", "set", "line", "up")
            run(
                *("tc", "-n", name, "qdisc", "add", "dev", "line", "root", "tbf", "rate", f"{RATE_MBIT}mbit"),
                *BUCKET,
                timeout=10,
            )
        yield Link(agent=("ip", "netns", "exec", names[0]), receiver=("ip", "netns", "exec", names[1]))
    finally:
        for name in names:
            run("ip", "netns", "delete", name, timeout=10, ok=(0, 1))  # 1: it was not made


def _ip(*words: str) -> None:
    run("ip", *words, timeout=10)
