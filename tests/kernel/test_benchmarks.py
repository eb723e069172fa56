"""The benchmark of files runs, tells the truth about equality, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel
TOP = Path(__file__).parents[2]
TINY = ("--trees", "A", "--peers", "rsyncd", "--runs", "1", "--scale", "0.005")


def start(into: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.files", *TINY, "--into", str(into), *words]
    return subprocess.Popen(
        command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def leftovers(pid: int) -> list[str]:
    """What a benchmark with this pid would have made."""
    name = f"smc-bench-{pid}"
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line]
    folders = [
        str(path) for path in (Path("/dev/shm") / name, TOP / f"build/bench/{name}.img") if path.exists()
    ]
    return mounts + folders + programs(name)


def programs(word: str) -> list[str]:
    """Command lines with `word` in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # ended meanwhile
            continue
        if word in line and str(os.getpid()) != path.parent.name:
            found.append(line)
    return found


def test_a_small_run_gives_rows_of_equal_copies(tmp_path: Path) -> None:
    rows = ("--rows", "first,unchanged,changed-1pct-files")
    process = start(tmp_path / "files.json", *rows)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    found = json.loads((tmp_path / "files.json").read_text())
    assert [(row["row"], row["where"]) for row in found] == [
        ("first", "tmpfs"),
        ("unchanged", "tmpfs"),
        ("changed-1pct-files", "tmpfs"),
        ("first", "ext4"),
    ]
    for row in found:
        assert row["equal"], said
        assert row["ours_s"] > 0 < row["peer_s"]
        assert row["ours_rss_mib"] > 10
        assert row["alternating"]
    assert leftovers(process.pid) == []


def test_a_run_that_is_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start(
        tmp_path / "files.json", "--rows", "first", "--where", "ext4", "--without", "ours", "--runs", "999"
    )
    limit = time.monotonic() + 120
    while not (tmp_path / "files.json").exists():
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.05)
    assert leftovers(process.pid) != []
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert leftovers(process.pid) == []
