"""The look back after the last pass: what changed at the source since it was listed or read."""

import os
import stat
from collections.abc import Callable, Sequence
from itertools import chain

from smc.transfer.files.folders import Folders, join
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import scan
from smc.transfer.troubles import Troubles


def find_moved(
    folders: Sequence[Folders],
    excludes: Sequence[Excludes],
    troubles: Troubles,
    check: Callable[[], None],
) -> None:
    """Adds to `troubles` what was changed since the last pass began and was not read in that state.

    By ctime, which no program can set. A folder stands for what was removed from it.
    """
    for tree, of_tree in enumerate(folders):
        root = b"", b"", os.fstat(of_tree.open(b""))
        for folder, name, state in chain([root], scan(of_tree, excludes[tree], check)):
            if state.st_ctime_ns < troubles.recent_ns:
                continue
            path = join(folder, name) if name else folder
            if troubles.read_at.get((tree, path)) == state.st_ctime_ns:
                continue
            what = "its entries changed" if stat.S_ISDIR(state.st_mode) else "it changed"
            troubles.moves(tree, path, f"{what} after it was copied")
