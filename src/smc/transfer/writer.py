"""The receiving end: takes what a sender streams and makes the target trees equal to the source's."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smc.base.errors import WireError
from smc.model.report import Proof
from smc.transfer.contents import Contents, Target
from smc.transfer.failures import PeerFailed, part
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.reconcile import Reconciler
from smc.transfer.memory import Memory
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.tally import Tally
from smc.transfer.tally import WriterProgress as WriterProgress
from smc.transfer.target import TargetTree as TargetTree
from smc.transfer.verify import TreeDigest
from smc.wire import messages as m
from smc.wire.channel import TICK_SECONDS, Channel

INBOX = 24  # messages of at most about 1 MiB that wait to be written


@dataclass(frozen=True)
class Received:
    proof: tuple[Proof, ...]
    passes: int
    resent: int


def receive(
    channel: Channel,
    trees: Sequence[TargetTree],
    stop: threading.Event,
    on_progress: Callable[[WriterProgress], None],
    memory: Memory | None = None,
) -> Received:
    """Serve one connection of a sender until all trees are equal and on disk.

    Give the same `memory` to every connection of a run. Raises `Transient` when the connection is cut or
    `stop` is set: what was received whole stays, and the next connection goes on from there.
    """
    crew = Crew(stop)
    inbox: Pipe[tuple[m.Message, memoryview]] = Pipe(crew, INBOX)
    writer = _Writer(channel, trees, memory or Memory(), on_progress, crew.check)
    crew.start("inbox", lambda: _fill(channel, inbox, crew))
    try:
        received = writer.run(inbox)
        crew.join()
    except BaseException as e:  # noqa: BLE001 - the edge of the threads' work: all of it is raised
        raise part(channel, crew, e) from None
    finally:
        writer.close()
    return received


def _fill(channel: Channel, inbox: Pipe[tuple[m.Message, memoryview]], crew: Crew) -> None:
    while True:
        crew.check()
        received = channel.receive(timeout=TICK_SECONDS)
        if received is None:
            continue
        if isinstance(received[0], m.Failed):
            raise PeerFailed(received[0].failure)
        inbox.put(received)
        if isinstance(received[0], m.Finish):
            return


class _Writer:
    def __init__(
        self,
        channel: Channel,
        trees: Sequence[TargetTree],
        memory: Memory,
        on_progress: Callable[[WriterProgress], None],
        check: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._check = check
        self._trees = {tree.name: tree for tree in trees}
        self._memory = memory
        self._tally = Tally(channel, memory, [tree.disk for tree in trees], on_progress)
        self._contents = Contents(memory, self._tally, check)
        self._targets: list[Target] = []
        self._digests: list[TreeDigest] = []
        self._tree = -1  # whose listings come; none before the first
        self._pass = 0

    def run(self, inbox: Pipe[tuple[m.Message, memoryview]]) -> Received:
        while True:
            message, content = inbox.get()
            if isinstance(message, m.Finish):
                return self._finish(message)
            if not self._contents.take(message, content):
                self._take(message)
            self._tally.report(f"pass {self._pass}", now=False)

    def close(self) -> None:
        self._contents.close()
        for target in self._targets:
            target.reconciler.close()

    def _take(self, message: m.Message) -> None:
        match message:
            case m.Hello():
                self._greet(message)
            case m.Totals():
                self._set_totals(message)
            case m.PassBegin():
                self._begin_pass(message.number)
            case m.TreeBegin():
                self._begin_tree(message)
            case m.Listing():
                self._take_listing(message)
            case m.PassEnd():
                self._end_pass(message.number)
            case _:
                raise WireError(f"a sender does not send {type(message).__name__}")

    def _greet(self, hello: m.Hello) -> None:
        if hello.protocol != m.PROTOCOL:
            raise WireError(f"the sender speaks protocol {hello.protocol}, this program {m.PROTOCOL}")
        names = [tree.name for tree in hello.trees]
        if self._targets or sorted(names) != sorted(self._trees):
            raise WireError(f"the sender's trees ({', '.join(names)}) are not the target's")
        for theirs in hello.trees:
            tree = self._trees[theirs.name]
            excludes = Excludes(theirs.excludes)
            with tree.blamed(b""):
                reconciler = Reconciler(
                    tree.name, tree.path, excludes, self._memory, self._check, checksum=hello.checksum
                )
            self._targets.append(Target(tree, reconciler))
        self._channel.send(m.Welcome())

    def _set_totals(self, message: m.Totals) -> None:
        if len(message.trees) != len(self._targets) or self._pass:
            raise WireError("totals came that are not of these trees")
        self._tally.set_totals([target.tree.disk for target in self._targets], message.trees)

    def _begin_pass(self, number: int) -> None:
        if number != self._pass + 1 or not self._targets:
            raise WireError(f"pass {number} came after pass {self._pass}")
        self._pass = number
        self._digests = [TreeDigest() for _ in self._targets]
        self._tree = -1

    def _begin_tree(self, message: m.TreeBegin) -> None:
        if message.tree != self._tree + 1 or message.tree >= len(self._digests):
            raise WireError(f"tree {message.tree} came out of turn")
        self._tree = message.tree
        self._targets[message.tree].reconciler.begin_pass(message.root)

    def _take_listing(self, listing: m.Listing) -> None:
        if self._tree < 0:
            raise WireError(f"listing {listing.number} came before its tree")
        target = self._targets[self._tree]
        answers: list[m.FileAnswer] = []
        for folder in listing.folders:
            with target.tree.blamed(folder.path):
                answers += target.reconciler.take(folder)
        self._contents.expect(listing, answers, target, self._digests[self._tree], counted=self._pass == 1)
        self._channel.send(m.Verdict(listing.number, tuple(answers)))

    def _end_pass(self, number: int) -> None:
        if not self._contents.complete or number != self._pass or self._tree != len(self._targets) - 1:
            raise WireError(f"pass {number} ended before its listings")
        changes = 0
        for target in self._targets:
            with target.tree.blamed(b""):
                target.reconciler.finish_pass()
            changes += target.reconciler.changes
        self._tree = -1
        self._channel.send(m.PassDone(number, changes))

    def _finish(self, message: m.Finish) -> Received:
        if len(message.trees) != len(self._targets) or not self._contents.complete or not self._pass:
            raise WireError("the sender finished too early")
        self._tally.report("writing to disk")
        os.sync()
        written = [digest.proof() for digest in self._digests]
        trees = [target.tree for target in self._targets]
        proof = tuple(
            Proof(
                disk=tree.disk,
                partition=tree.partition,
                files=ours.files,
                bytes=ours.size,
                sent=theirs.hash.hex(),
                written=ours.hash.hex(),
            )
            for tree, theirs, ours in zip(trees, message.trees, written, strict=True)
        )
        self._tally.complete()
        self._tally.report("all files are on disk")
        self._channel.send(m.Finished(tuple(written)))
        return Received(proof, self._pass, self._memory.resent)
