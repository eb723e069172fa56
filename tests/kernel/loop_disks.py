"""Disks of files behind loop devices, with partition nodes like any other disk's."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODES_SECONDS = 20.0


@contextmanager
def loop_disk(file: Path, size: int) -> Iterator[Path]:
    """A sparse disk of `size` bytes; its device node."""
    with file.open("ab") as made:
        made.truncate(size)
    device = Path(tool("losetup", "--find", "--show", file).strip())
    try:
        yield device
    finally:
        subprocess.run(
            ["partx", "--delete", device], capture_output=True, check=False
        )  # fails when it has none
        tool("losetup", "--detach", device)


def show_partitions(device: Path, count: int) -> None:
    """Nodes are made, and those of an earlier disk taken away, a moment after the kernel was told."""
    nodes = [Path(f"{device}p{number}") for number in range(1, count + 1)]
    end = time.monotonic() + NODES_SECONDS
    while True:
        subprocess.run(["partx", "--update", device], capture_output=True, check=False)
        time.sleep(0.1)
        if all(node.is_block_device() and Path("/sys/class/block", node.name).exists() for node in nodes):
            return
        assert time.monotonic() < end, f"{nodes} did not appear"


def tool(*words: str | Path) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout
