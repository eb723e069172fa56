"""Disks of files behind loop devices, with partition nodes like any other disk's."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def tool(*words: str | Path) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout
