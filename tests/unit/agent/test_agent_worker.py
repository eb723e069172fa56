"""The process that works on a run, played by a thread at the other end of its socket."""

import os
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import msgspec
import pytest

from smc.agent.child import Child, output_file
from smc.agent.disks import Storage
from smc.agent.home import Home
from smc.agent.mounting import BIND, READ_ONLY, REMOUNT
from smc.agent.mounts import Mount
from smc.agent.replicate import Place, check_mounted, mount_trees, planned
from smc.agent.talk import Job, Quiet, Said, Told
from smc.agent.wish import Wish
from smc.agent.worker import DEATHS, Worker, serve
from smc.base.errors import UserError
from smc.model.codec import decode, encode
from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.plan import Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware
from smc.wire.orders import Event, EventKind, Order, TransferSettings


def part(name: str, mount_point: str) -> TargetPartition:
    return TargetPartition(number=1, size=1, role=Role.FILESYSTEM, source=name, mount_point=mount_point)


PLAN = Plan(
    architecture=Architecture.X86_64,
    firmware=Firmware.BIOS,
    excludes=("*.tmp", "/var/cache/", "/srv/data/old"),
    disks=(
        TargetDisk(index=0, size=1, partitions=(part("0_2", "/"), part("0_3", ""), part("", "/new"))),
        TargetDisk(index=1, size=1, partitions=(part("1_1", "/srv/data"),)),
    ),
)
JOB = Job(
    order=Order(run="j-1.1", host="127.0.0.1", port=1, ca="", certificate="", plan=PLAN),
    center_host="center.example",
)
FINISHED = Event(run="j-1.1", kind=EventKind.FINISHED)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "smc")
    made.create()
    return made


class FakeChild:
    """A process that has ended; its pid is nobody's."""

    pid = 2**22 + 1  # above the kernel's largest

    def poll(self) -> int | None:
        return 0


def playing(lives: list[Callable[[socket.socket], None]]) -> Callable[[int], Child]:
    """Each start is the next life."""

    def start(descriptor: int) -> Child:
        end = socket.socket(fileno=os.dup(descriptor))
        life = lives.pop(0)

        def live() -> None:
            with end:
                life(end)

        threading.Thread(target=live, daemon=True).start()
        return FakeChild()

    return start


def says(*events: Event) -> Callable[[socket.socket], None]:
    def life(end: socket.socket) -> None:
        assert decode(end.makefile("rb").readline(), Job) == JOB
        for event in events:
            end.sendall(encode(Said(event=event)) + b"\n")

    return life


def next_of(events: "queue.SimpleQueue[Event]") -> Event:
    return events.get(timeout=20)


def test_events_of_the_process_are_told(home: Home) -> None:
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    started = Event(run="j-1.1", kind=EventKind.STARTED)
    worker = Worker(JOB, playing([says(started, FINISHED)]), told.put, home)
    assert [next_of(told), next_of(told)] == [started, FINISHED]
    worker.stop()


def test_a_process_that_dies_without_a_word_is_started_again(home: Home) -> None:
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    worker = Worker(JOB, playing([says(), says(FINISHED)]), told.put, home)
    assert next_of(told) == FINISHED
    worker.stop()


def test_a_process_that_dies_before_it_has_read_its_job_is_started_again(home: Home) -> None:
    def dies(end: socket.socket) -> None:
        select.select([end], [], [])  # what it leaves unread makes the agent's end say "connection reset"

    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    worker = Worker(JOB, playing([dies, says(FINISHED)]), told.put, home, waits=repeat(0.0))
    assert next_of(told) == FINISHED
    worker.stop()


def test_a_process_that_always_dies_has_failed(home: Home) -> None:
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    worker = Worker(JOB, playing([says() for _ in range(DEATHS)]), told.put, home, repeat(0.01))
    event = next_of(told)
    assert (event.kind, event.code) == (EventKind.FAILED, "Agent.WorkerDied")
    worker.stop()


