"""A whole session: a real sender, the receiver as a program on loop disks, a center; rsync and fsck judge."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from tests.kernel.copying import differences, ext4
from tests.kernel.loop_disks import loop_disk, tool
from tests.kernel.nasty_tree import make_nasty_tree, release
from tests.kernel.receiver_program import HANG, QUIET
from tests.unit.agent.fake_center import serving
from tests.unit.model.sources import data_disk, filesystem, server, system_disk
from tests.unit.receiver.fake_center import REST, ReceiverCenter

from smc.base.errors import SmcError, Transient
from smc.base.run import run
from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Partition
from smc.model.plan import Plan
from smc.model.planner import plan
from smc.model.progress import Phase
from smc.model.wishes import Limits, Wishes
from smc.receiver import ext, mounts
from smc.receiver.layout import partition_nodes
from smc.transfer.dials import Dials
from smc.transfer.sender import Sent, SourceTree, send
from smc.wire.channel import connect
from smc.wire.messages import PassBegin, PassEnd
from smc.wire.orders import TaskKind, TransferSettings
from smc.wire.route import Route

pytestmark = pytest.mark.kernel

FAST = TransferSettings()
SLOW = TransferSettings(bandwidth_limit_mbit=80, compress_level=0)


@dataclass
class World:
    """A source with two filesystems, a target with two disks, a center between them."""

    folder: Path
    center: ReceiverCenter
    sources: dict[str, Path]  # tree -> mounted filesystem of the source
    disks: dict[int, Path]  # index -> device of the target
    plan: Plan
    port: int
    programs: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def mounts(self) -> Path:
        return self.folder / "mnt"

    def start(self) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "tests.kernel.receiver_program"]
        words += [self.center.url, self.center.authority.fingerprint]
        words += [str(self.folder / "state"), str(self.mounts)]
        words += [f"{index}={device}" for index, device in self.disks.items()]
        with (self.folder / "receiver.log").open("ab") as log:
            program = subprocess.Popen(words, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
        self.programs.append(program)
        return program

    def end(self) -> None:
        for program in self.programs:
            program.kill()
            program.wait(20)
        mounts.unmount_below(self.mounts, run)
        for source in self.sources.values():
            release(source)

    def give(self, kind: TaskKind, run_id: str = "j-1.1") -> None:
        self.center.give(kind, run_id, self.plan, self.port)

    def send(self, settings: TransferSettings = FAST, attempts: int = 1) -> Sent:
        """As the agent does: again after every cut, for so many attempts."""
        identity, trees = self.center.agent(), [SourceTree(name, at) for name, at in self.sources.items()]
        for _ in range(attempts):
            try:
                route = Route("127.0.0.1", self.port, identity)
                with route.connect() as channel:
                    return send(channel, route.open_stream, trees, Dials(settings), threading.Event(), print)
            except Transient:
                threading.Event().wait(0.5)
        raise Transient(f"cut {attempts} times")

    def check_copy(self) -> None:
        """Mounts the target like any machine would and asks rsync."""
        nodes = self.nodes()
        for name, source in self.sources.items():
            assert ext.check(nodes[name], run) == ""
            with self.mounted(name) as copy:
                assert differences(source, copy) == ""

    @contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        at = self.folder / "judge"
        at.mkdir(exist_ok=True)
        tool("mount", "-o", "ro", self.nodes()[name], at)
        try:
            yield at
        finally:
            tool("umount", at)

    def nodes(self) -> dict[str, Path]:
        return {
            part.source: node
            for disk in self.plan.disks
            for part, node in zip(disk.partitions, partition_nodes(disk, self.disks[disk.index]), strict=True)
        }

    def log(self) -> str:
        return (self.folder / "receiver.log").read_text()


def described(tree: Path, mount_point: str, like: Filesystem | None = None) -> Filesystem:
    """As the agent describes a mounted filesystem."""
    room = os.statvfs(tree)
    device = tool("findmnt", "-n", "-o", "SOURCE", tree).strip()
    told = ext.superblock(Path(device), run)
    return filesystem(
        mount_point,
        room.f_blocks * room.f_frsize,
        (room.f_blocks - room.f_bfree) * room.f_frsize,
        uuid=told["Filesystem UUID"],
        label="",
        inodes=room.f_files,
        inodes_used=room.f_files - room.f_ffree,
        features=tuple(told["Filesystem features"].split()),
    )


def with_filesystem(disk: Disk, number: int, found: Filesystem) -> Disk:
    def fitted(part: Partition) -> Partition:
        return msgspec.structs.replace(part, filesystem=found) if part.number == number else part

    return msgspec.structs.replace(disk, partitions=tuple(map(fitted, disk.partitions)))


@contextmanager
def world(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        root = stack.enter_context(ext4(folder / "root.img", 300 * MIB))
        data = stack.enter_context(ext4(folder / "data.img", 300 * MIB))
        (root / "etc").mkdir()
        (root / "etc" / "hostname").write_text("source\n")
        (root / "srv" / "data").mkdir(parents=True)
        (root / "srv" / "data" / "below the mount point").write_text("hidden\n")
        (root / "boot").mkdir()
        system = system_disk(size=20 * GIB)
        parts = tuple(part for part in system.partitions if part.number != 1)
        system = with_filesystem(msgspec.structs.replace(system, partitions=parts), 2, described(root, "/"))
        second = with_filesystem(data_disk(1, "/srv/data", size=GIB), 1, described(data, "/srv/data"))
        center = ReceiverCenter()
        stack.enter_context(serving(folder, center))
        made = World(
            folder=folder,
            center=center,
            sources={"0_2": root, "1_1": data},
            disks={
                0: stack.enter_context(loop_disk(folder / "target0.img", 20 * GIB)),
                1: stack.enter_context(loop_disk(folder / "target1.img", GIB)),
            },
            plan=plan(server(system, second), Wishes(), Limits()),
            port=free_port(),
        )
        stack.callback(made.end)
        yield made


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def fill(folder: Path, mebibytes: int, names: Sequence[str] = ("big",)) -> None:
    for name in names:
        (folder / name).write_bytes(os.urandom(mebibytes * MIB))


def test_a_server_is_received_converted_and_reported(here: World) -> None:
    make_nasty_tree(here.sources["1_1"])
    fill(here.sources["0_2"], 20)
    program = here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    sent = here.send()
    said = here.center.await_phase(Phase.SYNCED, "j-1.1")
    assert said.total == said.done > 20 * MIB
    assert not [place for place in mounts.mounted_at() if place.is_relative_to(here.mounts)]
    here.check_copy()

    here.give(TaskKind.CONVERT)
    assert here.center.await_phase(Phase.CONVERTED, "j-1.1").done == said.done
    report = here.center.reports[-1]
    assert all(proof.equal for proof in report.proof)
    assert [proof.sent for proof in report.proof] == [tree.hash for tree in sent.trees]
    assert [change.path for change in report.changes] == ["/etc/hostname"]
    assert {check.level.value for check in report.checks} == {"passed"}
    assert set(report.seconds) == {"lay_out", "copy", "convert", "check"}
    with here.mounted("1_1") as copy:
        assert (copy / "converted").exists(), "the data disk was mounted at its place"

    here.center.task = REST
    here.center.await_phase(Phase.IDLE, "")
    assert program.poll() is None


def test_a_killed_receiver_goes_on_where_it_was(here: World) -> None:
    fill(here.sources["1_1"], 5, [f"file{number}" for number in range(20)])
    program = here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    sent: list[Sent | SmcError] = []
    agent = threading.Thread(target=lambda: sent.append(here.send(SLOW, attempts=60)))
    agent.start()
    here.center.await_progress(lambda said: said.done > 40 * MIB)
    program.kill()
    program.wait(20)
    created = ext.superblock(here.nodes()["1_1"], run)["Filesystem created"]
    here.start()
    said = here.center.await_phase(Phase.SYNCED, "j-1.1", 120)
    agent.join(60)
    assert isinstance(sent[0], Sent)
    assert said.wire < 80 * MIB, "what was received before the kill did not come again"
    assert ext.superblock(here.nodes()["1_1"], run)["Filesystem created"] == created
    here.check_copy()


def test_a_cut_line_and_strangers_end_nothing(here: World) -> None:
    fill(here.sources["1_1"], 10, ["a", "b", "c", "d"])
    here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", os.urandom(4096), b""):
        with socket.create_connection(("127.0.0.1", here.port), 10) as stranger:
            stranger.sendall(garbage)
    with socket.create_connection(("127.0.0.1", here.port), 10) as plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises((ssl.SSLError, OSError)), context.wrap_socket(plain) as nobody:
            assert nobody.recv(1), "one without a certificate gets no answer"
            raise OSError
    for message in (PassBegin(1), PassEnd(7)):
        with connect("127.0.0.1", here.port, here.center.agent()) as channel:
            channel.send(message)
            channel.receive(timeout=5)
    route = Route("127.0.0.1", here.port, here.center.agent())
    cut = route.connect()
    trees = [SourceTree(name, at) for name, at in here.sources.items()]

    def cut_it() -> None:
        here.center.await_progress(lambda said: said.done > 12 * MIB)
        cut.abort()

    cutter = threading.Thread(target=cut_it)
    cutter.start()
    with pytest.raises(Transient):
        send(cut, route.open_stream, trees, Dials(SLOW), threading.Event(), print)
    cutter.join()
    cut.close()
    before = here.center.said[-1]
    here.send()
    said = here.center.await_phase(Phase.SYNCED, "j-1.1")
    assert said.done >= before.done
    assert all(one.done <= two.done for one, two in zip(here.center.said, here.center.said[1:], strict=False))
    here.check_copy()


def test_a_target_that_is_full_is_named_with_the_size_it_needs(here: World) -> None:
    small = here.plan.disks[1]
    part = msgspec.structs.replace(small.partitions[0], size=100 * MIB)
    small = msgspec.structs.replace(small, partitions=(part,))
    here.plan = msgspec.structs.replace(here.plan, disks=(here.plan.disks[0], small))
    fill(here.sources["1_1"], 20, [f"file{number}" for number in range(9)])
    here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    with pytest.raises(SmcError) as caught:
        here.send()
    assert caught.value.code == "Target.Full"
    failure = here.center.await_phase(Phase.FAILED, "j-1.1").failure
    assert failure
    assert failure.code == "Target.Full"
    assert "disk 1 at least 2 GiB" in failure.hint
    assert not [place for place in mounts.mounted_at() if place.is_relative_to(here.mounts)]


def test_a_new_run_takes_over_the_disks_and_what_is_on_them(here: World) -> None:
    fill(here.sources["1_1"], 20, ["a", "b"])
    here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    here.send()
    here.center.await_phase(Phase.SYNCED, "j-1.1")
    (here.sources["1_1"] / "late").write_text("after the first run")
    (here.sources["1_1"] / "a").unlink()
    here.center.task = REST
    here.center.await_phase(Phase.IDLE, "")
    here.give(TaskKind.REPLICATE, "j-1.2")
    here.center.await_phase(Phase.LISTENING, "j-1.2")
    here.send()
    said = here.center.await_phase(Phase.SYNCED, "j-1.2")
    assert said.wire < 2 * MIB
    here.check_copy()


@pytest.mark.parametrize("rebooted", [False, True])
def test_a_round_after_a_conversion_brings_the_source_back_and_is_converted_again(
    here: World, rebooted: bool
) -> None:
    fill(here.sources["0_2"], 20)
    (here.sources["0_2"] / "etc" / "hostname").write_text("source1\n")
    quiet = here.sources["0_2"] / QUIET
    quiet.write_bytes(os.urandom(4096))
    program = here.start()
    for number in (1, 2, 3):
        name = f"j-1.{number}"
        here.give(TaskKind.REPLICATE, name)
        here.center.await_phase(Phase.LISTENING, name)
        here.send()
        said = here.center.await_phase(Phase.SYNCED, name)
        assert number == 1 or said.wire < 2 * MIB, "only what the conversion and the source changed came"
        here.check_copy()
        here.give(TaskKind.CONVERT, name)
        here.center.await_phase(Phase.CONVERTED, name)
        report = here.center.reports[-1]
        assert [change.path for change in report.changes] == ["/etc/hostname"]
        assert (report.changes[0].before, report.changes[0].after) == (f"source{number}\n", "converted\n")
        with here.mounted("0_2") as copy:
            found = differences(here.sources["0_2"], copy).splitlines()
        assert {line.split()[-1] for line in found} == {"etc/hostname", QUIET}
        (here.sources["0_2"] / "etc" / "hostname").write_text(f"source{number + 1}\n")
        (here.sources["1_1"] / f"late{number}").write_text("after a round")
        here.center.task = REST
        here.center.await_phase(Phase.IDLE, "")
        if rebooted:
            program.kill()
            program.wait(20)
            program = here.start()


def test_the_copy_of_an_earlier_run_is_converted_without_new_data(here: World) -> None:
    here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    here.send()
    here.center.await_phase(Phase.SYNCED, "j-1.1")
    here.center.task = REST
    here.center.await_phase(Phase.IDLE, "")
    for name in ("j-1.2", "j-1.3"):  # the second is asked by a run that was started after the first failed
        here.give(TaskKind.CONVERT, name)
        here.center.task = msgspec.structs.replace(here.center.task, earlier=True)
        here.center.await_phase(Phase.CONVERTED, name)
        report = here.center.reports[-1]
        assert report.run == name
        assert [(change.before, change.after) for change in report.changes] == [("source\n", "converted\n")]
        assert all(proof.equal for proof in report.proof)


def test_a_conversion_that_was_killed_is_done_again_with_the_true_before(here: World) -> None:
    (here.sources["0_2"] / HANG).touch()
    program = here.start()
    here.give(TaskKind.REPLICATE)
    here.center.await_phase(Phase.LISTENING, "j-1.1")
    here.send()
    here.center.await_phase(Phase.SYNCED, "j-1.1")
    here.give(TaskKind.CONVERT)
    here.center.await_progress(lambda said: said.note == "half way")
    assert not (here.folder / "state" / "key.pem").exists(), "the key is hidden from the guest's programs"
    program.kill()
    program.wait(20)
    here.start()
    here.center.await_phase(Phase.CONVERTED, "j-1.1")
    (change,) = here.center.reports[-1].changes
    assert (change.before, change.after) == ("source\n", "converted\n")
