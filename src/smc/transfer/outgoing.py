"""The contents that the receiver asked for: its answers become work for the streams."""

import threading
from collections.abc import Callable, Sequence

from smc.base.errors import WireError
from smc.transfer.delta import Signature
from smc.transfer.jobs import Jobs
from smc.transfer.large import LargeJob
from smc.transfer.ledger import Item, Ledger
from smc.transfer.pipeline import TICK_SECONDS
from smc.transfer.small import SMALL, TOGETHER, SmallJob
from smc.wire import messages as m

UNSETTLED = 32  # listings whose contents are not all sent; what a listing weighs bounds the memory
LONGEST_SIGNATURE = 32 << 20


class Outgoing:
    """Of one connection. Listings come in with `begin`; everything else is driven by what is heard."""

    def __init__(self, jobs: Jobs, check: Callable[[], None]) -> None:
        self._jobs = jobs
        self._check = check
        self._ledgers: dict[int, Ledger] = {}
        self._promised: dict[tuple[int, int], Item] = {}  # an Examined or Signatures will come
        self._parts: dict[tuple[int, int], bytearray] = {}
        self._changed = threading.Condition()

    def begin(self, ledger: Ledger) -> None:
        """A listing that goes out now; waits while too many are under way."""
        with self._changed:
            while len(self._ledgers) >= UNSETTLED:
                self._check()
                self._changed.wait(TICK_SECONDS)
            if not ledger.complete:
                self._ledgers[ledger.number] = ledger
        ledger.open()

    def wait_until_all_is_sent(self) -> None:
        with self._changed:
            while self._ledgers:
                self._check()
                self._changed.wait(TICK_SECONDS)

    def settled(self, ledger: Ledger, sent: Sequence[m.Sent], missing: Sequence[int] = ()) -> None:
        if ledger.settle(sent, missing):
            with self._changed:
                del self._ledgers[ledger.number]
                self._changed.notify_all()

    def hear(self, message: m.Message) -> bool:
        """Returns False for a message that is not about contents."""
        match message:
            case m.Verdict():
                self._take(message)
            case m.Examined():
                self._compare(message)
            case m.Signature():
                self._collect(message)
            case _:
                return False
        return True

    def _take(self, verdict: m.Verdict) -> None:
        ledger = self._ledgers.get(verdict.number)
        if ledger is None:
            if verdict.files:
                raise WireError("an answer came that fits no listing")
            return
        if not verdict.files:
            self._send_all(ledger)
            return
        if len(verdict.files) != len(ledger.files):
            raise WireError("an answer came that fits no listing")
        small: list[Item] = []
        kept: list[m.Sent] = []
        for item, answer in zip(ledger.files, verdict.files, strict=True):
            index, folder, entry = item
            match answer.answer:
                case m.Answer.SEND if entry.size <= SMALL:
                    small.append(item)
                case m.Answer.SEND:
                    self._jobs.put(LargeJob(ledger, index, folder, entry))
                case m.Answer.GO_ON:
                    self._jobs.put(LargeJob(ledger, index, folder, entry, have=answer.have))
                case m.Answer.KEPT:
                    kept.append(m.Sent(index, entry.size, answer.hash))
                case m.Answer.COMPARE | m.Answer.DIFFER:
                    self._promised[ledger.number, index] = item
        self._put_small(ledger, small)
        if kept:
            self.settled(ledger, kept)

    def _send_all(self, ledger: Ledger) -> None:
        """Also what was answered before: that is settled twice, which the ledger refuses."""
        self._put_small(ledger, [item for item in ledger.files if item[2].size <= SMALL])
        for index, folder, entry in ledger.files:
            if entry.size > SMALL:
                self._jobs.put(LargeJob(ledger, index, folder, entry))

    def _put_small(
        self, ledger: Ledger, items: Sequence[Item], expected: dict[int, bytes] | None = None
    ) -> None:
        """In jobs of about one frame each, so that all streams have some."""
        job: list[Item] = []
        size = 0
        for item in items:
            job.append(item)
            size += item[2].size
            if size >= TOGETHER:
                self._jobs.put(SmallJob(ledger, job, expected))
                job, size = [], 0
        if job:
            self._jobs.put(SmallJob(ledger, job, expected))

    def _compare(self, examined: m.Examined) -> None:
        small: list[Item] = []
        for index, content in examined.files:
            ledger, item = self._kept_promise(examined.listing, index)
            if item[2].size <= SMALL:
                small.append(item)
            else:
                self._jobs.put(LargeJob(ledger, *item, expected=content))
        if small:
            self._put_small(ledger, small, dict(examined.files))

    def _collect(self, part: m.Signature) -> None:
        key = part.listing, part.index
        if key not in self._promised:
            raise WireError(f"a signature came for entry {key[1]} of listing {key[0]}, which waits for none")
        blocks = self._parts.setdefault(key, bytearray())
        blocks += part.blocks
        if len(blocks) > LONGEST_SIGNATURE:
            raise WireError("a signature came that is too long")
        if part.last:
            del self._parts[key]
            ledger, item = self._kept_promise(*key)
            older = Signature(block=part.block, size=part.size, blocks=bytes(blocks)) if part.block else None
            self._jobs.put(LargeJob(ledger, *item, older=older))

    def _kept_promise(self, listing: int, index: int) -> tuple[Ledger, Item]:
        item = self._promised.pop((listing, index), None)
        ledger = self._ledgers.get(listing)  # none: all was sent, promised or not
        if item is None or ledger is None:
            raise WireError(f"an answer came for entry {index} of listing {listing}, which waits for none")
        return ledger, item
