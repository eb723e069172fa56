"""Whatever fails and wherever: a clear error or a retry, and never a wrong file under a right name."""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.transfer.faults import (
    FULL,
    IO_ERROR,
    Fault,
    Faulty,
    Parcels,
    only_in,
    refusing,
    short_piece,
    short_pread,
)
from tests.unit.transfer.two_folders import Outcome, TwoFolders, Watcher, allowed, picture

from smc.base.errors import SmcError, SourceReadError, TargetWriteError, Transient, WireError
from smc.transfer import native, writer
from smc.transfer.contents import Contents
from smc.transfer.files.walk import is_fresh
from smc.transfer.memory import Memory
from smc.transfer.sender import Sent
from smc.wire import channel, listener, stream
from smc.wire import messages as m
from smc.wire.channel import Channel
from smc.wire.orders import Ssl, TransferSettings

MIB = 1 << 20
CONNECTIONS = 5  # the control connection and four streams
ATTEMPTS = 6


@pytest.fixture(scope="module", autouse=True)
def _short_patience() -> Iterator[None]:
    """What waits for a peer's word waits less long, and nothing here depends on the disk below."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listener, "HANDSHAKE_SECONDS", 1.0)
        patch.setattr(stream, "HANDSHAKE_SECONDS", 1.0)
        patch.setattr(writer, "STALLED_SECONDS", 1.0)
        patch.setattr(writer, "STREAM_SECONDS", 1.0)
        patch.setattr(channel, "SILENCE_SECONDS", 4.0)
        patch.setattr(channel, "PULSE_SECONDS", 1.0)
        patch.setattr(native, "sync_filesystem", lambda handle: None)
        yield


def build(root: Path, large: bytes, changed: bytes) -> None:
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "large").write_bytes(large)
    (root / "folder" / "changed").write_bytes(changed)
    with (root / "sparse").open("wb") as file:
        file.seek(3 * MIB + 4096)
        file.write(changed[:9000])
        file.truncate(5 * MIB + 3)
    for number, size in enumerate((0, 1, 1000, 60_000, 200_000)):
        (root / "folder" / f"small {number}").write_bytes(large[:size])
        (root / "folder" / "deep" / f"text {number}").write_bytes(b"text %d\n" % number * (size // 8))
    (root / "folder" / "deep" / "link").symlink_to("../small 1")
    os.link(root / "folder" / "small 2", root / "twin")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It held still for a while, so that one pass is enough."""
    root = tmp_path_factory.mktemp("source")
    changed = bytearray(OLD_CHANGED)
    changed[300_000:300_000] = b"inserted"
    build(root, os.urandom(2 * MIB + 77), bytes(changed))
    newest = max(os.lstat(path).st_ctime_ns for path in [root, *root.rglob("*")])
    deadline = time.monotonic() + 10
    while is_fresh(newest):
        assert time.monotonic() < deadline
    return root


OLD_CHANGED = os.urandom(MIB + 5)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the target has from an earlier day."""
    root = tmp_path_factory.mktemp("older")
    build(root, os.urandom(700_000), OLD_CHANGED)
    (root / "gone").write_bytes(b"gone at the source")
    (root / "folder" / "deep" / "link").unlink()
    (root / "folder" / "deep" / "link").mkdir()
    return root


class Fresh(Protocol):
    def __call__(self, *, begun: bool = True) -> TwoFolders: ...


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory, source: Path, older: Path) -> Fresh:
    """A target of its own for each example, with an index on disk."""

    def make(*, begun: bool = True) -> TwoFolders:
        place = tmp_path_factory.mktemp("copy")
        target = place / "target"
        if begun:
            shutil.copytree(older, target, symlinks=True)
        else:
            target.mkdir()
        return TwoFolders(source, target, Memory(place / "index"))

    return make


def until_right(ends: TwoFolders, attempts: int = ATTEMPTS) -> list[Outcome]:
    """Copies without further faults, with the same memory."""
    outcomes: list[Outcome] = []
    while not outcomes or not outcomes[-1].is_right:
        assert len(outcomes) < attempts, outcomes
        outcomes.append(ends.copy())
    return outcomes


def assert_equal(ends: TwoFolders) -> None:
    assert picture(ends.target) == picture(ends.source)


def wrong_files(ends: TwoFolders) -> set[bytes]:
    """Files of the target whose content is not the source's."""
    right = allowed(ends.source)
    return {path for path, contents in allowed(ends.target).items() if not contents <= right.get(path, set())}


