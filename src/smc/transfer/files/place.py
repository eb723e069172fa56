"""Making, changing and removing entries of the target tree; all relative to an open folder.

The order matters: owner before mode (chown clears setuid), mode before attributes (an ACL holds the mode;
chown and writing clear capabilities), times after all of these, inode flags last.
"""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from smc.transfer.files.entry import (
    DEVICES,
    FORMATS,
    LOCKING_FLAGS,
    entry_of,
    open_quietly,
    path_of,
    read_flags,
    same_metadata,
    write_flags,
    write_xattrs,
)
from smc.transfer.files.folders import FLAGS, join, names_in
from smc.wire.messages import Entry, Kind

PRIVATE = 0o600  # until its owner and mode are set
PRIVATE_FOLDER = 0o700

Keep = Callable[[bytes, bool], bool]  # by path, and whether it is a folder


def make(folder: int, entry: Entry) -> None:
    """Make an entry that is neither a file nor a folder, with all its metadata."""
    if entry.kind is Kind.SYMLINK:
        os.symlink(entry.target, entry.name, dir_fd=folder)
    else:
        device = entry.rdev if entry.kind in DEVICES else 0
        os.mknod(entry.name, FORMATS[entry.kind] | PRIVATE, device, dir_fd=folder)
    apply_by_name(folder, entry.name, entry)


def apply_by_name(folder: int, name: bytes, entry: Entry) -> None:
    """Metadata of what must not be opened: links, devices, fifos, sockets."""
    os.chown(name, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
    if entry.kind is not Kind.SYMLINK:
        os.chmod(name, entry.mode, dir_fd=folder)
    write_xattrs(path_of(folder, name), entry.xattrs)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder, follow_symlinks=False)


def apply(handle: int, entry: Entry, ours: Entry | None = None) -> None:
    """Metadata of an open file or folder, without its flags; `ours` is how it is now.

    An owner or mode that it has is not set again, and neither changes attributes where there are none.
    """
    moved = ours is None or (ours.uid, ours.gid) != (entry.uid, entry.gid)
    if moved:
        os.fchown(handle, entry.uid, entry.gid)
    if moved or ours is None or ours.mode != entry.mode:
        os.fchmod(handle, entry.mode)
    if ours is None or ours.xattrs or entry.xattrs:
        write_xattrs(handle, entry.xattrs)
    os.utime(handle, ns=(entry.mtime_ns, entry.mtime_ns))


def change(folder: int, name: bytes, entry: Entry) -> bool:
    """Give what is there, of the same kind, the metadata of `entry`. Returns whether any was different."""
    if entry.kind not in (Kind.FILE, Kind.FOLDER):
        apply_by_name(folder, name, entry)
        return True
    handle = open_quietly(folder, name, os.O_DIRECTORY if entry.kind is Kind.FOLDER else 0)
    try:
        return change_open(handle, entry)
    finally:
        os.close(handle)


def change_open(handle: int, entry: Entry) -> bool:
    """`change` for an open file or folder."""
    ours = entry_of(handle, entry.name)
    if same_metadata(ours, entry):
        return False
    if ours.flags & LOCKING_FLAGS:
        write_flags(handle, ours.flags & ~LOCKING_FLAGS)
    apply(handle, entry, ours)
    if entry.flags or ours.flags:
        write_flags(handle, entry.flags)
    return True


def make_folder(folder: int, name: bytes) -> None:
    """Its metadata come when its content is complete."""
    os.mkdir(name, PRIVATE_FOLDER, dir_fd=folder)


def unlock(folder: int, name: bytes) -> None:
    """Let a file be replaced or linked, whatever its flags are."""
    handle = open_quietly(folder, name)
    try:
        unlock_open(handle)
    finally:
        os.close(handle)


def unlock_open(handle: int) -> int:
    """Returns the flags that it had, 0 when it was not locked."""
    flags = read_flags(handle)
    if not flags & LOCKING_FLAGS:
        return 0
    write_flags(handle, flags & ~LOCKING_FLAGS)
    return flags


def remove(
    folder: int, path: bytes, name: bytes, removed: Callable[[bytes], None], keep: Keep | None = None
) -> bool:
    """Remove `name` in the folder `path` with all that is below; `removed` is told each path.

    What `keep` says of what is below stays, with the folders that hold it: False when `name` is one of them.
    Raises OSError EXDEV at a mount point: what is mounted there is never touched.
    """
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        if not _remove_folder(folder, join(path, name), name, removed, keep):
            return False
    else:
        _unlink(folder, name, regular=stat.S_ISREG(mode))
    removed(join(path, name))
    return True


@dataclass
class _Going:
    """A folder that is being emptied; `flags` are those that were taken from it."""

    path: bytes
    name: bytes
    flags: int
    names: list[bytes]
    kept: bool = False  # something in it stays


def _remove_folder(
    parent: int, path: bytes, name: bytes, removed: Callable[[bytes], None], keep: Keep | None
) -> bool:
    """Goes down and up with one handle: a tree may be deeper than calls or handles reach."""
    device = os.fstat(parent).st_dev
    stack: list[_Going] = []
    here, below = os.dup(parent), name
    try:
        while True:
            here = _move(here, below)
            if os.fstat(here).st_dev != device:
                raise OSError(errno.EXDEV, "another filesystem is mounted here", path)
            stack.append(_Going(path, below, unlock_open(here), names_in(here)))
            while not (below := _remove_files(here, stack[-1], removed, keep)):
                going = stack.pop()
                if going.kept and going.flags:
                    write_flags(here, going.flags)
                here = _move(here, b"..")
                if not going.kept:
                    os.rmdir(going.name, dir_fd=here)
                if not stack:
                    return not going.kept
                if going.kept:
                    stack[-1].kept = True
                else:
                    removed(going.path)
            path = join(stack[-1].path, below)
    finally:
        os.close(here)


def _move(here: int, name: bytes) -> int:
    there = os.open(name, FLAGS, dir_fd=here)
    os.close(here)
    return there


def _remove_files(folder: int, going: _Going, removed: Callable[[bytes], None], keep: Keep | None) -> bytes:
    """Remove what is no folder, up to the first folder, whose name is returned."""
    while going.names:
        name = going.names.pop()
        path = join(going.path, name)
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if keep is not None and keep(path, stat.S_ISDIR(mode)):
            going.kept = True
            continue
        if stat.S_ISDIR(mode):
            return name
        _unlink(folder, name, regular=stat.S_ISREG(mode))
        removed(path)
    return b""


def _unlink(folder: int, name: bytes, *, regular: bool) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except PermissionError:
        if not regular:
            raise
        unlock(folder, name)
        os.unlink(name, dir_fd=folder)
