"""The agent's logs follow the end of a run, unless the operator forbids it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.unit.agent.fake_center import FakeCenter, serving
from tests.unit.agent.test_agent_worker import JOB

from smc.agent.diagnosis import Diagnosis
from smc.agent.home import Home
from smc.base.errors import UserError
from smc.wire.control import Control
from smc.wire.orders import Event, EventKind, LogFile
from smc.wire.run_logs import LARGEST_LOG, MOST_FILES, pack, pack_all, unpack

FAILED = Event(run="j-1.1", kind=EventKind.FAILED, code="Disk.Full", message="full")


@pytest.fixture
def center(tmp_path: Path) -> Iterator[FakeCenter]:
    made = FakeCenter()
    with serving(tmp_path, made):
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "smc")
    made.logs.mkdir(parents=True)
    made.log.write_text("agent says\n")
    made.replicate_log.write_text("copying says\n")
    return made


def diagnosis(center: FakeCenter, home: Home, told: list[Event]) -> Diagnosis:
    def control() -> Control:
        return Control(center.url, center.authority.pem, "secret")

    return Diagnosis(home, control, told.append)


def test_the_logs_follow_the_end_of_a_run(center: FakeCenter, home: Home) -> None:
    told: list[Event] = []
    subject = diagnosis(center, home, told)
    subject.begin(structs.replace(JOB.order, diagnostics=True))
    note = Event(run="j-1.1", kind=EventKind.NOTE, message="half")
    subject.tell(note)
    subject.tell(FAILED)
    assert told == [note, FAILED]
    center.wait(lambda: bool(center.logs))
    (logs,) = center.logs
    assert logs.run == "j-1.1"
    assert {file.name: unpack(file) for file in logs.files} == {
        "agent.log": b"agent says\n",
        "replicate.log": b"copying says\n",
    }


def test_nothing_is_sent_of_a_run_whose_order_does_not_ask_for_it(center: FakeCenter, home: Home) -> None:
    told: list[Event] = []
    subject = diagnosis(center, home, told)
    subject.begin(JOB.order)
    subject.tell(FAILED)
    other = structs.replace(FAILED, run="j-2.1")
    subject.begin(structs.replace(JOB.order, run="j-2.1", diagnostics=True))
    subject.tell(other)
    center.wait(lambda: bool(center.logs))
    assert [logs.run for logs in center.logs] == ["j-2.1"]
    assert told == [FAILED, other]


def test_only_the_end_of_a_large_log_travels(tmp_path: Path) -> None:
    large = tmp_path / "large.log"
    large.write_bytes(b"old\n" * LARGEST_LOG + b"new\n")
    packed = pack(large)
    assert packed is not None
    assert len(unpack(packed)) == LARGEST_LOG
    assert unpack(packed).endswith(b"new\n")
    assert pack(tmp_path / "none.log") is None
    for number in range(MOST_FILES + 3):
        (tmp_path / f"{number}.log").write_text("x")
    assert len(pack_all(sorted(tmp_path.glob("?.log")) + sorted(tmp_path.glob("??.log")))) == MOST_FILES


def test_what_unpacks_to_more_is_cut_and_what_is_no_log_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "zeros"
    large.write_bytes(bytes(LARGEST_LOG))
    packed = pack(large)
    assert packed is not None
    bomb = LogFile(name="bomb", content=packed.content * 50)
    assert len(unpack(bomb)) <= LARGEST_LOG
    with pytest.raises(UserError) as refused:
        unpack(LogFile(name="junk", content=b"no zstd at all"))
    assert refused.value.code == "Logs.Invalid"
