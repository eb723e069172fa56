"""The loop follows the center's task: the same again changes nothing, another one ends the work before it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.agent.fake_center import refusal, serving
from tests.unit.receiver.fake_center import REST, ReceiverCenter

from smc.base.errors import Transient, UserError
from smc.base.units import GIB
from smc.model.plan import Plan, TargetDisk
from smc.model.progress import Phase
from smc.model.report import Proof, Report
from smc.model.server import Architecture, Firmware
from smc.receiver.disks import find
from smc.receiver.home import Home, Kept
from smc.receiver.loop import Loop
from smc.receiver.session import Session
from smc.receiver.work import Bench, Speed
from smc.wire.control import Control
from smc.wire.orders import TaskKind
from smc.wire.run_logs import unpack

PLAN = Plan(
    architecture=Architecture.X86_64,
    firmware=Firmware.BIOS,
    disks=(TargetDisk(index=0, size=GIB, serial="smc-1-0"),),
)
PROOF = (Proof(disk=0, partition=1, files=1, bytes=1, sent="a", written="a"),)


@pytest.fixture
def center(tmp_path: Path) -> Iterator[ReceiverCenter]:
    made = ReceiverCenter()
    with serving(tmp_path, made):
        yield made


def nothing_attached(disk: TargetDisk) -> Path:
    raise Transient(f"disk {disk.index} is not attached", code="Disk.NotAttached")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    home = Home(tmp_path / "state", memory=tmp_path)
    home.make()
    home.make_key()
    return Bench(home=home, mounts=tmp_path / "mounts", find=nothing_attached)


@pytest.fixture
def loop(center: ReceiverCenter, bench: Bench) -> Iterator[Loop]:
    center.csr = bench.home.key().request("receiver")
    with Control(center.url, center.authority.pem, "receiver-secret") as control:
        made = Loop(control, "j-1", bench)
        yield made
        made.end()


def turn_until(loop: Loop, phase: Phase, turns: int = 200) -> None:
    for _ in range(turns):
        loop.turn()
        if loop.progress.phase is phase:
            return
        if loop._work is not None:
            loop._work.join(0.05)
    pytest.fail(f"{phase} was not reached: {loop.progress}")


def test_without_a_task_it_is_idle(loop: Loop, center: ReceiverCenter) -> None:
    loop.turn()
    assert center.said[-1].phase is Phase.IDLE
    assert center.said[-1].run == ""
    assert center.credentials[-1] == "receiver-secret"


def test_the_same_task_again_changes_nothing(loop: Loop, center: ReceiverCenter) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    first = loop._work
    loop.turn()
    assert isinstance(first, Session)
    assert loop._work is first


def test_a_disk_that_is_not_there_is_said_and_waited_for(loop: Loop, center: ReceiverCenter) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    for _ in range(100):
        loop.turn()
        if "not attached" in center.said[-1].note:
            break
    assert center.said[-1].phase is Phase.LAYING_OUT
    assert "disk 0 is not attached" in center.said[-1].note


def test_a_newer_run_ends_the_older_and_an_older_is_refused(loop: Loop, center: ReceiverCenter) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    center.give(TaskKind.REPLICATE, "j-1.2", PLAN, 1)
    for _ in range(100):
        loop.turn()
        if loop.progress.run == "j-1.2":
            break
        assert loop._work
        loop._work.join(0.1)
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    loop.turn()
    assert loop.progress.run == "j-1.2"


@pytest.mark.parametrize("run", ["j-2.9", "", "nonsense", "j-1.x"])
def test_a_task_of_another_job_is_refused(loop: Loop, center: ReceiverCenter, run: str) -> None:
    center.give(TaskKind.REPLICATE, run, PLAN, 1)
    loop.turn()
    assert loop.progress.phase is Phase.IDLE


def test_rest_drops_the_work(loop: Loop, center: ReceiverCenter) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    center.task = REST
    turn_until(loop, Phase.IDLE)
    assert loop.progress.run == ""


def test_a_task_that_comes_again_after_it_was_dropped_is_begun_again(
    loop: Loop, center: ReceiverCenter
) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    first = loop._work
    assert first
    first.stop()
    turn_until(loop, Phase.LAYING_OUT)
    for _ in range(100):
        loop.turn()
        if loop._work is not first:
            break
        first.join(0.1)
    assert loop._work is not first
    assert loop.progress.run == "j-1.1"


def test_the_receiver_of_a_deleted_job_drops_its_work_and_asks_seldom(
    loop: Loop, center: ReceiverCenter
) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    loop.turn()
    work = loop._work
    assert work
    center.failures = [(401, refusal("Credential.Invalid", "the job has been deleted"))] * 20
    clock = Hurry(turns=12)
    loop.run(clock)
    assert work.stopping.is_set()
    assert loop._work is None
    assert clock.waits[-1] > 10


class Hurry(threading.Event):
    """Waits a moment where seconds were asked for, and is set after some turns."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._turns = turns

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        if len(self.waits) == self._turns:
            self.set()
        return super().wait(0.02)


