"""The receiving end: takes what a sender streams and makes the target trees equal to the source's."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

from smc.base.errors import Transient, WireError
from smc.model.report import Equality, Proof
from smc.transfer import native
from smc.transfer.arrival import Places
from smc.transfer.contents import Contents
from smc.transfer.examiner import Examiner
from smc.transfer.failures import PeerFailed, part
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.reconcile import SEND, Reconciler
from smc.transfer.give_back import giving_back
from smc.transfer.ledger import Ledger
from smc.transfer.memory import Memory
from smc.transfer.pipeline import Crew, Pipe
from smc.transfer.recording import Recorder
from smc.transfer.tally import Tally
from smc.transfer.tally import WriterProgress as WriterProgress
from smc.transfer.target import TargetTree as TargetTree
from smc.transfer.verify import TreeDigest, compare_proofs
from smc.wire import messages as m
from smc.wire.channel import TICK_SECONDS, Channel
from smc.wire.listener import Listener, StreamsAwaited
from smc.wire.stream import Opening, ReceivingStream

INBOX = 24  # listings that wait for their turn
STREAMS = 4  # data streams of a connection: enough that reading, hashing, sending and writing overlap
STREAM_SECONDS = 60.0  # for the sender to open all of them
STALLED_SECONDS = 60.0  # without a byte on any stream, when all was sent and not all is here


@dataclass(frozen=True)
class Received:
    proof: tuple[Proof, ...]
    passes: int
    resent: int


@dataclass(frozen=True)
class _Target:
    tree: TargetTree
    reconciler: Reconciler
    recorder: Recorder


@giving_back
def receive(
    channel: Channel,
    listener: Listener,
    trees: Sequence[TargetTree],
    stop: threading.Event,
    on_progress: Callable[[WriterProgress], None],
    memory: Memory | None = None,
) -> Received:
    """Serve one connection of a sender until all trees are equal and on disk; its streams come to `listener`.

    Give the same `memory` to every connection of a run. Raises `Transient` when the connection is cut or
    `stop` is set: what was received whole stays, and the next connection goes on from there; `Transient`
    (`Transfer.Stuck`) too while a thread of the connection before has not ended.
    """
    if memory is None:
        with closing(Memory()) as of_one:
            return receive(channel, listener, trees, stop, on_progress, of_one)
    memory.refuse_while_stuck()
    crew = Crew(stop)
    inbox: Pipe[m.Message] = Pipe(crew, INBOX)
    writer = _Writer(channel, listener, trees, memory, on_progress, crew)
    crew.start("inbox", lambda: _fill(channel, listener, inbox, crew, writer.done))
    try:
        received = writer.run(inbox)
        crew.join()
    except BaseException as e:  # noqa: BLE001 - the edge of the threads' work: all of it is raised
        raise part(channel, crew, e, writer.abort_streams) from None
    finally:
        memory.stragglers = crew.afterwards(writer.close)
    return received


def _fill(
    channel: Channel, listener: Listener, inbox: Pipe[m.Message], crew: Crew, done: threading.Event
) -> None:
    """Also after the last message, until `done`: whether the sender lives shows here alone."""
    while not done.is_set():
        crew.check()
        if listener.newcomer.is_set():  # the agent has one connection at a time: this one is dead
            raise Transient("the agent connected anew", code="Wire.Cut")
        try:
            message = channel.receive(timeout=TICK_SECONDS)
        except Transient:
            if done.is_set():
                return
            raise
        if message is None:
            continue
        if isinstance(message, m.Failed):
            raise PeerFailed(message.failure)
        inbox.put(message)


class _Writer:
    def __init__(
        self,
        channel: Channel,
        listener: Listener,
        trees: Sequence[TargetTree],
        memory: Memory,
        on_progress: Callable[[WriterProgress], None],
        crew: Crew,
    ) -> None:
        self.done = threading.Event()  # the last word is said
        self._channel = channel
        self._listener = listener
        self._crew = crew
        self._trees = {tree.name: tree for tree in trees}
        self._memory = memory
        self._streams: list[ReceivingStream] = []
        self._workers: list[threading.Thread] = []
        self._busy = [False] * STREAMS  # at work on what a stream brought
        self._tally = Tally(self._count_wire, memory, [tree.disk for tree in trees], on_progress)
        self._contents = Contents(memory, self._tally, crew.check)
        self._examiner = Examiner(self._contents, memory.temporary_name, self._say, crew)
        self._targets: list[_Target] = []
        self._digests: list[TreeDigest] = []
        self._lock = threading.Lock()
        self._pass = 0
        self._equality = Equality.TRANSFERRED
        self._opened = ExitStack()

    def run(self, inbox: Pipe[m.Message]) -> Received:
        self._crew.start("examiner", self._examiner.run)
        while True:
            message = inbox.get()
            if isinstance(message, m.Finish):
                return self._finish(message)
            self._take(message)
            self._report()

    def abort_streams(self) -> None:
        for stream in self._streams:
            stream.abort()

    def close(self) -> None:
        self._contents.close()
        self._streams.clear()  # each has megabytes, and the collector may come late
        for target in self._targets:
            target.reconciler.close()
        self._opened.close()

    def _say(self, message: m.Message) -> None:
        self._channel.send(message)

    def _report(self) -> None:
        """After each message."""
        if self._tally.is_due:
            self._tally.report(self._doing())

    def _doing(self) -> str:
        troubles = {target.recorder.index.trouble for target in self._targets}
        return "; ".join([f"pass {self._pass}", *sorted(troubles - {""})])

    def _count_wire(self) -> int:
        streams = sum(stream.received_bytes for stream in self._streams)
        return self._channel.sent_bytes + self._channel.received_bytes + streams

    def _take(self, message: m.Message) -> None:
        match message:
            case m.Hello():
                self._greet(message)
            case m.Totals():
                self._set_totals(message)
            case m.PassBegin():
                self._begin_pass(message.number)
            case m.Survey():
                self._take_survey(message)
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
        self._equality = Equality.REREAD if hello.checksum else Equality.TRANSFERRED
        for theirs in hello.trees:
            tree = self._trees[theirs.name]
            index = self._memory.index(tree.name, theirs.excludes)
            with tree.blamed(b""):
                reconciler = Reconciler(
                    tree.name,
                    tree.path,
                    Excludes(theirs.excludes),
                    self._memory,
                    index,
                    checksum=hello.checksum,
                    stamped=theirs.stamped,
                )
            self._targets.append(_Target(tree, reconciler, Recorder(index, self._contents)))
        openings = [Opening.fresh(number) for number in range(STREAMS)]
        awaited = self._listener.expect(openings, secure=hello.secure)
        self._opened.callback(awaited.close)
        keys = tuple(m.StreamKey(opening.number, opening.token, opening.key) for opening in openings)
        remembered = tuple(
            target.reconciler.stamped and target.recorder.index.remembers for target in self._targets
        )
        self._say(m.Welcome(keys, remembered))
        self._accept_streams(awaited)

    def _accept_streams(self, awaited: StreamsAwaited) -> None:
        deadline = time.monotonic() + STREAM_SECONDS
        for number in range(STREAMS):
            while (stream := awaited.accept(TICK_SECONDS)) is None:
                self._crew.check()
                if time.monotonic() > deadline:
                    raise Transient("the sender did not open its data streams", code="Wire.Cut")
            self._opened.callback(stream.close)
            self._streams.append(stream)
            thread = self._crew.start(f"stream {number}", partial(self._work, stream, number))
            self._workers.append(thread)

    def _work(self, stream: ReceivingStream, number: int) -> None:
        places = Places({name: tree.path for name, tree in self._trees.items()})
        try:
            while (received := stream.receive()) is not None:
                self._crew.check()
                places.begin(self._pass)
                self._busy[number] = True
                self._contents.take(*received, places)
                self._busy[number] = False
                self._report()
        finally:
            places.close()

    def _set_totals(self, message: m.Totals) -> None:
        if len(message.trees) != len(self._targets):
            raise WireError("totals came that are not of these trees")
        self._tally.set_totals([target.tree.disk for target in self._targets], message.trees)

    def _begin_pass(self, number: int) -> None:
        if number != self._pass + 1 or not self._targets:
            raise WireError(f"pass {number} came after pass {self._pass}")
        self._pass = number
        self._digests = [TreeDigest(target.recorder.record) for target in self._targets]
        for target in self._targets:
            target.reconciler.begin_pass()

    def _target(self, tree: int) -> _Target:
        if not self._pass or not 0 <= tree < len(self._targets):
            raise WireError(f"tree {tree} came out of turn")
        return self._targets[tree]

    def _take_survey(self, survey: m.Survey) -> None:
        target, digest = self._target(survey.tree), self._digests[survey.tree]
        proofs: list[m.FolderProof | None] = []
        for folder in survey.folders:
            proof = target.reconciler.unchanged(folder)
            proofs.append(proof)
            with self._lock:
                if digest.expects(folder.path):
                    raise WireError(f"{folder.path!r} was surveyed twice")
                digest.expect(folder.path)
                if proof is not None:
                    digest.know(folder.path, proof)
            if proof is not None and self._pass == 1:
                self._tally.credit(target.tree.disk, folder.stored, files=folder.files)
        self._say(m.Known(survey.number, tuple(proofs)))

    def _take_listing(self, listing: m.Listing) -> None:
        target = self._target(listing.tree)
        answers: list[m.FileAnswer] = []
        target.reconciler.free.clear()
        for folder in listing.folders:
            with target.tree.blamed(folder.path):
                answers += target.reconciler.take(folder)
            target.recorder.expect(folder)
        digest = self._digests[listing.tree]
        ledger = Ledger(listing, listing.tree, digest, self._lock, target.recorder.gather)
        send_all = answers.count(SEND) == len(answers)
        taken_up, free = target.reconciler.taken_up, frozenset(target.reconciler.free)
        told = () if send_all else tuple(answers)
        self._contents.expect(ledger, told, target.tree, taken_up, free, counted=self._pass == 1)
        if answers:
            self._say(m.Verdict(listing.number, told))
            if told:
                self._examiner.examine(ledger, told, target.tree)

    def _end_pass(self, number: int) -> None:
        if number != self._pass:
            raise WireError(f"pass {number} ended in pass {self._pass}")
        self._wait_for_contents()
        if not all(digest.complete for digest in self._digests):
            raise WireError(f"pass {number} ended before its listings")
        changes = self._contents.changes
        self._contents.changes = 0
        for target in self._targets:
            with target.tree.blamed(b""):
                target.reconciler.finish_pass()
            changes += target.reconciler.changes
        self._tally.report(self._doing())
        self._say(m.PassDone(number, changes))

    def _wait_for_contents(self) -> None:
        """All were sent. A length that was twisted on the way makes a stream wait for what will not come."""
        came, since = -1, 0.0
        while not self._contents.are_complete():
            self._crew.check()
            now = sum(stream.received_bytes for stream in self._streams)
            if now != came or any(self._busy):
                came, since = now, time.monotonic()
            elif time.monotonic() - since > STALLED_SECONDS:
                raise Transient("contents that were sent did not come", code="Wire.Cut")

    def _finish(self, message: m.Finish) -> Received:
        if len(message.trees) != len(self._targets) or not self._pass:
            raise WireError("the sender finished too early")
        self._examiner.end()
        self._crew.join(self._workers)
        written = [digest.proof() for digest in self._digests]
        compare_proofs(message.trees, written)
        self._tally.report("writing to disk")
        for target in self._targets:
            self._sync(target)
            target.recorder.index.commit()
        proof = tuple(
            Proof(
                disk=target.tree.disk,
                partition=target.tree.partition,
                files=ours.files,
                bytes=ours.size,
                sent=theirs.hash.hex(),
                written=ours.hash.hex(),
                by=self._equality,
            )
            for target, theirs, ours in zip(self._targets, message.trees, written, strict=True)
        )
        self._tally.complete()
        self._tally.report("all files are on disk")
        self.done.set()
        self._say(m.Finished(tuple(written)))
        return Received(proof, self._pass, self._memory.resent)

    def _sync(self, target: _Target) -> None:
        """What could not be written behind our back is lost, and records of it with it."""
        try:
            native.sync_filesystem(target.reconciler.folders.open(b""))
        except OSError:
            target.recorder.index.clear()
            with target.tree.blamed(b""):
                raise
