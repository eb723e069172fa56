"""The way to the receiver is the one that the center names by then, not that of the first order."""

import queue
import socket
import threading
from pathlib import Path

import msgspec
from tests.unit.transfer.hostile import AGENT, RECEIVER

from smc.agent.notes import Notes
from smc.agent.replicate import send_until_done
from smc.agent.wish import Wish
from smc.model.plan import Plan
from smc.model.server import Architecture, Firmware
from smc.transfer.sender import SourceTree
from smc.transfer.writer import Received, TargetTree, receive
from smc.wire.listener import Listener
from smc.wire.orders import Event, EventKind, Order, TransferSettings

SECONDS = 20.0
PLAN = Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=())


def test_another_address_of_the_receiver_is_taken_when_the_next_connection_is_made(tmp_path: Path) -> None:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "file").write_bytes(b"content")
    received: list[Received] = []
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as old, Listener("127.0.0.1", 0, RECEIVER) as listener:
        order = Order(
            run="j-1.1", host="192.0.2.1", port=1, ca=AGENT.ca, certificate=AGENT.certificate, plan=PLAN
        )
        wish = Wish(msgspec.structs.replace(order, host="127.0.0.1", port=old.getsockname()[1]))
        trees = [SourceTree("0_1", tmp_path / "source", "/")]
        notes = Notes(order.run, events.put)

        def serve() -> None:
            with listener.accept(SECONDS) as channel:
                targets = [TargetTree("0_1", 0, 1, tmp_path / "target")]
                received.append(receive(channel, listener, targets, threading.Event(), lambda now: None))

        def work() -> None:
            events.put(send_until_done(wish, trees, AGENT, "127.0.0.1", "", events.put, notes))

        threads = [threading.Thread(target=target, daemon=True) for target in (serve, work)]
        for thread in threads:
            thread.start()
        old.settimeout(SECONDS)
        old.accept()[0].close()  # it is cut: nobody is there any more
        newer = msgspec.structs.replace(
            order, host="127.0.0.1", port=listener.port, settings=TransferSettings(compress_level=0)
        )
        wish.turn(newer)
        for thread in threads:
            thread.join(SECONDS)
            assert not thread.is_alive()
    kinds = []
    while not events.empty():
        kinds.append(events.get().kind)
    assert [kind for kind in kinds if kind is not EventKind.NOTE] == [EventKind.STARTED, EventKind.FINISHED]
    assert (tmp_path / "target" / "file").read_bytes() == b"content"
    assert len(received) == 1
