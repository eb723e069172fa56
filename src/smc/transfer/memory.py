"""What the receiver knows of the files that it wrote, so that nothing proved is moved or read again.

It lives as long as the receiver's program and spans its connections. Without it (a receiver that was
started again) files that look equal are compared by hash at both ends, and nothing is sent either.
"""

from typing import NamedTuple

from smc.wire.messages import Entry


class Record(NamedTuple):
    """The state of the source's file when its content was proved equal to what was written."""

    size: int
    mtime_ns: int
    changed_ns: int
    hash: bytes


class Memory:
    """`resent` and `wire` count over all connections; `done` is the most that was reached, by disk."""

    def __init__(self) -> None:
        self.resent = 0
        self.wire = 0
        self.files_done = 0
        self.done: dict[int, int] = {}
        self._records: dict[str, dict[bytes, Record]] = {}

    def recall(self, tree: str, path: bytes, entry: Entry) -> bytes | None:
        """The hash of the content, when the source's file is in the state in which it was proved."""
        record = self._records.get(tree, {}).get(path)
        if record is None or record[:3] != (entry.size, entry.mtime_ns, entry.changed_ns):
            return None
        return record.hash

    def remember(self, tree: str, path: bytes, entry: Entry, content: bytes) -> None:
        record = Record(entry.size, entry.mtime_ns, entry.changed_ns, content)
        self._records.setdefault(tree, {})[path] = record

    def forget(self, tree: str, path: bytes) -> None:
        self._records.get(tree, {}).pop(path, None)
