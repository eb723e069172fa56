"""The look back after a pass: what changed at the source since it was listed or read.

Nobody else has much to do meanwhile, so several threads look: without changes it is near half of a round.
"""

import os
import stat
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from smc.transfer import native
from smc.transfer.files.folders import Folders, join
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import NO_HANDLES, glance
from smc.transfer.pipeline import TICK_SECONDS
from smc.transfer.troubles import Troubles


def find_moved(
    hands: Sequence[Sequence[Folders]],
    excludes: Sequence[Excludes],
    troubles: Troubles,
    check: Callable[[], None],
) -> int:
    """Adds to `troubles` what was changed since the pass began and was not read in that state; how many.

    By ctime, which no program can set. A folder stands for what was removed from it. Each of `hands` are
    the folders of one thread. Raises `SourceReadError` when a tree cannot be read any more.
    """
    found = 0
    with ThreadPoolExecutor(len(hands)) as threads:
        for tree, of_tree in enumerate(excludes):
            look = _LookBack(tree, of_tree, troubles, check)
            found += sum(threads.map(look.work, [hand[tree] for hand in hands]))
    return found


class _LookBack:
    """At one tree: each hand takes a folder and adds those that are in it."""

    def __init__(self, tree: int, excludes: Excludes, troubles: Troubles, check: Callable[[], None]) -> None:
        self._tree = tree
        self._excludes = excludes
        self._troubles = troubles
        self._check = check
        self._paths = [b""]  # to look at
        self._busy = 0  # hands that may add some
        self._changed = threading.Condition()

    def work(self, folders: Folders) -> int:
        """Until nothing is left; returns how many moved."""
        found = 0
        while (path := self._take()) is not None:
            below: list[bytes] = []
            try:
                newest, below = glance(folders, path, self._excludes)
                if self._troubles.is_recent(newest):
                    found += _look_closer(self._tree, folders, self._excludes, path, self._troubles)
            except OSError as e:
                if e.errno in NO_HANDLES:
                    raise
                if not path:
                    self._troubles.cannot_read(self._tree, path, e)
            finally:
                self._give(below)
        return found

    def _take(self) -> bytes | None:
        self._check()
        with self._changed:
            while not self._paths:
                if not self._busy:
                    return None
                self._changed.wait(TICK_SECONDS)
            self._busy += 1
            return self._paths.pop()

    def _give(self, paths: list[bytes]) -> None:
        with self._changed:
            self._busy -= 1
            self._paths += paths
            if paths or not self._busy:
                self._changed.notify_all()


def _look_closer(tree: int, folders: Folders, excludes: Excludes, path: bytes, troubles: Troubles) -> int:
    try:
        handle = folders.open(path)
        names = native.names(handle)
        own = os.fstat(handle).st_ctime_ns
    except OSError:  # its parent tells of it
        return 0
    found = 0
    if _moved(tree, path, own, troubles):
        troubles.moves(tree, path, "its entries changed after it was copied")
        found += 1
    for name in names:
        one = join(path, name)
        try:
            state = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISDIR(state.st_mode) or not _moved(tree, one, state.st_ctime_ns, troubles):
            continue
        if excludes and excludes.match(one, folder=False):
            continue
        troubles.moves(tree, one, "it changed after it was copied")
        found += 1
    return found


def _moved(tree: int, path: bytes, changed_ns: int, troubles: Troubles) -> bool:
    return troubles.is_recent(changed_ns) and troubles.read_at.get((tree, path)) != changed_ns
