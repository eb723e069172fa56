"""A listing under way, the same at both ends: which of its files are settled, and what they prove."""

import threading
from collections.abc import Callable, Iterable, Sequence

from smc.base.errors import WireError
from smc.transfer import native
from smc.transfer.verify import TreeDigest
from smc.wire import messages as m

Item = tuple[int, bytes, m.Entry]  # index in the listing, folder, entry
# The ledger, the places in its `files` of those of one folder, how many can be remembered, and these packed.
Closing = Callable[["Ledger", int, int, int, bytes], None]


class Ledger:
    """Of one listing. Each file without a link is settled once, by any thread.

    `files` are (index, path of the folder, entry) of these, in order; `lock` guards the tree's digest.
    """

    def __init__(
        self,
        listing: m.Listing,
        tree: int,
        digest: TreeDigest,
        lock: threading.Lock,
        closing: Closing | None = None,
    ) -> None:
        """`closing` is called for each folder when all is settled, before the tree's digest knows."""
        self._closing = closing
        self.number = listing.number
        self.tree = tree
        self.files: list[Item] = []
        self._digest = digest
        self._lock = lock
        self._results: dict[int, m.Sent | None] = {}
        self._parts = []
        index = 0
        with lock:
            for folder in listing.folders:
                if not digest.expects(folder.path):
                    if not folder.first:
                        raise WireError(f"a later part of {folder.path!r} came without its first")
                    digest.expect(folder.path)
                first, path, regular = len(self.files), folder.path, m.Kind.FILE
                self.files += [
                    (number, path, entry)
                    for number, entry in enumerate(folder.entries, index)
                    if entry.kind is regular and not entry.link
                ]
                index += len(folder.entries)
                part = digest.begin_part(folder.path, last=folder.last)
                self._parts.append((part, first, len(self.files)))

    def open(self) -> None:
        """Without a file it is complete at once."""
        if not self.files:
            self._close()

    @property
    def complete(self) -> bool:
        return len(self._results) == len(self.files)

    def awaits(self, indexes: Iterable[int]) -> bool:
        """Whether none of these is settled."""
        return self._results.keys().isdisjoint(indexes)

    def settle(self, sent: Sequence[m.Sent], missing: Sequence[int] = ()) -> bool:
        """Of `missing` no content came, and none will. True when these were the last."""
        more: dict[int, m.Sent | None] = {file.index: file for file in sent}
        if missing:
            more |= dict.fromkeys(missing)
        with self._lock:
            if len(more) < len(sent) + len(missing) or not self._results.keys().isdisjoint(more):
                raise WireError(f"a file of listing {self.number} was settled twice")
            self._results.update(more)
            if len(self._results) < len(self.files):
                return False
        self._close()
        return True

    def remembered(self, files: list[Item]) -> tuple[int, bytes]:
        """How many of these files of the listing can be remembered, and these packed for the index."""
        return native.pack_proved(files, 0, len(files), self._results, True)[3:]

    def _close(self) -> None:
        closing = self._closing
        with self._lock:
            for part, first, end in self._parts:
                files, size, lines, remembered, states = native.pack_proved(
                    self.files, first, end, self._results, closing is not None
                )
                if closing is not None and first < end:
                    closing(self, first, end, remembered, states)
                self._digest.end_part(part, (files, size, lines))
