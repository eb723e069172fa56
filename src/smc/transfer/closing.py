"""The look back after a pass: what changed at the source since it was listed or read."""

import os
import stat
from collections.abc import Callable, Sequence

from smc.transfer import native
from smc.transfer.files.folders import Folders, join
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import Seen, look_over
from smc.transfer.troubles import Troubles


def find_moved(
    folders: Sequence[Folders],
    excludes: Sequence[Excludes],
    troubles: Troubles,
    check: Callable[[], None],
) -> int:
    """Adds to `troubles` what was changed since the pass began and was not read in that state; how many.

    By ctime, which no program can set. A folder stands for what was removed from it. Raises
    `SourceReadError` when a tree cannot be read any more.
    """
    found = 0
    for tree, of_tree in enumerate(folders):
        for seen in look_over(of_tree, excludes[tree], check):
            if seen.failure is not None and not seen.path:
                troubles.cannot_read(tree, seen.path, seen.failure)
            if seen.failure is None and troubles.is_recent(seen.newest_ns):
                found += _look_closer(tree, of_tree, excludes[tree], seen, troubles)
    return found


def _look_closer(tree: int, folders: Folders, excludes: Excludes, seen: Seen, troubles: Troubles) -> int:
    try:
        handle = folders.open(seen.path)
        names = native.names(handle)
        own = os.fstat(handle).st_ctime_ns
    except OSError:  # its parent tells of it
        return 0
    found = 0
    if _moved(tree, seen.path, own, troubles):
        troubles.moves(tree, seen.path, "its entries changed after it was copied")
        found += 1
    for name in names:
        path = join(seen.path, name)
        try:
            state = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISDIR(state.st_mode) or not _moved(tree, path, state.st_ctime_ns, troubles):
            continue
        if excludes and excludes.match(path, folder=False):
            continue
        troubles.moves(tree, path, "it changed after it was copied")
        found += 1
    return found


def _moved(tree: int, path: bytes, changed_ns: int, troubles: Troubles) -> bool:
    return troubles.is_recent(changed_ns) and troubles.read_at.get((tree, path)) != changed_ns
