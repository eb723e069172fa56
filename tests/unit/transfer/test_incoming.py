"""What several streams bring of one file meets in it, and only what its hashes say gets the name."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.transfer.hostile import entry, piece

from smc.base.errors import Transient, WireError
from smc.transfer.files.incoming import Incoming
from smc.transfer.verify import hash_bytes
from smc.wire import messages as m
from smc.wire.messages import PIECE

SECONDS = 10.0
NOTHING = memoryview(b"")
TEMPORARY = b".smc~1"


class Write(Protocol):
    def __call__(self, handle: int, data: bytes | memoryview, offset: int, /) -> int: ...


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def sent(content: bytes) -> m.Sent:
    return m.Sent(0, len(content), hash_bytes(content))


def take(incoming: Incoming, content: bytes, number: int = 0, attempt: int = 0) -> bool:
    return incoming.take(piece(content, number, attempt=attempt), memoryview(content))


def test_a_slow_piece_of_an_older_attempt_does_not_hit_the_newer_one(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stream is about to write a piece when others bring the file as it was read again."""
    really_write: Write = os.pwrite
    begun, go_on = threading.Event(), threading.Event()

    def write(handle: int, data: bytes | memoryview, offset: int, /) -> int:
        if bytes(data[:5]) == b"older":
            begun.set()
            assert go_on.wait(SECONDS)
        return really_write(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", write)
    incoming = Incoming.create(folder, TEMPORARY)
    slow = threading.Thread(target=take, args=(incoming, b"older" * 100))
    quick = threading.Thread(target=take, args=(incoming, b"newer", 0, 1))
    slow.start()
    assert begun.wait(SECONDS)
    quick.start()
    quick.join(0.2)  # if it does not wait for the slow one it has written now
    go_on.set()
    slow.join(SECONDS)
    quick.join(SECONDS)
    assert incoming.announce(2, 1, sent(b"newer"))
    incoming.finish(folder, entry(b"a", size=5), sent(b"newer"))
    assert (tmp_path / "a").read_bytes() == b"newer"


@settings(deadline=None, max_examples=40)
@given(
    length=st.sampled_from([0, 1, PIECE, PIECE + 1, 2 * PIECE]),
    attempts=st.integers(1, 3),
    data=st.data(),
)
def test_any_order_of_pieces_attempts_and_the_end_gives_the_last_attempt(
    tmp_path_factory: pytest.TempPathFactory, length: int, attempts: int, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("any")
    folder = os.open(root, os.O_RDONLY)
    try:
        contents = [os.urandom(length) for _ in range(attempts)]
        steps: list[tuple[int, int]] = [
            (attempt, number) for attempt in range(attempts) for number in range(-(-length // PIECE))
        ]
        end = (attempts - 1, -1)
        order: Sequence[tuple[int, int]] = data.draw(st.permutations([*steps, end]))
        incoming = Incoming.create(folder, TEMPORARY)
        complete = []
        for attempt, number in order:
            if number < 0:
                complete.append(incoming.announce(len(steps), attempt, sent(contents[-1])))
            else:
                part = contents[attempt][number * PIECE : (number + 1) * PIECE]
                complete.append(take(incoming, part, number, attempt))
        assert complete == [False] * len(steps) + [True]
        incoming.finish(folder, entry(b"a", size=length), sent(contents[-1]))
        assert (root / "a").read_bytes() == contents[-1]
        assert [path.name for path in root.iterdir()] == ["a"]
    finally:
        os.close(folder)


def test_what_is_no_piece_is_a_hole_of_the_newest_attempt(folder: int, tmp_path: Path) -> None:
    incoming = Incoming.create(folder, TEMPORARY)
    take(incoming, b"o" * PIECE, 0)
    take(incoming, b"o" * PIECE, 1)
    take(incoming, b"n" * PIECE, 2, attempt=1)
    content = bytes(2 * PIECE) + b"n" * PIECE + bytes(5)
    assert incoming.announce(3, 1, sent(content))
    incoming.finish(folder, entry(b"a", size=len(content)), sent(content))
    assert (tmp_path / "a").read_bytes() == content
    assert (tmp_path / "a").stat().st_blocks * 512 < 2 * PIECE


WRONG: dict[str, Callable[[Incoming], object]] = {
    "more pieces than announced": lambda i: (i.announce(1, 0, sent(b"")), take(i, b"1"), take(i, b"2", 1)),
    "fewer announced than came": lambda i: (take(i, b"1"), take(i, b"2", 1), i.announce(1, 0, sent(b""))),
    "a number below nothing": lambda i: i.announce(-1, 0, None),
    "another content": lambda i: i.take(piece(b"1"), memoryview(b"2")),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_a_violation(folder: int, wrong: Callable[[Incoming], object]) -> None:
    incoming = Incoming.create(folder, TEMPORARY)
    with pytest.raises(WireError):
        wrong(incoming)
    incoming.close()


def test_a_kept_piece_that_differs_makes_all_be_sent_again(folder: int, tmp_path: Path) -> None:
    incoming = Incoming.create(folder, TEMPORARY)
    take(incoming, b"1" * PIECE)
    take(incoming, b"2" * 5, 1)
    incoming.go_on()
    with pytest.raises(Transient):
        incoming.take(piece(b"x" * PIECE, kept=True), NOTHING)
    assert incoming.hashes == {}
    incoming.go_on()
    content = b"x" * PIECE + b"y" * 5
    take(incoming, content[:PIECE])
    take(incoming, content[PIECE:], 1)
    assert incoming.announce(2, 0, sent(content))
    incoming.finish(folder, entry(b"a", size=len(content)), sent(content))
    assert (tmp_path / "a").read_bytes() == content


def test_what_does_not_come_leaves_nothing(folder: int) -> None:
    incoming = Incoming.create(folder, TEMPORARY)
    take(incoming, b"1")
    assert os.listdir(folder) == [TEMPORARY.decode()]
    incoming.drop(folder)
    assert os.listdir(folder) == []