PLACES = st.one_of(st.integers(0, 3000), st.integers(0, 200_000), st.integers(0, 1_500_000))
TWISTS = st.one_of(st.just(0), st.integers(1, 255))
LINE_FAULTS = st.builds(Fault, st.integers(0, CONNECTIONS - 1), PLACES, TWISTS, st.booleans())
NUMBERS = st.sets(st.integers(0, 12), min_size=1, max_size=4)  # of calls
MAP = settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("ssl", [Ssl.ON, Ssl.OFF])
@MAP
@given(faults=st.lists(st.lists(LINE_FAULTS, min_size=1, max_size=2), min_size=1, max_size=3))
@example(faults=[[Fault(1, 100_000)], [Fault(2, 100_000)], [Fault(3, 100_000)]])
@example(faults=[[Fault(1, 500_000, twist=1)], [Fault(0, 2500)]])
@example(faults=[[Fault(1, 61, twist=4)]])  # in the clear: the length of a head, which does not come
def test_a_line_that_cuts_and_twists_costs_tries_and_nothing_else(
    fresh: Fresh, older: Path, ssl: Ssl, faults: list[list[Fault]]
) -> None:
    ends = fresh()
    ends.settings = TransferSettings(ssl=ssl)
    with Watcher(ends.target, allowed(ends.source, older)):
        for plan in faults:
            outcome = ends.copy(*plan)
            for end in (outcome.sent, outcome.received):
                if isinstance(end, SmcError):
                    assert isinstance(end, Transient | WireError), repr(end)
        until_right(ends, 2)
    assert_equal(ends)
    ends.memory.close()


