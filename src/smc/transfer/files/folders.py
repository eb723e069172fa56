"""Folders of one tree, opened step by step so that no path can lead out of it.

Every step refuses symlinks and other filesystems. Neither PATH_MAX nor a rename by a hostile hand
matters, because only single names are ever resolved.
"""

import errno
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from smc.base.errors import WireError
from smc.transfer import native
from smc.transfer.files.stamps import tell_changes

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
KEPT_OPEN = 24  # of the folders used last
LONGEST_NAME = 255
NO_NAMES = frozenset({b"", b".", b".."})
NUL, SLASH = b"\0/"  # looking for a number in bytes takes a fifth of the time that it takes for bytes


class Folders:
    """Handles of folders by path relative to `root`; for one thread.

    A handle that `open` returned is good until 8 other folders were opened.
    """

    def __init__(self, root: Path) -> None:
        self._handles: OrderedDict[bytes, int] = OrderedDict()
        self._root = os.open(root, FLAGS & ~os.O_NOFOLLOW)
        self._device = os.fstat(self._root).st_dev
        self.stamped = tell_changes(self._root)  # else nothing may be taken for unchanged by its time stamps

    def __enter__(self) -> "Folders":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def device(self) -> int:
        return self._device

    def open(self, path: bytes) -> int:
        """Raises OSError: ENOENT, ENOTDIR or ELOOP where a step is no folder, EXDEV at a mount point."""
        if not path:
            return self._root
        handle = self._handles.get(path)
        if handle is not None:
            self._handles.move_to_end(path)
            return handle
        parent, _, name = path.rpartition(b"/")
        above = self._handles.get(parent) if parent else self._root
        if above is not None:  # as in every walk
            handle = self._step(above, name)
            self._keep(path, handle)
            return handle
        names = path.split(b"/")
        known = len(names) - 1
        while known and b"/".join(names[:known]) not in self._handles:
            known -= 1
        here = b"/".join(names[:known])
        handle = self._handles[here] if here else self._root
        for name in names[known:]:
            handle = self._step(handle, name)
            here = b"/".join((here, name)) if here else name
            self._keep(here, handle)
        return handle

    def forget(self, path: bytes) -> None:
        """Close what is open of `path` and below: it was removed or replaced."""
        below = path + b"/"
        for gone in [known for known in self._handles if known == path or known.startswith(below)]:
            os.close(self._handles.pop(gone))

    def begin_again(self) -> None:
        """Forget what is open but the root: a folder may have been moved and another one have its name."""
        while self._handles:
            os.close(self._handles.popitem()[1])

    def close(self) -> None:
        self.begin_again()
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def _step(self, parent: int, name: bytes) -> int:
        handle, device = native.step(parent, name)
        if device != self._device:
            os.close(handle)
            raise OSError(errno.EXDEV, "another filesystem is mounted here", name)
        return handle

    def _keep(self, path: bytes, handle: int) -> None:
        self._handles[path] = handle
        if len(self._handles) > KEPT_OPEN:
            os.close(self._handles.popitem(last=False)[1])


def names_in(handle: int) -> list[bytes]:
    """Of an open folder, in no order."""
    with os.scandir(handle) as found:
        return [os.fsencode(entry.name) for entry in found]


def check_name(name: bytes) -> bytes:
    """A peer's name of one entry; `WireError` for what could mean another place."""
    if len(name) > LONGEST_NAME or name in NO_NAMES or SLASH in name or NUL in name:
        raise WireError(f"not a name of a file: {name[:300]!r}")
    return name


def check_names(names: Sequence[bytes]) -> set[bytes]:
    """`check_name` for many, in a few steps."""
    found = set(names)
    whole = b"/".join(names)
    plain = whole.count(b"/") < max(len(names), 1) and NUL not in whole
    if not (plain and NO_NAMES.isdisjoint(found) and max(map(len, names), default=0) <= LONGEST_NAME):
        for name in names:
            check_name(name)
    return found


def check_path(path: bytes) -> bytes:
    """A peer's path relative to its tree, b"" for the tree's own folder."""
    if path:
        for name in path.split(b"/"):
            check_name(name)
    return path


def join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def split(path: bytes) -> tuple[bytes, bytes]:
    """`a/b/c` -> (`a/b`, `c`)."""
    folder, _, name = path.rpartition(b"/")
    return folder, name
