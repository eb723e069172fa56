"""The one-file agent on a machine that has nothing: imported by the one line, beating, sending, aborted."""

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.bare_root import Inside, entered, unpack
from tests.kernel.loop_disks import loop_disk, tool
from tests.unit.agent.fake_center import Authority, FakeCenter, serving

from smc.agent.version import VERSION
from smc.base.errors import SmcError
from smc.base.units import GIB, MIB
from smc.model.disk import Role
from smc.model.plan import Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware
from smc.model.traces import AGENT_RUNTIMES, AGENT_TRACES
from smc.transfer.writer import TargetTree, receive
from smc.wire.listener import Listener
from smc.wire.oneliner import linux_command
from smc.wire.orders import EventKind, Order
from smc.wire.tls import Identity
from smc.wire.trust import Key

pytestmark = pytest.mark.kernel

BUILD = Path(__file__).parents[2] / "packaging/agent/build.py"


@pytest.fixture(scope="module")
def agent_file() -> Path:
    done = subprocess.run([sys.executable, BUILD], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Inside]:
    """A root filesystem on a disk of its own, and a second one at /srv/data."""
    root = tmp_path / "root"
    root.mkdir()
    with (
        loop_disk(tmp_path / "system.img", GIB) as system,
        loop_disk(tmp_path / "data.img", 64 * MIB) as data,
        _mounted(system, root),
    ):
        unpack(root)
        (root / "srv/data").mkdir(parents=True)
        (root / "srv/data/hidden").write_text("below the mount point")
        with _mounted(data, root / "srv/data"):
            (root / "srv/data/seen").write_text("on the data disk")
            with entered(root) as inside:
                yield inside


@pytest.fixture
def center(tmp_path: Path, agent_file: Path) -> Iterator[FakeCenter]:
    with serving(tmp_path) as running:
        running.agent_file = agent_file.read_bytes()
        yield running