@pytest.mark.parametrize("ssl", [Ssl.ON, Ssl.OFF])
def test_a_stream_that_is_turned_away_ends_both_ends_soon(
    fresh: Fresh, ssl: Ssl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver cannot tell it from a stranger; the sender sees that it was closed."""
    monkeypatch.setattr(writer, "STREAM_SECONDS", 60.0)
    ends = fresh()
    ends.settings = TransferSettings(ssl=ssl)
    began = time.monotonic()
    outcome = ends.copy(Fault(2, 20 if ssl is Ssl.OFF else 700, twist=1))
    assert time.monotonic() - began < 15
    for end in (outcome.sent, outcome.received):
        assert isinstance(end, Transient), repr(end)
    until_right(ends, 1)
    ends.memory.close()


@pytest.mark.parametrize("name", ["Parcel", "read_piece", "next_data", "name_parts", "survey", "listing"])
@MAP
@given(numbers=NUMBERS)
@example(numbers={0})
@example(numbers={0, 1})
def test_what_the_source_cannot_read_is_listed_and_the_rest_arrives(
    fresh: Fresh, name: str, numbers: set[int]
) -> None:
    ends = fresh(begun=False)
    with pytest.MonkeyPatch.context() as patch:
        if name == "Parcel":
            patch.setattr(native, name, Parcels(ends.source, numbers))
        else:
            call = Faulty(getattr(native, name), dict.fromkeys(numbers, IO_ERROR))
            patch.setattr(native, name, only_in(ends.source, call, getattr(native, name)))
        outcome = ends.copy()
    own = name in {"name_parts", "listing"}  # asked of the tree's own folder as well
    if own and isinstance(outcome.sent, SourceReadError):
        assert outcome.sent.message == "/srv cannot be read: Input/output error"
        until_right(ends, 1)
        ends.memory.close()
        return
    assert outcome.is_right, outcome
    assert isinstance(outcome.sent, Sent)
    listed = {os.fsencode(one.path.removeprefix("/srv/")) for one in outcome.sent.unreadable}
    source = picture(ends.source)
    for path in source.keys() - picture(ends.target).keys():
        names = {one for one in source if source[one][-1] == source[path][-1]}  # one of several goes with all
        assert any(at_or_below(path, one) or one in names for one in listed), (path, listed)
    assert not wrong_files(ends)
    until_right(ends, 1)
    assert_equal(ends)
    ends.memory.close()


def at_or_below(path: bytes, folder: bytes) -> bool:
    return not folder or path == folder or path.startswith(folder + b"/")


@pytest.mark.parametrize(
    ("module", "name", "cut"),
    [(native, "read_piece", short_piece), (os, "pread", short_pread)],
)
@MAP
@given(numbers=NUMBERS, lost=st.integers(1, 5000))
@example(numbers=set(range(100)), lost=1)
def test_a_short_read_is_never_taken_for_the_content(
    fresh: Fresh, module: object, name: str, cut: Callable[..., object], numbers: set[int], lost: int
) -> None:
    """As if the file had been shorter for a moment, without a trace in its state."""
    ends = fresh(begun=False)
    with pytest.MonkeyPatch.context() as patch:
        real = getattr(module, name)
        call = Faulty(real, dict.fromkeys(numbers, partial(cut, lost)))
        patch.setattr(module, name, only_in(ends.source, call, real))
        outcome = ends.copy()
    assert outcome.is_right, outcome
    assert isinstance(outcome.sent, Sent)
    assert wrong_files(ends) <= {os.fsencode(one.path.removeprefix("/srv/")) for one in outcome.sent.moving}
    until_right(ends, 1)
    assert_equal(ends)
    ends.memory.close()


@pytest.mark.parametrize("error", [FULL, IO_ERROR], ids=["full", "broken"])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (os, "pwrite"),
        (os, "rename"),
        (os, "mkdir"),
        (os, "link"),
        (os, "symlink"),
        (os, "ftruncate"),
        (os, "fchown"),
        (native, "write_files"),
        (native, "sync_filesystem"),
        (native, "signature"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@settings(MAP, max_examples=1)
@given(number=st.integers(0, 6))
@example(number=0)
def test_what_the_target_refuses_ends_with_a_sentence_and_a_later_copy_goes_on(
    fresh: Fresh, older: Path, module: object, name: str, error: OSError, number: int
) -> None:
    ends = fresh()
    with pytest.MonkeyPatch.context() as patch, Watcher(ends.target, allowed(ends.source, older)):
        real = getattr(module, name)
        fault = partial(refusing, error) if name == "write_files" else error
        call = Faulty(real, {number: fault})
        patch.setattr(module, name, only_in(ends.target, call, real))
        outcome = ends.copy()
        assert outcome.is_right or call.hit
        if not outcome.is_right:
            for end in (outcome.sent, outcome.received):
                assert isinstance(end, TargetWriteError), repr(end)
                assert (end.code == "Target.Full") is (error is FULL)
    until_right(ends, 1)
    assert_equal(ends)
    ends.memory.close()


@MAP
@given(numbers=NUMBERS)
def test_short_writes_are_gone_on_with(fresh: Fresh, numbers: set[int]) -> None:
    def write(real: Callable[[int, memoryview, int], int], handle: int, data: memoryview, offset: int) -> int:
        return real(handle, data[: len(data) // 2 + 1], offset)

    ends = fresh()
    with pytest.MonkeyPatch.context() as patch:
        call = Faulty(os.pwrite, dict.fromkeys(numbers, write))
        patch.setattr(os, "pwrite", only_in(ends.target, call, os.pwrite))
        assert ends.copy().is_right
    assert_equal(ends)
    ends.memory.close()


@MAP
@given(
    deaths=st.lists(st.tuples(st.sampled_from(["control", "content"]), st.integers(0, 14)), max_size=3),
    own_disk=st.booleans(),
)
@example(deaths=[("content", number) for number in range(5)], own_disk=True)
def test_a_receiver_that_dies_between_two_messages_goes_on_when_it_is_started_again(
    fresh: Fresh, older: Path, deaths: list[tuple[str, int]], own_disk: bool
) -> None:
    """Its memory is gone but for the index, and without a disk of its own that too."""
    ends = fresh()
    killed = Transient("killed", code="Test.Killed")
    with Watcher(ends.target, allowed(ends.source, older)):
        for where, number in deaths:
            with pytest.MonkeyPatch.context() as patch:
                faults: Mapping[int, BaseException] = {number: killed}
                if where == "control":
                    ends.prepare = partial(die_at, faults)
                else:
                    patch.setattr(Contents, "take", method(Faulty(Contents.take, faults)))
                ends.copy()
            ends.memory.close()
            ends.memory = Memory(ends.target.parent / "index" if own_disk else None)
            ends.prepare = live
        until_right(ends, 1)
    assert_equal(ends)
    ends.memory.close()


def live(channel: Channel) -> None:
    """As it is."""


def die_at(faults: Mapping[int, BaseException], channel: Channel) -> None:
    """Counted are messages, not the looks for them."""
    channel._received = _Counted(faults)  # where messages wait for `receive`


class _Counted(deque[m.Message]):
    def __init__(self, faults: Mapping[int, BaseException]) -> None:
        super().__init__()
        self._faults = faults
        self._number = 0

    def popleft(self) -> m.Message:
        number, self._number = self._number, self._number + 1
        if number in self._faults:
            raise self._faults[number]
        return super().popleft()


def method(call: Callable[..., None]) -> Callable[..., None]:
    """A function, so that it is bound as one."""

    def bound(self: object, *args: object) -> None:
        call(self, *args)

    return bound


def test_nothing_is_sent_again_when_only_the_index_is_left(fresh: Fresh) -> None:
    ends = fresh()
    until_right(ends, 1)
    ends.memory.close()
    ends.memory = Memory(ends.target.parent / "index")
    with pytest.MonkeyPatch.context() as patch:
        parcels = Parcels(ends.source)
        patch.setattr(native, "Parcel", parcels)
        reads = [Faulty(getattr(native, name), {}) for name in ("read_piece", "listing")]
        for name, call in zip(("read_piece", "listing"), reads, strict=True):
            patch.setattr(native, name, call)
        assert ends.copy().is_right
    assert [parcels.calls, *(call.calls for call in reads)] == [0, 0, 0]
    ends.memory.close()
