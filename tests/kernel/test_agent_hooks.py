"""The owner's scripts around the last pass: programs are run, filesystems are frozen."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.kernel.copying import Ends, differences, ext4
from tests.kernel.scripts import Scripts
from tests.unit.agent.fake_center import serving
from tests.unit.agent.test_agent_worker import FINISHED, JOB, playing

from smc.agent import frozen, hooks, service
from smc.agent.home import Credentials, Home
from smc.agent.hooks import COPIED, FAILED, Stage, settle
from smc.agent.talk import Said, Told
from smc.agent.worker import Worker
from smc.base import log as logs
from smc.base.errors import UserError
from smc.model.codec import decode, encode
from smc.model.progress import Failure
from smc.wire.orders import Event
from smc.wire.trust import Key

pytestmark = pytest.mark.kernel


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def set_limits(home: Home, **limits: int) -> None:
    home.keep_settings(msgspec.structs.replace(home.settings(), **limits))


def test_scripts_run_in_the_order_of_their_names_around_the_last_pass(ends: Ends, scripts: Scripts) -> None:
    scripts.add("before", "20-second")
    scripts.add("before", "10-first", f"echo stopped; echo last >{ends.source}/written-by-the-script")
    scripts.add("before", "30-not-executable", mode=0o600)
    scripts.add("after", "10-start")
    (ends.source / "file").write_text("content")
    ends.quiet = scripts.quiet
    _, received = ends.copy()
    assert received.proof[0].equal
    assert differences(ends.source, ends.target) == ""
    assert (ends.target / "written-by-the-script").exists()
    assert scripts.ran == [
        "before 10-first j-1.1",
        "before 20-second j-1.1",
        f"after 10-start j-1.1 {COPIED}",
    ]
    said = [sentence for sentence, _ in scripts.told]
    assert said[0].startswith("before/10-first has run (") and said[0].endswith("): stopped")
    assert said[-1].endswith("from the first script of before/ to the last of after/")
    assert not scripts.home.quiet.exists()


def test_a_script_that_fails_ends_the_run_and_what_was_stopped_runs_again(
    ends: Ends, scripts: Scripts
) -> None:
    scripts.add("before", "10-stops")
    scripts.add("before", "20-fails", "echo it is busy >&2; exit 7")
    scripts.add("before", "30-is-not-run")
    scripts.add("after", "10-starts", "exit 1")
    scripts.add("after", "20-starts-all-the-same")
    ends.quiet = scripts.quiet
    with pytest.raises(UserError, match="before/20-fails ended with status 7: it is busy") as failed:
        ends.copy()
    assert failed.value.code == "Hooks.Failed"
    assert "what was copied stays" in failed.value.hint
    assert [line.split()[1] for line in scripts.ran] == [
        "10-stops",
        "20-fails",
        "10-starts",
        "20-starts-all-the-same",
    ]
    assert scripts.ran[-1].endswith(FAILED)
    assert "Hooks.AfterFailed" in {code for _, code in scripts.told}


def test_a_cut_connection_starts_again_what_was_stopped(scripts: Scripts) -> None:
    scripts.add("before", "10-stops")
    scripts.add("after", "10-starts")
    with pytest.raises(RuntimeError), scripts.quiet():
        raise RuntimeError("the line was cut")
    assert scripts.ran[-1] == f"after 10-starts j-1.1 {FAILED}"


def test_a_script_that_does_not_end_is_ended_with_what_it_started(scripts: Scripts) -> None:
    set_limits(scripts.home, hook_seconds=1)
    scripts.add("before", "10-hangs", "sleep 600 & echo $!; wait")
    scripts.add("after", "10-starts")
    began = time.monotonic()
    failure = scripts.hooks.quiet()
    assert failure is not None
    assert failure.message.startswith("before/10-hangs did not end within 1 s: ")
    assert time.monotonic() - began < 20
    status = Path(f"/proc/{failure.message.rsplit(' ', 1)[1]}/status")
    assert not status.exists() or "State:\tZ" in status.read_text(), "it has ended"
    assert scripts.ran[-1].startswith("after")


def test_a_script_that_says_without_end_is_ended(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_BYTES", 1 << 20)
    scripts.add("before", "10-talks", "yes | head -c 8000000; sleep 600")
    failure = scripts.hooks.quiet()
    assert failure is not None
    assert failure.message.startswith("before/10-talks said more than 1048576 bytes: ")
    assert len(failure.message) < 4000


def test_stop_ends_a_script_and_starts_again_what_was_stopped(scripts: Scripts) -> None:
    scripts.add("before", "10-takes-long", "sleep 600")
    scripts.add("after", "10-starts")
    threading.Timer(0.5, scripts.stopping.set).start()
    failure = scripts.hooks.quiet()
    assert failure is not None and "was ended with the run" in failure.message
    assert scripts.ran[-1] == f"after 10-starts j-1.1 {FAILED}"


def test_an_agent_that_died_meanwhile_starts_again_what_was_stopped(scripts: Scripts) -> None:
    scripts.add("before", "10-stops")
    scripts.add("after", "10-starts")
    assert scripts.hooks.quiet() is None
    settle(scripts.home)  # of the next agent
    assert scripts.ran == ["before 10-stops j-1.1", f"after 10-starts j-1.1 {FAILED}"]
    settle(scripts.home)
    assert len(scripts.ran) == 2


def test_a_later_agent_gives_scripts_the_time_that_the_owner_gave_them(scripts: Scripts) -> None:
    set_limits(scripts.home, hook_seconds=1)
    scripts.add("after", "10-hangs", "sleep 600")
    scripts.home.quiet.write_bytes(encode("j-1.1"))
    began = time.monotonic()
    settle(scripts.home)
    assert time.monotonic() - began < 20


def test_the_center_hears_of_an_agent_that_still_starts_what_was_stopped(
    scripts: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "set_up", lambda **_: None)
    scripts.add("after", "10-takes-long", f"until [ -e {tmp_path}/go ]; do sleep 0.1; done")
    scripts.home.quiet.write_bytes(encode("j-1.1"))
    stop = threading.Event()
    with serving(tmp_path) as center:
        own = Credentials(url=center.url, ca=center.authority.pem, source_id="s-1", credential="secret")
        scripts.home.keep(own, Key.generate())
        agent = threading.Thread(target=service.serve, args=(scripts.home, stop))
        agent.start()
        try:
            center.wait(lambda: bool(center.beats))
            assert not center.asked, "it takes no order meanwhile"
            (tmp_path / "go").touch()
            center.wait(lambda: bool(center.asked))
        finally:
            (tmp_path / "go").touch()
            stop.set()
            agent.join(20)
    assert scripts.ran == [f"after 10-takes-long j-1.1 {FAILED}"]


def test_a_process_that_dies_while_all_is_quiet_leaves_nothing_stopped(scripts: Scripts) -> None:
    scripts.add("before", "10-stops")
    scripts.add("after", "10-starts")
    told: list[Event] = []
    done = threading.Event()

    def tell(event: Event) -> None:
        told.append(event)
        if event == FINISHED:
            done.set()

    def asks(end: socket.socket, then: Callable[[], bytes]) -> None:
        lines = end.makefile("rb")
        lines.readline()
        end.sendall(encode(Said(stage=Stage.BEFORE)) + b"\n")
        assert decode(lines.readline(), Told) == Told(stage=Stage.BEFORE)
        end.sendall(then())

    def dies(end: socket.socket) -> None:
        asks(end, lambda: b"")

    def ends_well(end: socket.socket) -> None:
        asks(end, lambda: b"".join(encode(said) + b"\n" for said in well))

    well = [Said(stage=Stage.AFTER, result=COPIED), Said(event=FINISHED)]
    worker = Worker(JOB, playing([dies, ends_well]), tell, scripts.home, iter([0.0, 0.0]))
    assert done.wait(20)
    worker.stop()
    assert [line.split()[-1] for line in scripts.ran] == ["j-1.1", FAILED, "j-1.1", COPIED]
    assert any("10-stops has run" in event.message for event in told)


def test_a_last_pass_that_takes_too_long_is_given_up(scripts: Scripts) -> None:
    set_limits(scripts.home, quiet_seconds=0)
    scripts.add("after", "10-starts")
    told: list[Event] = []

    def works_for_ever(end: socket.socket) -> None:
        lines = end.makefile("rb")
        lines.readline()
        end.sendall(encode(Said(stage=Stage.BEFORE)) + b"\n")
        lines.read()

    worker = Worker(JOB, playing([works_for_ever]), told.append, scripts.home)
    limit = time.monotonic() + 20
    while not scripts.ran:
        assert time.monotonic() < limit
        time.sleep(0.05)
    worker.stop()
    assert "Hooks.TooLong" in {event.code for event in told}


def test_data_is_copied_while_its_filesystem_is_frozen(ends: Ends, scripts: Scripts) -> None:
    scripts.add("before", "10-freeze", f"fsfreeze -f {ends.source}")
    scripts.add("after", "10-thaw", f"fsfreeze -u {ends.source}")
    (ends.source / "data").write_bytes(b"x" * 5_000_000)
    ends.quiet = scripts.quiet
    _, received = ends.copy()
    assert received.proof[0].equal
    (ends.source / "data").write_bytes(b"it can be written again")


def test_a_filesystem_that_no_script_thaws_is_thawed(ends: Ends, scripts: Scripts) -> None:
    scripts.add("before", "10-freeze", f"fsfreeze -f {ends.source}")
    scripts.add("before", "20-fails", "exit 1")
    assert scripts.hooks.quiet() is not None
    (ends.source / "data").write_bytes(b"it can be written again")
    assert ("1 filesystems that were frozen have been thawed", "Hooks.Thawed") in scripts.told


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of the agent's own; whatever a test leaves is thawed."""
    with ext4(tmp_path / "own.img", 32 << 20) as mounted:
        try:
            yield mounted
        finally:
            with frozen.opened([mounted]) as descriptors:
                frozen.thaw(descriptors)


