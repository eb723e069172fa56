"""Bringing a target tree to what the source lists, folder by folder, and asking for the contents it lacks.

What happens when: removals, folders and small entries as they are listed; contents as they arrive; hard links
when all contents are there; folders' own metadata last, because everything before changes their times.
"""

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from smc.base.errors import TargetWriteError, WireError
from smc.transfer import native
from smc.transfer.delta import SMALLEST
from smc.transfer.files.afterwards import FolderStates, LinksToMake
from smc.transfer.files.entry import SECTOR, check_entry, open_quietly, read_entry, same_metadata, write_flags
from smc.transfer.files.folders import Folders, check_path, join, split
from smc.transfer.files.incoming import Incoming
from smc.transfer.files.links import Links
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.place import change, change_open, make, make_folder, remove, unlock_open
from smc.transfer.files.present import Present
from smc.transfer.index import Index, Recollection
from smc.transfer.memory import Memory
from smc.transfer.verify import ranges
from smc.wire.messages import Answer, Entry, FileAnswer, Folder, FolderProof, Kind, Surveyed

NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
SEND = FileAnswer(Answer.SEND)
MOST_RANGES = 4096  # of pieces that one answer names
MOST_MADE = 4096  # folders of which it is known that nothing can be in them


@dataclass
class _Names:
    """Of the folder whose parts are coming in."""

    path: bytes
    there: Present
    known: Recollection
    done_with: set[bytes] = field(default_factory=set)  # temporary names that were taken up or removed
    complete: bool = True


