"""What did not go smoothly in one pass at the source: files that move, and those that cannot be read."""

import os
import threading
import time
from collections.abc import Callable, Iterable

from smc.base.errors import SourceReadError
from smc.model.report import Moving
from smc.transfer.files.folders import join
from smc.transfer.files.walk import COARSE_NS, GONE, SECOND_NS
from smc.wire.messages import Folder

CLOCK_NS = 20_000_000  # the kernel stamps changes by its tick, up to 10 ms behind the clock
MOST = 10_000  # of each list: a report stays readable


class Troubles:
    """By tree and path; the last that was said of a path holds. Shared by the threads of the sender."""

    def __init__(self, mount_points: list[str]) -> None:
        self.recent_ns = time.time_ns() - CLOCK_NS  # what changed since may change again unseen
        self._mount_points = mount_points
        self._lock = threading.Lock()
        self._moving: dict[tuple[int, bytes], str] = {}
        self._unreadable: dict[tuple[int, bytes], str] = {}
        self.read_at: dict[tuple[int, bytes], int] = {}  # ctime when it was read, of what changed lately
        self.unsettled = 0

    def is_recent(self, changed_ns: int) -> bool:
        """Whether what bears this ctime may have changed since the pass began; one of whole seconds is of a
        filesystem that cuts it off, to one or two of them."""
        cut = COARSE_NS if changed_ns % SECOND_NS == 0 else 0
        return changed_ns + cut >= self.recent_ns

    def saw(self, tree: int, folders: Iterable[Folder]) -> None:
        """What changed since the pass began is remembered in the state in which it was listed."""
        since = self.recent_ns - COARSE_NS  # what changed earlier is not recent, whatever time stamps it has
        for folder in folders:
            if folder.own is not None and self.is_recent(folder.own.changed_ns):
                self.read_at[tree, folder.path] = folder.own.changed_ns
            for entry in [entry for entry in folder.entries if entry.changed_ns >= since]:
                if self.is_recent(entry.changed_ns):
                    self.read_at[tree, join(folder.path, entry.name)] = entry.changed_ns

    def was_read(self, tree: int, path: bytes, changed_ns: int) -> None:
        """In the state of this ctime; only what changed lately is remembered."""
        if self.is_recent(changed_ns):
            with self._lock:
                self.read_at[tree, path] = changed_ns

    def unsettled_at(self, tree: int, path: bytes) -> None:
        """It is looked at again in the next pass, and listed if this was the last."""
        with self._lock:
            self.unsettled += 1
        self.moves(tree, path, "it was being written while it was copied")

    def missed(self, tree: int, path: bytes, error: OSError | None) -> None:
        """A content that did not come; `error` None when there is no regular file any more."""
        if error is None or error.errno in GONE:
            self.moves(tree, path, "it vanished while it was copied")
        else:
            self.cannot_read(tree, path, error)

    def moves(self, tree: int, path: bytes, why: str) -> None:
        with self._lock:
            if len(self._moving) < MOST:
                self._moving[tree, path] = why

    def cannot_read(self, tree: int, path: bytes, error: OSError) -> None:
        """Raises `SourceReadError` for the tree's own folder: what it has would be taken for nothing."""
        if not path:
            raise SourceReadError(
                f"{self._mount_points[tree]} cannot be read: {os.strerror(error.errno or 0)}"
            ) from error
        with self._lock:
            if len(self._unreadable) < MOST:
                self._unreadable[tree, path] = f"cannot be read: {os.strerror(error.errno or 0)}"

    def reader(self, tree: int) -> Callable[[bytes, OSError], None]:
        return lambda path, error: self.cannot_read(tree, path, error)

    def moving(self) -> tuple[Moving, ...]:
        return self._as_values(self._moving)

    def unreadable(self) -> tuple[Moving, ...]:
        return self._as_values(self._unreadable)

    def _as_values(self, found: dict[tuple[int, bytes], str]) -> tuple[Moving, ...]:
        return tuple(
            Moving(path=_whole(self._mount_points[tree], path), why=why)
            for (tree, path), why in sorted(found.items())
        )


def _whole(mount_point: str, path: bytes) -> str:
    """As on the source; bytes that are no UTF-8 as `\\xff`."""
    return f"{mount_point.rstrip('/')}/{path.decode(errors='backslashreplace')}"
