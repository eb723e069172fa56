"""Bringing a target tree to what the source lists, folder by folder, and asking for the contents it lacks.

What happens when: removals, folders and small entries as they are listed; contents as they arrive; hard links
when all contents are there; folders' own metadata last, because everything before changes their times.
"""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from smc.base.errors import TargetWriteError, WireError
from smc.transfer.files.content import hash_content
from smc.transfer.files.entry import open_quietly, read_entry, same_metadata, write_flags
from smc.transfer.files.folders import Folders, check_name, check_path, join, names_in, split
from smc.transfer.files.incoming import TEMPORARY, temporary_name
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.place import change, change_open, make, make_folder, remove, unlock_open
from smc.transfer.memory import Memory
from smc.transfer.verify import BLOCK
from smc.wire.messages import Answer, Entry, FileAnswer, Folder, Kind

NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
SEND = FileAnswer(Answer.SEND)


@dataclass
class _Names:
    """Of the folder whose parts are coming in."""

    path: bytes
    there: set[bytes]
    left_over: set[bytes]
    listed: set[bytes] = field(default_factory=set)
    complete: bool = True


class Reconciler:
    """One tree during one connection; `begin_pass` ... `take` ... `finish_pass`, for each pass.

    `changes` counts what a pass made, changed or removed. `check` may raise, to end what takes long.
    Raises OSError for what the target refuses.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        excludes: Excludes,
        memory: Memory,
        check: Callable[[], None],
        *,
        checksum: bool,
    ) -> None:
        self.name = name
        self.folders = Folders(root)
        self.changes = 0
        self._excludes = excludes
        self._memory = memory
        self._check = check
        self._checksum = checksum
        self._names: _Names | None = None
        self._made: list[tuple[bytes, Entry]] = []
        self._links: list[tuple[bytes, Entry]] = []
        self._claimed: dict[int, bytes] = {}
        self._unlocked: dict[bytes, int] = {}  # folders with the flags that they had

    def begin_pass(self, root: Entry) -> None:
        self.changes = 0
        self._names = None
        self._made = [(b"", root)]
        self._links = []
        self._claimed = {}
        self._unlocked = {}

    def take(self, folder: Folder) -> list[FileAnswer]:
        """Answers for the part's files without a link, in order."""
        handle = self._enter(folder)
        assert self._names is not None
        answers: list[FileAnswer] = []
        for entry in folder.entries:
            if check_name(entry.name) in self._names.listed:
                raise WireError(f"{entry.name!r} was listed twice in {folder.path!r}")
            self._names.listed.add(entry.name)
            path = join(folder.path, entry.name)
            if entry.link and entry.kind is not Kind.FOLDER:
                check_path(entry.link)
                self._links.append((path, entry))
                continue
            ours = self._look(handle, path, entry)
            match entry.kind:
                case Kind.FILE:
                    answers.append(self._answer(handle, path, entry, ours))
                case Kind.FOLDER:
                    self._made.append((path, entry))
                    if ours is None:
                        make_folder(handle, entry.name)
                        self.changes += 1
                case _:
                    self._place(handle, entry, ours)
        if folder.last:
            self._remove_others(handle)
        return answers

    def adjust(self, path: bytes, entry: Entry) -> None:
        """Metadata of a file whose content is right."""
        folder, name = split(path)
        if change(self.folders.open(folder), name, entry):
            self.changes += 1

    def finish_pass(self) -> None:
        for path, entry in self._links:
            self._link(path, entry)
        for path, entry in reversed(self._made):
            try:
                handle = self.folders.open(path)
            except FileNotFoundError:  # its parent vanished at the source and was listed without it
                continue
            if path in self._unlocked:  # only for this pass
                write_flags(handle, self._unlocked[path])
            if change_open(handle, entry):
                self.changes += 1

    def close(self) -> None:
        self.folders.close()

    def _enter(self, folder: Folder) -> int:
        path = check_path(folder.path)
        try:
            handle = self.folders.open(path)
        except OSError as e:
            if e.errno in NO_FOLDER:
                raise WireError(f"{path!r} was listed before it was a folder") from e
            if e.errno == errno.EXDEV:
                raise TargetWriteError(
                    f"another filesystem is mounted at {path!r} in the target of {self.name}",
                    code="Target.Mounted",
                    hint="Every target filesystem must be mounted by itself.",
                ) from e
            raise
        if folder.first:
            if locked := unlock_open(handle):
                self._unlocked[path] = locked
            there = set(names_in(handle))
            self._names = _Names(path, there, {name for name in there if name.startswith(TEMPORARY)})
        if self._names is None or self._names.path != path:
            raise WireError(f"a later part of {path!r} came without its first")
        self._names.complete &= folder.complete
        return handle

    def _look(self, handle: int, path: bytes, entry: Entry) -> Entry | None:
        """What is there under the name, if it can stay: of the same kind, and no link to something else."""
        assert self._names is not None
        if entry.name not in self._names.there:
            return None
        ours, state = read_entry(handle, entry.name)
        mine = True
        if state.st_nlink > 1 and ours.kind is not Kind.FOLDER:
            mine = self._claimed.setdefault(state.st_ino, path) == path
        if ours.kind is entry.kind and mine:
            return ours
        self._remove(handle, entry.name)
        return None

    def _answer(self, handle: int, path: bytes, entry: Entry, ours: Entry | None) -> FileAnswer:
        left_over = self._left_over(handle, entry)
        if left_over is None and ours is not None and ours.size == entry.size:
            if ours.mtime_ns == entry.mtime_ns and not self._checksum:
                known = self._memory.recall(self.name, path, entry)
                if known is not None:
                    if not same_metadata(ours, entry) and change(handle, entry.name, entry):
                        self.changes += 1
                    return FileAnswer(Answer.KEPT, known)
            if ours.mtime_ns == entry.mtime_ns or self._checksum:
                return FileAnswer(Answer.COMPARE, self._hash(handle, entry.name, entry.size))
        self.changes += 1
        return left_over or SEND

    def _left_over(self, handle: int, entry: Entry) -> FileAnswer | None:
        """What an earlier connection left of this file; removed when it is of no use."""
        assert self._names is not None
        temporary = temporary_name(entry.name)
        if temporary not in self._names.left_over:
            return None
        self._names.there.discard(temporary)
        state = os.stat(temporary, dir_fd=handle, follow_symlinks=False)
        size = state.st_size // BLOCK * BLOCK
        if stat.S_ISREG(state.st_mode) and 0 < size <= entry.size:
            self._memory.resent += state.st_size - size
            return FileAnswer(Answer.GO_ON, self._hash(handle, temporary, size), size)
        self._memory.resent += state.st_size
        self._remove(handle, temporary)
        return None

    def _place(self, handle: int, entry: Entry, ours: Entry | None) -> None:
        if ours is not None:
            if same_metadata(ours, entry):
                return
            if (ours.target, ours.rdev) == (entry.target, entry.rdev):
                change(handle, entry.name, entry)
                self.changes += 1
                return
            self._remove(handle, entry.name)
        make(handle, entry)
        self.changes += 1

    def _remove_others(self, handle: int) -> None:
        names = self._names
        assert names is not None
        self._names = None
        if not names.complete:
            return
        for name in sorted(names.there - names.listed):
            if self._excludes:
                is_folder = read_entry(handle, name)[0].kind is Kind.FOLDER
                if self._excludes.match(join(names.path, name), folder=is_folder):
                    continue
            self._remove(handle, name, names.path)
            self.changes += 1

    def _remove(self, handle: int, name: bytes, folder: bytes | None = None) -> None:
        if folder is None:
            assert self._names is not None
            folder = self._names.path
        self.folders.forget(join(folder, name))
        remove(handle, folder, name, lambda path: self._memory.forget(self.name, path))

    def _hash(self, folder: int, name: bytes, size: int) -> bytes:
        handle = open_quietly(folder, name)
        try:
            return hash_content(handle, size, self._check).digest(size)
        finally:
            os.close(handle)

    def _link(self, path: bytes, entry: Entry) -> None:
        folder, name = split(path)
        first_folder, first_name = split(entry.link)
        try:
            there = self.folders.open(first_folder)
            first = os.stat(first_name, dir_fd=there, follow_symlinks=False)
            here = self.folders.open(folder)
        except FileNotFoundError:
            return  # gone, or its content could not be read: the next pass names another first
        try:
            ours = os.stat(name, dir_fd=here, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if (ours.st_dev, ours.st_ino) == (first.st_dev, first.st_ino):
                return
            self.folders.forget(path)
            remove(here, folder, name, lambda gone: self._memory.forget(self.name, gone))
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