def test_it_runs_without_python_and_where_tmp_is_noexec(source: Inside, agent_file: Path) -> None:
    assert not list(source.root.rglob("bin/python3*"))
    place = source.root / "opt/smc-agent"
    place.write_bytes(agent_file.read_bytes())
    for _ in ("unpacked", "and again"):
        done = source.run("/bin/sh", "/opt/smc-agent", "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"smc-agent {VERSION}\n", "")
    unpacked = source.root / "var/lib/smc-runtime"
    assert unpacked.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_somebody_else_is_not_trusted(source: Inside, agent_file: Path) -> None:
    (source.root / "opt/smc-agent").write_bytes(agent_file.read_bytes())
    assert source.run("/bin/sh", "/opt/smc-agent", "--version").returncode == 0
    folder = source.root / "var/lib/smc-runtime"
    assert source.run("chown", "65534", "/var/lib/smc-runtime").returncode == 0
    next(folder.glob("*/bin/python3")).write_text("not ours")
    assert source.run("/bin/sh", "/opt/smc-agent", "--version").stdout == f"smc-agent {VERSION}\n"
    assert (source.root / "opt/smc-runtime").exists()


def test_the_one_line_imports_and_the_data_of_each_filesystem_arrives(
    source: Inside, center: FakeCenter, tmp_path: Path
) -> None:
    done = source.run("sh", "-c", command(center))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "Import Source Server [s-1] Successfully!"
    assert "nothing starts the agent again" in done.stdout
    assert center.beats[0].server == center.enrolments[0].server or center.beats[0].server
    assert center.enrolments[0].server.os.id
    assert traces(source) == ["smc"]
    assert (source.root / "smc").stat().st_mode & 0o777 == 0o700
    assert (source.root / "smc/credentials.json").stat().st_mode & 0o777 == 0o600
    assert source.run("/smc/smc-agent", "status").returncode == 0

    with receiving(center, tmp_path) as (order, target):
        center.set_order(order)
        center.wait(lambda: finished(center) == 1, 60)
        differences = tool(
            *("rsync", "-aHAXSn", "--checksum", "--delete", "-i", "--one-file-system", "--exclude=/smc"),
            *(f"{source.root}/", f"{target / '0_1'}/"),
        )
        assert [line for line in differences.splitlines() if not changed_by_mounting(line)] == []
        assert not (target / "0_1/smc").exists()
        assert (target / "0_1/srv/data/hidden").read_text() == "below the mount point"
        assert (target / "1_1/seen").read_text() == "on the data disk"
        assert not any(".mnt" in line for line in Path("/proc/self/mountinfo").read_text().splitlines())

        # kill -9, and whoever starts it again: it asks, gets the same order and goes on
        pid = (source.root / "smc/agent.pid").read_text().strip()
        assert source.run("sh", "-c", f"kill -{signal.SIGKILL.value} {pid}").returncode == 0
        restarted = source.run("sh", "-c", "/smc/smc-agent run >/dev/null 2>&1 & sleep 0")
        assert restarted.returncode == 0
        center.wait(lambda: finished(center) == 2, 60)

        again = source.run("sh", "-c", command(center))
        assert again.stdout.startswith("Import Source Server [s-1] Successfully!\n"), again.stderr
        center.wait(lambda: finished(center) == 3, 60)

    assert source.run("/smc/smc-agent", "--abort").stdout == "The agent has been stopped.\n"
    assert source.run("/smc/smc-agent", "--abort").stdout == "No agent is running on this machine.\n"
    assert source.run("/smc/smc-agent", "status").returncode == 3


def test_all_that_an_import_makes_is_known_as_a_trace_and_goes_with_the_agent(
    source: Inside, center: FakeCenter
) -> None:
    """What is known as a trace is not sent, and removed from a copy: nothing of the agent is on it."""
    before = files(source)
    assert source.run("/bin/sh", "-c", command(center)).returncode == 0
    made = files(source) - before
    assert "/smc/credentials.json" in made
    strangers = [path for path in made if not any(is_at_or_below(path, trace) for trace in AGENT_TRACES)]
    assert strangers == []

    done = source.run("/smc/smc-agent", "--uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert files(source) == before


def test_it_unpacks_only_where_a_copy_is_cleaned() -> None:
    stub = (BUILD.parent / "stub.sh").read_text()
    assert set(re.findall(r"/\S*smc-runtime\b", stub)) == set(AGENT_RUNTIMES)
    assert set(AGENT_RUNTIMES) <= set(AGENT_TRACES)


def files(source: Inside) -> set[str]:
    """Files and links; from outside neither /proc nor the /tmp of the machine is seen."""
    found = (Path(base, name) for base, _, names in os.walk(source.root) for name in names)
    return {f"/{path.relative_to(source.root)}" for path in found}


def is_at_or_below(path: str, trace: str) -> bool:
    return path == trace or path.startswith(f"{trace}/")


def test_a_wrong_code_leaves_nothing_behind(source: Inside, center: FakeCenter) -> None:
    before = sorted(str(path) for path in source.root.rglob("*") if "/proc/" not in str(path))
    done = source.run("sh", "-c", command(center, code="wrong"))
    assert done.returncode == 1
    assert done.stderr == (
        "smc-agent: the activation code is wrong (AccessToken.Invalid)\nCopy the import command again.\n"
    )
    after = sorted(str(path) for path in source.root.rglob("*") if "/proc/" not in str(path))
    assert after == before


def test_a_file_with_another_hash_is_not_run(source: Inside, center: FakeCenter) -> None:
    center.forged_file = b"#!/bin/sh\ntouch /was-run\n"
    done = source.run("sh", "-c", command(center))
    assert done.returncode == 1
    assert "is not the agent" in done.stderr
    assert not (source.root / "was-run").exists()


def test_a_center_that_has_another_agent_by_now_is_said_to_give_none(
    source: Inside, center: FakeCenter
) -> None:
    line = command(center)
    center.agent_file = b"a newer one"
    done = source.run("sh", "-c", line)
    assert done.returncode == 1
    assert "make a new import command" in done.stderr


def command(center: FakeCenter, code: str = "right-code") -> str:
    port = int(center.url.rsplit(":", 1)[1])
    return linux_command(
        host="127.0.0.1",
        port=port,
        ca_fingerprint=center.authority.fingerprint,
        agent_sha256=hashlib.sha256(center.agent_file).hexdigest(),
        token_id="at-1",
        token_code=code,
    )


@contextlib.contextmanager
def receiving(center: FakeCenter, folder: Path) -> Iterator[tuple[Order, Path]]:
    """A receiver of two trees, for as many connections as come."""
    authority, key = Authority("run"), Key.generate()
    identity = Identity(authority.pem, authority.sign(key.request("receiver")), key.to_pem())
    target = folder / "target"
    trees = [TargetTree("0_1", 0, 1, target / "0_1"), TargetTree("1_1", 1, 1, target / "1_1")]
    for tree in trees:
        tree.path.mkdir(parents=True)
    stop = threading.Event()

    def serve(listener: Listener) -> None:
        while not stop.is_set():
            with contextlib.suppress(SmcError), contextlib.closing(listener.accept(1.0)) as channel:
                receive(channel, listener, trees, stop, lambda progress: None)

    with Listener("127.0.0.1", 0, identity) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield _order(authority, center, listener.port), target
        finally:
            stop.set()
            thread.join()


def _order(authority: Authority, center: FakeCenter, port: int) -> Order:
    return Order(
        run="j-1.1",
        host="127.0.0.1",
        port=port,
        ca=authority.pem,
        certificate=authority.sign(center.enrolments[-1].csr),
        plan=PLAN,
    )


def _part(name: str, mount_point: str) -> TargetPartition:
    return TargetPartition(
        number=1, size=GIB, role=Role.FILESYSTEM, source=name, filesystem="ext4", mount_point=mount_point
    )


PLAN = Plan(
    architecture=Architecture.X86_64,
    firmware=Firmware.BIOS,
    disks=(
        TargetDisk(index=0, size=GIB, partitions=(_part("0_1", "/"),)),
        TargetDisk(index=1, size=GIB, partitions=(_part("1_1", "/srv/data"),)),
    ),
)


def finished(center: FakeCenter) -> int:
    failed = [event for event in center.events if event.kind is EventKind.FAILED]
    assert not failed, failed
    return sum(event.kind is EventKind.FINISHED for event in center.events)


def changed_by_mounting(line: str) -> bool:
    """Folders under mount points: the test sees what is mounted there."""
    return line.split(" ", 1)[1] in {"dev/", "proc/", "sys/", "tmp/", "srv/data/"}


def traces(source: Inside) -> list[str]:
    return sorted(
        name for name in ("smc", "var/lib/smc-runtime", "opt/smc-runtime") if (source.root / name).exists()
    )


@contextlib.contextmanager
def _mounted(device: Path, place: Path) -> Iterator[None]:
    tool("mkfs.ext4", "-q", device)
    tool("mount", device, place)
    try:
        yield
    finally:
        tool("umount", place)
