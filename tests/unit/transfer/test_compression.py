"""The level follows what the line and the compressor take for a byte, and never goes above what is wanted."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from smc.transfer import compression as compression_module
from smc.transfer.compression import PROBE_SECONDS, SMALLEST, ZSTD_LEVELS, Compression
from smc.wire.stream import Sending

FRAME = 512 * 1024
MB = 1e-6  # seconds a byte of what does a megabyte a second
LEVELS = range(len(ZSTD_LEVELS))


@dataclass
class World:
    """A line, a compressor and content, as fast as a test says; it stands in for `time` too."""

    wanted: int = 7
    line: float = 1 * MB  # seconds a byte
    compressor: float = MB / 500  # seconds a byte at level 1; each level more takes half as long again
    ratio: float = 0.4  # of compressed to plain bytes
    now: float = 1000.0
    notes: list[str] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.compression = Compression(lambda: self.wanted, self.notes.append, self.told.append)

    def monotonic(self) -> float:
        return self.now

    def send(self, frames: int = 1, size: int = FRAME) -> list[int]:
        """The levels of the frames, on the job's scale."""
        return [self._send_one(size) for _ in range(frames)]

    def _send_one(self, size: int) -> int:
        level = ZSTD_LEVELS.index(self.compression.level())
        wire, seconds = size, 0.0
        if level:
            wire, seconds = int(size * self.ratio), size * self.compressor * 1.5 ** (level - 1)
        self.compression.saw(Sending(size, wire, seconds, wire * self.line))
        self.now += seconds + wire * self.line
        return level


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World()
    monkeypatch.setattr(compression_module, "time", world)
    yield world


def test_every_level_of_a_job_means_more_work_than_the_one_before() -> None:
    levels = [-1000 if level is None else level for level in ZSTD_LEVELS]
    assert len(levels) == 11
    assert levels == sorted(set(levels))


def test_on_a_slow_line_the_wanted_level_holds(world: World) -> None:
    assert set(world.send(200)) == {7}
    assert world.notes == []
    assert world.told == [7]


def test_it_falls_to_nothing_when_the_line_is_faster_than_the_compressor(world: World) -> None:
    world.line, world.compressor = MB / 10_000, MB / 500
    levels = world.send(100)
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0
    assert "compression lowered to level 0: the line is faster than the compressor" in world.notes
    assert world.told == [7, 3, 1, 0]


def test_it_falls_only_as_far_as_it_must(world: World) -> None:
    world.line, world.compressor = MB / 200, MB / 1000
    levels = world.send(100)
    assert levels[-1] == 3


def test_content_that_does_not_get_smaller_is_sent_as_it_is(world: World) -> None:
    world.ratio = 1.0
    assert world.send(100)[-1] == 0


def test_it_rises_again_when_the_line_gets_slow(world: World) -> None:
    world.line, world.compressor = MB / 10_000, MB / 500
    world.send(100)
    world.line = MB
    levels = world.send(100)
    assert levels[-1] == 7
    assert "compression raised to level 7: the line is slower than the compressor" in world.notes


def test_it_rises_again_when_the_content_is_of_another_kind(world: World) -> None:
    """What did not get smaller says nothing about what comes a minute later."""
    world.ratio = 1.0
    world.send(100)
    world.ratio = 0.4
    assert world.send(1000)[-1] == 7


def test_a_fast_line_is_not_made_to_wait_for_trials(world: World) -> None:
    world.line, world.compressor = MB / 10_000, MB / 500
    world.send(100)
    levels = world.send(20_000)
    assert sum(map(bool, levels)) < 0.01 * len(levels)


@pytest.mark.parametrize("wanted", LEVELS)
def test_it_never_goes_above_what_is_wanted(world: World, wanted: int) -> None:
    world.wanted = wanted
    for line in (MB, MB / 10_000, MB / 50, MB):
        world.line = line
        assert max(world.send(100)) <= wanted
        world.now += 2 * PROBE_SECONDS
    assert world.send(100)[-1] == wanted


@pytest.mark.parametrize(("before", "now"), [(7, 0), (0, 7), (7, 3), (3, 10)])
def test_a_new_wish_holds_from_the_next_frame_on(world: World, before: int, now: int) -> None:
    world.wanted = before
    world.send(20)
    world.wanted = now
    assert world.send() == [now]
    assert world.told[-1] == now


def test_a_new_wish_holds_also_while_it_was_lowered(world: World) -> None:
    world.line, world.compressor = MB / 10_000, MB / 500
    world.send(100)
    world.wanted = 5
    assert world.send() == [5]


def test_small_frames_say_nothing_about_speeds(world: World) -> None:
    world.line, world.compressor = MB / 10_000, MB / 500
    assert set(world.send(100, size=SMALLEST - 1)) == {7}


def test_each_change_is_noted_in_a_sentence(world: World) -> None:
    world.line, world.compressor = MB / 10_000, MB / 500
    world.send(100)
    world.line = MB
    world.send(100)
    assert len(world.notes) == len(world.told) - 1
    for note, level in zip(world.notes, world.told[1:], strict=True):
        assert f"to level {level}: the line is" in note
