"""A receiver that breaks the protocol ends the sender with a violation, never with a wrong copy."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.unit.transfer.hostile import AGENT, RECEIVER, SECONDS

from smc.base.errors import SmcError, SourceReadError, TargetWriteError, WireError
from smc.model.progress import Failure
from smc.transfer.dials import Dials
from smc.transfer.outgoing import LONGEST_SIGNATURE
from smc.transfer.sender import MOST_STREAMS, SourceTree, send
from smc.wire import messages as m
from smc.wire.channel import Channel
from smc.wire.listener import Listener
from smc.wire.orders import TransferSettings
from smc.wire.route import Route
from smc.wire.stream import Opening

FULL = Failure(kind="Broken", code="Target.Full", message="the target is full", hint="Make it larger.")
SEND, KEPT, COMPARE, DIFFER = map(
    m.FileAnswer, (m.Answer.SEND, m.Answer.KEPT, m.Answer.COMPARE, m.Answer.DIFFER)
)
LARGE, SMALL = 0, 1  # indexes of the source's two files
Answers = Sequence[m.Message]


def verdict(*answers: m.FileAnswer, number: int = 0) -> m.Verdict:
    return m.Verdict(number, answers)


def signature(block: int = 4096, blocks: bytes = b"", **fields: object) -> m.Signature:
    known = {"listing": 0, "index": LARGE, "size": 4096, "last": True} | fields
    return m.Signature(block=block, blocks=blocks, **known)  # type: ignore[arg-type] # named by the tests


TO_A_LISTING: dict[str, Answers] = {
    "too few": [verdict(SEND)],
    "too many": [verdict(SEND, SEND, SEND)],
    "of another listing": [verdict(SEND, SEND, number=1)],
    "twice": [verdict(SEND, KEPT), verdict(SEND, KEPT)],
    "a hash that was not promised": [verdict(SEND, DIFFER), m.Examined(0, ((LARGE, b""),))],
    "a hash of another listing": [verdict(COMPARE, COMPARE), m.Examined(1, ((LARGE, b""),))],
    "a hash of no file": [verdict(COMPARE, COMPARE), m.Examined(0, ((9, b""),))],
    "a hash twice": [verdict(COMPARE, COMPARE), m.Examined(0, ((LARGE, b""), (LARGE, b"")))],
    "a signature that was not promised": [verdict(SEND, COMPARE), signature(last=False)],
    "a signature of another listing": [verdict(DIFFER, COMPARE), signature(listing=1, last=False)],
    "a signature twice": [verdict(DIFFER, COMPARE), signature(0), signature(0)],
    "a signature that never ends": [
        verdict(DIFFER, COMPARE),
        *[signature(blocks=bytes(LONGEST_SIGNATURE // 32), last=False)] * 33,
    ],
    "a signature with a part of a block": [verdict(DIFFER, COMPARE), signature(blocks=bytes(13))],
    "a signature of too few blocks": [verdict(DIFFER, COMPARE), signature(size=1 << 40, blocks=bytes(12))],
    "a signature of odd blocks": [verdict(DIFFER, COMPARE), signature(block=3, size=3, blocks=bytes(12))],
    "a signature of blocks below nothing": [
        verdict(DIFFER, COMPARE),
        signature(block=-4096, blocks=bytes(12)),
    ],
    "a signature of a size below nothing": [verdict(DIFFER, COMPARE), signature(size=-1, blocks=bytes(12))],
    "done already": [m.PassDone(1, 0)],
    "finished already": [m.Finished(())],
    "two greetings": [m.Welcome((), (False,))],
    "a sender's word": [m.PassEnd(1)],
    "a stream's message": [m.Missing(0, 0)],
}
WELCOMES = {
    "other trees": m.Welcome((), (False, False)),
    "no trees": m.Welcome((), ()),
    "a token that is too short": m.Welcome((m.StreamKey(0, b"short", bytes(32)),), (False,)),
    "a key that is too long": m.Welcome((m.StreamKey(0, bytes(32), bytes(33)),), (False,)),
    "no streams": m.Welcome((), (False,)),
    "too many streams": m.Welcome(
        tuple(m.StreamKey(number, bytes(32), bytes(32)) for number in range(MOST_STREAMS + 1)), (False,)
    ),
    "a stream below nothing": m.Welcome((m.StreamKey(-1, bytes(32), bytes(32)),), (False,)),
}


def opened(listener: Listener, *remembered: bool) -> m.Welcome:
    openings = [Opening.fresh(number) for number in range(2)]
    listener.expect(openings, secure=True)
    return m.Welcome(tuple(m.StreamKey(o.number, o.token, o.key) for o in openings), remembered)


def send_to(answer: Callable[[m.Message, Listener], Answers], root: Path) -> None:
    """What a receiver says to each message is up to `answer`."""
    with Listener("127.0.0.1", 0, RECEIVER) as listener:
        thread = threading.Thread(target=serve, args=(listener, answer))
        thread.start()
        try:
            route = Route("127.0.0.1", listener.port, AGENT)
            with route.connect() as channel:
                trees = [SourceTree("0_1", root)]
                dials = Dials(TransferSettings())
                send(channel, route.open_stream, trees, dials, threading.Event(), lambda note: None)
        finally:
            thread.join(SECONDS)
            assert not thread.is_alive()


def serve(listener: Listener, answer: Callable[[m.Message, Listener], Answers]) -> None:
    try:
        with listener.accept(SECONDS) as channel:
            speak(channel, listener, answer)
    except SmcError:
        pass  # the sender hung up


def speak(channel: Channel, listener: Listener, answer: Callable[[m.Message, Listener], Answers]) -> None:
    while (received := channel.receive(SECONDS)) is not None:
        if isinstance(received, m.Failed):
            return
        for message in answer(received, listener):
            channel.send(message)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "large").write_bytes(os.urandom(600_000))
    (tmp_path / "small").write_bytes(b"content")
    yield tmp_path
    assert (tmp_path / "small").read_bytes() == b"content"


@pytest.mark.parametrize("answers", TO_A_LISTING.values(), ids=TO_A_LISTING)
def test_an_answer_that_fits_nothing_is_a_violation(answers: Answers, source: Path) -> None:
    def answer(message: m.Message, listener: Listener) -> Answers:
        match message:
            case m.Hello():
                return [opened(listener, False)]
            case m.Listing():
                return answers
        return []

    with pytest.raises(WireError):
        send_to(answer, source)


@pytest.mark.parametrize("late", [m.Examined(0, ((LARGE, b""),)), signature()], ids=["hash", "signature"])
def test_a_promise_that_is_kept_when_all_was_sent_is_a_violation(late: m.Message, source: Path) -> None:
    promised = COMPARE if isinstance(late, m.Examined) else DIFFER

    def answer(message: m.Message, listener: Listener) -> Answers:
        match message:
            case m.Hello():
                return [opened(listener, False)]
            case m.Listing():
                return [verdict(promised, COMPARE), verdict()]  # the second: send all
            case m.PassEnd():
                return [late]
        return []

    with pytest.raises(WireError):
        send_to(answer, source)


@pytest.mark.parametrize("welcome", WELCOMES.values(), ids=WELCOMES)
def test_a_welcome_that_fits_nothing_is_a_violation(welcome: m.Welcome, source: Path) -> None:
    with pytest.raises(WireError):
        send_to(lambda message, _: [welcome] if isinstance(message, m.Hello) else [], source)


@pytest.mark.parametrize(
    "known", [m.Known(1, (None,)), m.Known(0, ()), m.Known(0, (None, None))], ids=["number", "few", "many"]
)
def test_an_answer_that_fits_no_survey_is_a_violation(known: m.Known, source: Path) -> None:
    def answer(message: m.Message, listener: Listener) -> Answers:
        match message:
            case m.Hello():
                return [opened(listener, True)]
            case m.Survey():
                return [known]
        return []

    with pytest.raises(WireError):
        send_to(answer, source)


def test_what_the_receiver_failed_with_is_raised_at_the_sender(source: Path) -> None:
    with pytest.raises(TargetWriteError) as raised:
        send_to(lambda message, _: [m.Failed(FULL)] if isinstance(message, m.Hello) else [], source)
    assert (raised.value.code, raised.value.message, raised.value.hint) == (
        FULL.code,
        FULL.message,
        FULL.hint,
    )


def test_a_source_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceReadError, match="cannot be read: No such file"):
        send_to(lambda message, _: [], tmp_path / "nothing")
