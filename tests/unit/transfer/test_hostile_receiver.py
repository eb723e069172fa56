"""A receiver that breaks the protocol ends the sender with a violation, never with a wrong copy."""

import threading
from pathlib import Path

import pytest
from tests.unit.transfer.hostile import AGENT, RECEIVER, SECONDS

from smc.base.errors import SmcError, TargetWriteError, WireError
from smc.model.progress import Failure
from smc.transfer.sender import SourceTree, send
from smc.wire import messages as m
from smc.wire.channel import Channel, Listener, connect
from smc.wire.orders import TransferSettings

FULL = Failure(kind="Broken", code="Target.Full", message="the target is full", hint="Make it larger.")
ANSWERS: dict[str, m.Message] = {
    "too few": m.Verdict(0, ()),
    "too many": m.Verdict(0, (m.FileAnswer(m.Answer.SEND),) * 2),
    "of another listing": m.Verdict(1, (m.FileAnswer(m.Answer.SEND),)),
    "going on within a block": m.Verdict(0, (m.FileAnswer(m.Answer.GO_ON, b"", 5),)),
    "done already": m.PassDone(1, 0),
    "a sender's word": m.PassEnd(1),
}


def answer(channel: Channel, message: m.Message) -> None:
    while (received := channel.receive(SECONDS)) is not None:
        match received[0]:
            case m.Hello():
                channel.send(m.Welcome())
            case m.Listing():
                channel.send(message)
            case m.Failed():
                return


def send_to(message: m.Message, root: Path) -> None:
    (root / "file").write_bytes(b"content")
    with Listener("127.0.0.1", 0, RECEIVER) as listener:

        def serve() -> None:
            try:
                with listener.accept(SECONDS) as channel:
                    answer(channel, message)
            except SmcError:
                pass  # the sender hung up

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with connect("127.0.0.1", listener.port, AGENT) as channel:
                send(
                    channel,
                    [SourceTree("0_1", root)],
                    TransferSettings(),
                    threading.Event(),
                    lambda note: None,
                )
        finally:
            thread.join(SECONDS)


@pytest.mark.parametrize("message", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_fits_nothing_is_a_violation(message: m.Message, tmp_path: Path) -> None:
    with pytest.raises(WireError):
        send_to(message, tmp_path)


def test_what_the_receiver_failed_with_is_raised_at_the_sender(tmp_path: Path) -> None:
    with pytest.raises(TargetWriteError) as raised:
        send_to(m.Failed(FULL), tmp_path)
    assert (raised.value.code, raised.value.message, raised.value.hint) == (
        FULL.code,
        FULL.message,
        FULL.hint,
    )