def test_a_failure_is_told_and_the_loop_goes_on(loop: Loop, center: ReceiverCenter) -> None:
    center.give(TaskKind.CONVERT, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.FAILED)
    loop.turn()
    failure = center.said[-1].failure
    assert failure
    assert failure.code == "Receiver.NothingToConvert"
    assert failure.hint
    center.give(TaskKind.REPLICATE, "j-1.2", PLAN, 1)
    turn_until(loop, Phase.LAYING_OUT)


def test_an_unforeseen_error_is_told_too(loop: Loop, center: ReceiverCenter) -> None:
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    center.task = msgspec.structs.replace(center.task, plan=None)
    turn_until(loop, Phase.FAILED)


def test_a_started_again_receiver_knows_that_all_was_received(
    loop: Loop, center: ReceiverCenter, bench: Bench
) -> None:
    bench.home.keep(Kept(run="j-1.1", proof=PROOF))
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.SYNCED)


def test_a_report_is_given_before_converted_is_said(loop: Loop, center: ReceiverCenter, bench: Bench) -> None:
    bench.home.keep(Kept(run="j-1.1", proof=PROOF, report=Report(run="j-1.1", proof=PROOF)))
    center.give(TaskKind.CONVERT, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.CONVERTED)
    loop.turn()
    assert center.said[-1].phase is Phase.CONVERTED
    assert [report.proof for report in center.reports] == [PROOF]


def test_a_report_that_nobody_wants_any_more_is_no_loop(
    loop: Loop, center: ReceiverCenter, bench: Bench
) -> None:
    bench.home.keep(Kept(run="j-1.1", proof=PROOF, report=Report(run="j-1.1", proof=PROOF)))
    center.report_error = UserError("the run is over", code="Run.Outdated")
    center.give(TaskKind.CONVERT, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.FAILED)


def test_the_log_follows_a_work_that_failed_or_was_the_last_once(
    loop: Loop, center: ReceiverCenter, bench: Bench
) -> None:
    bench.home.log.write_text("what was done\n")
    bench.home.keep(Kept(run="j-1.1", proof=PROOF, report=Report(run="j-1.1", proof=PROOF)))
    center.give(TaskKind.REPLICATE, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.SYNCED)
    loop.turn()
    assert center.logs == [], "the conversion is still to come"
    center.give(TaskKind.CONVERT, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.CONVERTED)
    loop.turn()
    loop.turn()
    (logs,) = center.logs
    assert (logs.run, [(file.name, unpack(file)) for file in logs.files]) == (
        "j-1.1",
        [("receiver.log", b"what was done\n")],
    )


def test_the_log_of_a_failure_is_sent(loop: Loop, center: ReceiverCenter, bench: Bench) -> None:
    bench.home.log.write_text("it broke\n")
    center.give(TaskKind.CONVERT, "j-1.1", PLAN, 1)
    turn_until(loop, Phase.FAILED)
    loop.turn()
    loop.turn()
    assert [unpack(log.files[0]) for log in center.logs] == [b"it broke\n"]


def test_a_disk_is_found_by_its_serial_and_not_by_its_name(tmp_path: Path) -> None:
    for name, serial, size in (("vda", "", 40), ("vdb", "smc-j-1-1", 20), ("nvme0n1", "smc-j-1-0", 20)):
        folder = tmp_path / name
        (folder / "device").mkdir(parents=True)
        (folder / "size").write_text(f"{size * GIB // 512}\n")
        where = folder / "device" / "serial" if name.startswith("nvme") else folder / "serial"
        where.write_text(f"{serial}  \n")
    disk = TargetDisk(index=0, size=20 * GIB, serial="smc-j-1-0")
    assert find(disk, sys_block=tmp_path, timeout=0) == Path("/dev/nvme0n1")
    with pytest.raises(Transient, match="not attached"):
        find(msgspec.structs.replace(disk, size=30 * GIB), sys_block=tmp_path, timeout=0)
    with pytest.raises(Transient, match="no serial"):
        find(msgspec.structs.replace(disk, serial=""), sys_block=tmp_path, timeout=0)


def test_speed_is_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    speed = Speed()
    assert speed.at(0) == 0.0
    for second in range(1, 11):
        now[0] = 100.0 + second
        speed.at(second * 10)
    assert speed.at(100) == pytest.approx(10.0)
    for second in range(11, 31):
        now[0] = 100.0 + second
        speed.at(100)
    assert speed.at(100) == 0.0