class Reconciler:
    """One tree during one connection; `begin_pass` ... `take` ... `finish_pass`, for each pass.

    `changes` counts what a pass made, changed or removed; only the caller's thread adds to it here.
    Raises OSError for what the target refuses.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        excludes: Excludes,
        memory: Memory,
        index: Index,
        *,
        checksum: bool,
        stamped: bool = True,
    ) -> None:
        """`stamped`: the source's time stamps tell of every change."""
        self.name = name
        self.folders = Folders(root)
        self.stamped = stamped and self.folders.stamped  # at both ends
        self.changes = 0
        self._excludes = excludes
        self._memory = memory
        self._index = index
        self._checksum = checksum
        self._names: _Names | None = None
        self._states = FolderStates(memory.folder)
        self.taken_up: dict[bytes, Incoming] = {}  # half received, answered with GO_ON
        self.free: set[bytes] = set()  # folders taken since this was emptied that had no entry before
        self._links = LinksToMake(memory.folder)
        self._claimed = Links(folder=memory.folder)
        self._removed = 0  # names, in all
        self._unlocked: dict[bytes, int] = {}  # folders with the flags that they had
        self._made: set[bytes] = set()  # folders of this pass that are not listed yet, up to MOST_MADE

    def begin_pass(self) -> None:
        self.changes = 0
        self._names = None
        self._states.close()
        self._links.close()
        self._claimed.close()
        self._unlocked = {}
        self._made.clear()

    def unchanged(self, surveyed: Surveyed) -> FolderProof | None:
        """The proof of a folder that neither end changed since it was recorded."""
        if self._names is not None and self._names.path == surveyed.path:
            raise WireError(f"{surveyed.path!r} was surveyed while it is being listed")
        if not self.stamped:
            return None
        try:
            target = native.survey(self.folders.open(check_path(surveyed.path)))[0]
        except OSError:
            return None
        return self._index.unchanged(surveyed.path, surveyed.digest, target)

    def take(self, folder: Folder) -> list[FileAnswer]:
        """Answers for the part's files without a link, in order."""
        handle = self._enter(folder)
        if handle is None:
            return []
        names = self._names
        assert names is not None
        answers: list[FileAnswer] = []
        empty = not names.there.any  # as in every first copy
        names.there.follow([entry.name for entry in folder.entries])
        regular = Kind.FILE
        for entry in folder.entries:
            if entry.target or entry.xattrs:
                check_entry(entry)
            if empty and entry.kind is regular and not entry.link:
                answers.append(SEND)
                continue
            name = entry.name
            path = join(folder.path, name)
            is_there = names.there.has(name)
            if entry.link and entry.kind is not Kind.FOLDER:
                self._links.add(path, check_path(entry.link))
                continue
            ours = self._look(handle, path, entry) if is_there else None
            if entry.kind is Kind.FILE:
                answers.append(self._answer(handle, path, entry, ours))
            elif entry.kind is Kind.FOLDER:
                self._states.add(path, entry)
                if ours is None:
                    make_folder(handle, name)
                    self.changes += 1
                    if len(self._made) < MOST_MADE:
                        self._made.add(path)
            else:
                self._place(handle, entry, ours)
        if empty:
            self.changes += len(answers)
            self.free.add(folder.path)
        if folder.last:
            self._remove_others(handle)
        return answers

    def finish_pass(self) -> None:
        """Links, then folders' own metadata, from the bottom upwards; so each that was listed is in order,
        and the index remembers how it looks now. What is changed at the target from then on shows."""
        for path, first in self._links:
            self._link(path, first)
        for path, entry, listed in self._states.from_the_bottom():
            try:
                handle = self.folders.open(path)
            except FileNotFoundError:  # its parent vanished at the source and was listed without it
                self._index.forget(path)
                continue
            if path in self._unlocked:  # only for this pass
                write_flags(handle, self._unlocked[path])
            if change_open(handle, entry):
                self.changes += 1
            if listed:
                self._seal(path, handle)

    def close(self) -> None:
        while self.taken_up:
            self.taken_up.popitem()[1].close()
        self._states.close()
        self._links.close()
        self._claimed.close()
        self.folders.close()

    def _seal(self, path: bytes, handle: int) -> None:
        try:
            self._index.seal(path, native.survey(handle)[0])
        except OSError:
            self._index.forget(path)

    def _enter(self, folder: Folder) -> int | None:
        """None for a folder that vanished at the source before it was listed, and is not here either."""
        path = check_path(folder.path)
        if self._names is not None and self._names.path != path and folder.first:
            raise WireError(f"{path!r} was listed before {self._names.path!r} was complete")
        try:
            handle = self.folders.open(path)
        except OSError as e:
            if e.errno in NO_FOLDER and not folder.entries and not folder.complete:
                return None
            raise self._not_there(path, e) from e
        if folder.first:
            if folder.own is not None:
                self._states.add(path, check_entry(folder.own), own=True)
            self._names = self._look_around(path, handle)
        if self._names is None or self._names.path != path:
            raise WireError(f"a later part of {path!r} came without its first")
        self._names.complete &= folder.complete
        return handle

    def _look_around(self, path: bytes, handle: int) -> _Names:
        if path in self._made:  # as in every first copy
            self._made.remove(path)
            return _Names(path, Present(), Recollection(b""))
        if locked := unlock_open(handle):
            self._unlocked[path] = locked
        there = Present(handle)
        return _Names(path, there, Recollection(self._remembered(path, handle) if there.any else b""))

    def _remembered(self, path: bytes, handle: int) -> bytes | memoryview:
        """Of a folder that somebody else changed since it was in order nothing is taken for granted, nor
        where that does not show."""
        if not self.stamped:
            return b""
        sealed = self._index.sealed(path)
        if sealed and native.survey(handle)[0] != sealed:
            return b""
        return self._index.files(path)

    def _not_there(self, path: bytes, error: OSError) -> Exception:
        if error.errno in NO_FOLDER:
            return WireError(f"{path!r} was listed before it was a folder")
        if error.errno == errno.EXDEV:
            return TargetWriteError(
                f"another filesystem is mounted at {path!r} in the target of {self.name}",
                code="Target.Mounted",
                hint="Every target filesystem must be mounted by itself.",
            )
        return error

    def _look(self, handle: int, path: bytes, entry: Entry) -> Entry | None:
        """What is there under the name, if it can stay: of the same kind, and no link to something else."""
        ours, state = read_entry(handle, entry.name)
        mine = True
        if state.st_nlink > 1 and ours.kind is not Kind.FOLDER:
            mine = not self._claimed.first(path, state.st_ino, state.st_nlink)
        if ours.kind is entry.kind and mine:
            return ours
        self._make_way(handle, entry.name)
        return None

    def _answer(self, handle: int, path: bytes, entry: Entry, ours: Entry | None) -> FileAnswer:
        assert self._names is not None
        known = self._names.known.recall(entry)
        left_over = self._left_over(handle, path, entry) if self._names.there.left_over else None
        if left_over is None and ours is not None and ours.size == entry.size:
            if ours.mtime_ns == entry.mtime_ns and not self._checksum and known is not None:
                if not same_metadata(ours, entry) and change(handle, entry.name, entry):
                    self.changes += 1
                return FileAnswer(Answer.KEPT, known)
            if ours.mtime_ns == entry.mtime_ns or self._checksum:
                return FileAnswer(Answer.COMPARE)
        self.changes += 1
        if left_over is not None:
            return left_over
        if ours is not None and min(ours.size, entry.size) >= SMALLEST:
            return FileAnswer(Answer.DIFFER)
        return SEND

    def _left_over(self, handle: int, path: bytes, entry: Entry) -> FileAnswer | None:
        """What an earlier connection left of this file; removed when it is of no use."""
        assert self._names is not None
        temporary = self._memory.temporary_name(entry.name)
        if temporary not in self._names.there.left_over:
            return None
        self._names.done_with.add(temporary)
        half = self._memory.take_half(self.name, path, entry)
        if half is not None:
            half.go_on()
            self.taken_up[path] = half
            return FileAnswer(Answer.GO_ON, have=ranges(half.hashes, MOST_RANGES))
        state = os.stat(temporary, dir_fd=handle, follow_symlinks=False)
        if stat.S_ISREG(state.st_mode) and min(state.st_size, entry.size) >= SMALLEST:
            return FileAnswer(Answer.DIFFER)
        self._memory.resent += state.st_blocks * SECTOR if stat.S_ISREG(state.st_mode) else 0
        self._make_way(handle, temporary)
        return None

    def _place(self, handle: int, entry: Entry, ours: Entry | None) -> None:
        if entry.kind is Kind.SYMLINK and not entry.target:  # unreadable at the source: what is here stays
            return
        if ours is not None:
            if same_metadata(ours, entry):
                return
            if (ours.target, ours.rdev) == (entry.target, entry.rdev):
                change(handle, entry.name, entry)
                self.changes += 1
                return
            self._make_way(handle, entry.name)
        make(handle, entry)
        self.changes += 1

    def _remove_others(self, handle: int) -> None:
        names = self._names
        assert names is not None
        self._names = None
        if not names.complete:
            return
        for name in names.there.not_listed():
            if name in names.done_with:
                continue
            if self._excludes:
                is_folder = read_entry(handle, name)[0].kind is Kind.FOLDER
                if self._excludes.match(join(names.path, name), folder=is_folder):
                    continue
            before = self._removed
            self._remove(handle, names.path, name)
            self.changes += self._removed > before

    def _make_way(self, handle: int, name: bytes, folder: bytes | None = None) -> None:
        """Remove what is in the way of something else of this name; None: in the folder that is listed."""
        if folder is None:
            assert self._names is not None
            folder = self._names.path
        if not self._remove(handle, folder, name):
            path = join(folder, name).decode(errors="backslashreplace")
            raise TargetWriteError(
                f"{path!r} in the target of {self.name} is a folder that holds excluded names, "
                "and something else at the source",
                code="Target.Excluded",
                hint="Change the exclude patterns, so that the folder can be removed.",
            )

    def _remove(self, handle: int, folder: bytes, name: bytes) -> bool:
        """With all below it that is not excluded; False when something of it stays."""
        self.folders.forget(join(folder, name))
        keep = self._is_excluded if self._excludes else None
        return remove(handle, folder, name, self._is_gone, keep)

    def _is_gone(self, path: bytes) -> None:
        self._removed += 1
        self._index.forget(path)

    def _is_excluded(self, path: bytes, is_folder: bool) -> bool:
        return self._excludes.match(path, folder=is_folder)

    def _link(self, path: bytes, first: bytes) -> None:
        folder, _ = split(path)
        first_folder, first_name = split(first)
        try:
            there = os.dup(self.folders.open(first_folder))  # the next folder may be deep enough to close it
        except FileNotFoundError:
            self._index.forget(folder)
            return
        try:
            self._link_from(there, first_name, path)
        except FileNotFoundError:  # gone, or its content could not be read: a later pass names another first
            self._index.forget(folder)
        finally:
            os.close(there)

    def _link_from(self, there: int, first_name: bytes, path: bytes) -> None:
        folder, name = split(path)
        first = os.stat(first_name, dir_fd=there, follow_symlinks=False)
        here = self.folders.open(folder)
        try:
            ours = os.stat(name, dir_fd=here, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if (ours.st_dev, ours.st_ino) == (first.st_dev, first.st_ino):
                return
            self._make_way(here, name, folder)
        _link_to(there, first_name, here, name)
        self.changes += 1


def _link_to(there: int, first: bytes, here: int, name: bytes) -> None:
    try:
        os.link(first, name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
    except PermissionError:  # an immutable file gets no new name
        handle = open_quietly(there, first)
        try:
            flags = unlock_open(handle)
            os.link(first, name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
            write_flags(handle, flags)
        finally:
            os.close(handle)