def test_only_deaths_in_a_row_count(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.agent.worker.LONG_LIFE_SECONDS", 0.0)
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    lives = [says() for _ in range(2 * DEATHS)]
    worker = Worker(JOB, playing([*lives, says(FINISHED)]), told.put, home, repeat(0.01))
    assert next_of(told) == FINISHED
    worker.stop()


def test_what_a_process_says_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc.agent.child.OUTPUT_BYTES", 10)
    path = tmp_path / "replicate.out"
    for _ in range(5):
        with output_file(path) as file:
            file.write(b"five.")
    assert path.stat().st_size == 10
    with output_file(tmp_path / "no such folder" / "replicate.out") as file:
        file.write(b"lost")


SLOW = TransferSettings(bandwidth_limit_mbit=5, compress_level=9)


def turned(job: Job, settings: TransferSettings) -> Job:
    return msgspec.structs.replace(job, order=msgspec.structs.replace(job.order, settings=settings))


def test_changed_settings_reach_the_process_and_every_later_one(home: Home) -> None:
    heard: queue.SimpleQueue[object] = queue.SimpleQueue()
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def first(end: socket.socket) -> None:
        lines = end.makefile("rb")
        heard.put(decode(lines.readline(), Job))
        heard.put(decode(lines.readline(), Told).order)

    def second(end: socket.socket) -> None:
        heard.put(decode(end.makefile("rb").readline(), Job))
        end.sendall(encode(Said(event=FINISHED)) + b"\n")

    worker = Worker(JOB, playing([first, second]), told.put, home, repeat(0.01))
    assert heard.get(timeout=20) == JOB
    began = time.monotonic()
    worker.turn(turned(JOB, SLOW).order)
    assert heard.get(timeout=20) == turned(JOB, SLOW).order
    assert time.monotonic() - began < 1
    assert heard.get(timeout=20) == turned(JOB, SLOW)
    assert next_of(told) == FINISHED
    worker.stop()


def test_the_process_turns_its_dials_and_dies_with_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "smc")
    home.create()
    found: queue.SimpleQueue[Wish] = queue.SimpleQueue()
    moved = msgspec.structs.replace(JOB.order, host="10.0.0.2")
    done, died = threading.Event(), threading.Event()

    def work(wish: Wish, home: Home, host: str, proxy: str, emit: object, quiet: Quiet) -> None:
        found.put(wish)
        assert done.wait(20)

    monkeypatch.setattr("smc.agent.worker.replicate", work)
    monkeypatch.setattr("smc.agent.worker.give_way", lambda: None)
    monkeypatch.setattr("smc.agent.worker.logs.set_up", lambda **_: None)
    monkeypatch.setattr("smc.agent.worker.os._exit", lambda status: died.set())
    monkeypatch.setattr("smc.agent.worker.tempfile.tempdir", None)  # it sets its own, and dies with it
    agents, its = socket.socketpair()
    with agents:
        # What comes in one piece with the job is not lost.
        agents.sendall(encode(JOB) + b"\n" + encode(Told(order=turned(JOB, SLOW).order)) + b"\n")
        process = threading.Thread(target=serve, args=(its.detach(), home))
        process.start()
        wish = found.get(timeout=20)
        agents.sendall(b"not an order\n")
        eventually(lambda: wish.dials.settings == SLOW)
        agents.sendall(encode(Told(order=moved)) + b"\n")
        eventually(lambda: wish.dials.settings == TransferSettings())
        assert wish.order == moved
        assert not died.is_set()
    assert died.wait(20)
    done.set()
    process.join(20)


def eventually(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.01)


def test_stop_ends_a_process_that_would_go_on(home: Home) -> None:
    met_the_end = threading.Event()

    def life(end: socket.socket) -> None:
        lines = end.makefile("rb")
        lines.readline()
        lines.read()
        met_the_end.set()

    worker = Worker(JOB, playing([life]), lambda event: None, home)
    worker.stop()
    assert met_the_end.wait(10)


def test_only_mounted_filesystems_of_the_source_are_sent() -> None:
    assert planned(PLAN) == [Place("0_2", 0, "/"), Place("1_1", 1, "/srv/data")]


def source_disk(index: int, *mounted: tuple[str, str]) -> Disk:
    """`mounted`: mount point and UUID of each of its filesystems."""
    parts = tuple(
        Partition(
            number=number,
            start=0,
            size=1,
            role=Role.FILESYSTEM,
            filesystem=Filesystem(type="ext4", mount_point=point, uuid=uuid),
        )
        for number, (point, uuid) in enumerate(mounted, 1)
    )
    return Disk(index=index, path="/dev/vda", size=1, table=Table.GPT, partitions=parts)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (("/srv/data", "d"), ""),
        (("/srv/data", ""), ""),
        (("", "d"), "Source.NotMounted"),
        (("/mnt", "d"), "Source.NotMounted"),
        (("/srv/data", "another"), "Source.FilesystemChanged"),
    ],
)
def test_what_is_mounted_now_must_be_what_was_planned(data: tuple[str, str], code: str) -> None:
    system, planned_data = PLAN.disks
    named = tuple(msgspec.structs.replace(part, uuid="d") for part in planned_data.partitions)
    plan = msgspec.structs.replace(
        PLAN, disks=(system, msgspec.structs.replace(planned_data, partitions=named))
    )
    disks = (source_disk(0, ("/boot", "b"), ("/", "r")), source_disk(1, data))
    found = ""
    try:
        check_mounted(plan, [mount("/"), mount("/boot"), mount(data[0])], Storage(disks, ()))
    except UserError as e:
        found = e.code
    assert found == code


def test_a_folder_that_is_bound_over_a_mount_point_is_not_its_filesystem() -> None:
    with pytest.raises(UserError) as e:
        check_mounted(
            PLAN, [mount("/"), mount("/srv/data"), mount("/srv/data", root="/home")], Storage((), ())
        )
    assert e.value.code == "Source.NotMounted"


def mount(point: str, root: str = "/") -> Mount:
    return Mount(device="8:1", root=root, point=point, options="rw", type="ext4", source="/dev/sda1")


def test_filesystems_are_bound_read_only_and_the_agent_is_left_out(tmp_path: Path) -> None:
    home = Home(tmp_path / "smc")
    home.create()
    (home.excludes / "rsync_excludes_linux_disk1.txt").write_text("# not needed there\n/scratch/\n")
    calls: list[tuple[object, ...]] = []

    def do(*words: object) -> None:
        calls.append(words)

    root, data = mount_trees(PLAN, home, do)
    here = f"{home.mounts}/0_2"
    assert calls[1:3] == [
        ("/", here, "none", BIND, ""),
        ("none", here, "none", REMOUNT | BIND | READ_ONLY, ""),
    ]
    assert {"/smc", "/etc/systemd/system/smc-agent.service", "/var/cache/"} <= set(root.excludes)
    assert data.excludes == ("*.tmp", "/old", "/scratch/")
    explained = home.excludes / "rsync_excludes_linux.txt"
    assert "one rsync pattern a line" in explained.read_text(), (
        "a missing file is made, and tells how to use it"
    )
    assert (data.name, data.mount_point, data.path) == ("1_1", "/srv/data", home.mounts / "1_1")
