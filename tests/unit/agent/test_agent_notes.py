"""What the sender says of itself, in the job's log."""

from smc.agent.notes import BURST, LONGEST, MOST, SAME_SECONDS, SECONDS_EACH, Notes
from smc.wire.orders import Event, EventKind


class Told:
    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.notes = Notes("j-1.1", self.events.append, lambda: self.now)

    @property
    def messages(self) -> list[str]:
        return [event.message for event in self.events]


def test_a_sentence_becomes_a_note() -> None:
    told = Told()
    told.notes("pass 1: 7 changes")
    assert told.events == [Event(run="j-1.1", kind=EventKind.NOTE, message="pass 1: 7 changes")]


def test_the_same_sentence_is_no_news() -> None:
    told = Told()
    for _ in range(3):
        told.notes("counting files")
    told.now = SAME_SECONDS
    told.notes("counting files")
    assert told.messages == ["counting files", "counting files"]


def test_no_more_is_said_than_a_person_reads_and_it_is_said_that_there_was_more() -> None:
    told = Told()
    for number in range(BURST + 5):
        told.notes(f"note {number}")
    assert len(told.messages) == BURST
    told.now = SECONDS_EACH
    told.notes("later")
    assert told.messages[-1] == "later (5 more in the agent's log)"


def test_notes_are_bounded_for_the_life_of_a_process() -> None:
    told = Told()
    for number in range(MOST + 100):
        told.now += SECONDS_EACH
        told.notes(f"note {number}")
    assert len(told.messages) == MOST

    long = Told()
    long.notes("x" * 10_000)
    assert len(long.messages[0]) == LONGEST


def test_the_level_of_compression_is_told_when_it_changes() -> None:
    told = Told()
    for level in (7, 7, 3):
        told.notes.compressing_at(level)
    assert [event.compress_level for event in told.events] == [7, 3]
    assert told.messages == ["", ""], "it is no line of the log"