@pytest.mark.parametrize(
    ("then", "code"),
    [("", "Hooks.FrozenAgent"), ("echo x >$0.written", "Hooks.Failed")],
    ids=["ends", "writes there and hangs"],
)
def test_a_script_that_freezes_the_agents_own_filesystem_deadlocks_nothing(
    own: Path, then: str, code: str
) -> None:
    scripts = Scripts(own)
    set_limits(scripts.home, hook_seconds=2)
    scripts.add("before", "10-freeze", f"fsfreeze -f {own}\n{then}")
    began = time.monotonic()
    done: list[Failure | None] = []
    thread = threading.Thread(target=lambda: done.append(scripts.hooks.quiet()), daemon=True)
    thread.start()
    thread.join(40)
    assert not thread.is_alive(), "the agent waits for its own filesystem"
    assert time.monotonic() - began < 30
    assert done[0] is not None and done[0].code == code
    (own / "file").write_text("it can be written again")


def test_scripts_are_not_slowed_down_as_the_copy_is(scripts: Scripts) -> None:
    scripts.add("before", "10-look", "nice; cat /proc/self/oom_score_adj")
    assert scripts.hooks.quiet() is None
    own = subprocess.run(["nice"], capture_output=True, text=True, check=True).stdout.strip()
    adjusted = Path("/proc/self/oom_score_adj").read_text().strip()
    assert scripts.told[0][0].endswith(f"{own}\n{adjusted}")
