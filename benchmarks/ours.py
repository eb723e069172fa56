"""One end of our copy as a program, as the agent and the receiver are: it lives as long as the benchmark.

    python -m benchmarks.ours agent|receiver

Reads one order a line (JSON), answers each with one line; ends with its input. All that a new version of the
engine's functions changes here is in `Receiver.serve` and `send_once`. The other side is `pair.py`.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import msgspec

from smc.base.errors import Broken, SmcError
from smc.transfer.dials import Dials
from smc.transfer.give_back import keep_what_is_loaded
from smc.transfer.memory import Memory
from smc.transfer.sender import SourceTree, send
from smc.transfer.writer import TargetTree, receive
from smc.wire.listener import Listener
from smc.wire.orders import TransferSettings
from smc.wire.route import Route
from smc.wire.stream import Opening, SendingStream
from smc.wire.tls import Identity

COME_SECONDS = 60.0  # for the agent to dial
Order = dict[str, Any]  # a line of ours, made by `pair.py`


class Receiver:
    """Its memories outlive copies: one a target, as a job's rounds share one."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._memories: dict[str, Memory] = {}

    def serve(self, order: Order, answers: TextIO) -> Order:
        target = order["target"]
        if order["fresh"]:
            self._memories[target] = Memory()
        with Listener(order["host"], 0, self._identity) as listener:
            _say(answers, {"port": listener.port})
            with listener.accept(COME_SECONDS) as channel:
                trees = [TargetTree("0_1", 0, 1, Path(target))]
                receive(channel, listener, trees, threading.Event(), lambda _: None, self._memories[target])
        return {}


def send_once(order: Order, identity: Identity) -> Order:
    settings = msgspec.convert(order["settings"], TransferSettings)
    if strange := set(order["settings"]) - set(TransferSettings.__struct_fields__):
        raise Broken(f"this engine has no setting {sorted(strange)[0]}")
    streams: list[SendingStream] = []
    route = Route(order["host"], order["port"], identity)
    begin = time.monotonic()
    with route.connect() as channel:
        trees = [SourceTree("0_1", Path(order["source"]), "/")]

        def open_one(opening: Opening, secure: bool) -> SendingStream:
            stream = route.open_stream(opening, secure)
            streams.append(stream)
            return stream

        sent = send(channel, open_one, trees, Dials(settings), threading.Event(), lambda _: None)
        seconds = time.monotonic() - begin
        wire = channel.sent_bytes + sum(stream.sent_bytes for stream in streams)
        return {"seconds": seconds, "wire": wire, "passes": sent.passes}


def main(role: str) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    identity = Identity(**json.loads(sys.stdin.readline()))
    receiver = Receiver(identity)
    keep_what_is_loaded()
    _say(answers, {"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            done = receiver.serve(order, answers) if role == "receiver" else send_once(order, identity)
        except SmcError as e:
            done = {"error": f"{type(e).__name__}: {e}"}
        _say(answers, done)


def _say(answers: TextIO, line: Order) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
