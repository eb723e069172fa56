"""A listing under way, the same at both ends: which of its files are settled, and what they prove."""

import threading
from collections.abc import Callable, Iterable

from smc.base.errors import WireError
from smc.transfer.verify import File, TreeDigest
from smc.wire import messages as m

Result = tuple[int, bytes]  # size and hash of a content


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
        self.files: list[tuple[int, bytes, m.Entry]] = []
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
                first = len(self.files)
                for entry in folder.entries:
                    if entry.kind is m.Kind.FILE and not entry.link:
                        self.files.append((index, folder.path, entry))
                    index += 1
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
        with self._lock:
            for index, result in results:
                if index in self._results:
                    raise WireError(f"entry {index} of listing {self.number} was settled twice")
                self._results[index] = result
            if len(self._results) < len(self.files):
                return False
        self._close()
        return True

    def result(self, index: int) -> Result | None:
        return self._results.get(index)

    def results_of(self, first: int, end: int) -> list[tuple[m.Entry, Result]]:
        """Of the files at these places in `files`, without those whose content did not come."""
        found = []
        for index, _, entry in self.files[first:end]:
            result = self._results.get(index)
            if result is not None:
                found.append((entry, result))
        return found

    def parts(self) -> list[tuple[int, int]]:
        """For each folder of the listing, the places of its files in `files`."""
        return [(first, end) for _, first, end in self._parts]

    def _close(self) -> None:
        with self._lock:
            if self._closing is not None:
                self._closing(self)
            for part, first, end in self._parts:
                files: list[File] = [(e.name, *result) for e, result in self.results_of(first, end)]
                self._digest.end_part(part, files)
