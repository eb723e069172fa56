"""Whatever fails and wherever: a clear error or a retry, and never a wrong file under a right name."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.transfer.faults import Fault
from tests.unit.transfer.two_folders import Outcome, TwoFolders, Watcher, allowed, picture

from smc.base.errors import SmcError, Transient, WireError
from smc.transfer import native, writer
from smc.transfer.files.walk import is_fresh
from smc.transfer.memory import Memory
from smc.wire import listener, stream
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


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory, source: Path, older: Path) -> Callable[..., TwoFolders]:
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


PLACES = st.one_of(st.integers(0, 3000), st.integers(0, 1_500_000))
TWISTS = st.one_of(st.just(0), st.integers(1, 255))
LINE_FAULTS = st.builds(Fault, st.integers(0, CONNECTIONS - 1), PLACES, TWISTS, st.booleans())
LINE = settings(
    deadline=None,
    max_examples=6,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("ssl", [Ssl.ON, Ssl.OFF])
@LINE
@given(faults=st.lists(st.lists(LINE_FAULTS, min_size=1, max_size=2), min_size=1, max_size=3))
@example(faults=[[Fault(1, 100_000)], [Fault(2, 100_000)], [Fault(3, 100_000)]])
@example(faults=[[Fault(1, 500_000, twist=1)], [Fault(0, 2500)]])
@example(faults=[[Fault(1, 61, twist=4)]])  # in the clear: the length of a head, which does not come
def test_a_line_that_cuts_and_twists_costs_tries_and_nothing_else(
    fresh: Callable[..., TwoFolders], older: Path, ssl: Ssl, faults: list[list[Fault]]
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
