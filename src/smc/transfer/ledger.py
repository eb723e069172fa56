"""A listing under way, the same at both ends: which of its files are settled, and what they prove."""

import threading
from collections.abc import Callable, Iterable

from smc.base.errors import WireError
from smc.transfer.verify import File, TreeDigest
from smc.wire import messages as m

Result = tuple[int, bytes]  # size and hash of a content
Item = tuple[int, bytes, m.Entry]  # index in the listing, folder, entry


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
        closing: Callable[["Ledger"], None] | None = None,
    ) -> None:
        """`closing` is called when all is settled, before the tree's digest knows."""
        self._closing = closing
        self.number = listing.number
        self.tree = tree
        self.files: list[Item] = []
        self._digest = digest
        self._lock = lock
        self._results: dict[int, Result | None] = {}
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

    def settle(self, results: Iterable[tuple[int, Result | None]]) -> bool:
        """Index and result of each; `None`: no content came, and none will. True when these were the last."""
        pairs = list(results)
        more = dict(pairs)
        with self._lock:
            if len(more) < len(pairs) or not self._results.keys().isdisjoint(more):
                raise WireError(f"a file of listing {self.number} was settled twice")
            self._results.update(more)
            if len(self._results) < len(self.files):
                return False
        self._close()
        return True

    def result(self, index: int) -> Result | None:
        return self._results.get(index)

    def results_of(self, first: int, end: int) -> list[tuple[m.Entry, Result]]:
        """Of the files at these places in `files`, without those whose content did not come."""
        result_of = self._results.get
        return [
            (entry, result)
            for index, _, entry in self.files[first:end]
            if (result := result_of(index)) is not None
        ]

    def parts(self) -> list[tuple[int, int]]:
        """For each folder of the listing, the places of its files in `files`."""
        return [(first, end) for _, first, end in self._parts]

    def _close(self) -> None:
        with self._lock:
            if self._closing is not None:
                self._closing(self)
            for part, first, end in self._parts:
                files: list[File] = [
                    (entry.name, size, content) for entry, (size, content) in self.results_of(first, end)
                ]
                self._digest.end_part(part, files)
