"""Metadata of one entry as the kernel tells it; read the same way at both ends, so it can be compared."""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterable

from smc.base.errors import WireError
from smc.transfer import native
from smc.wire.messages import Entry, Kind

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
NUMBERED = tuple(Kind)  # by the number that native.listing gives
FORMATS = {kind: mode for mode, kind in KINDS.items()}
DEVICES = frozenset({Kind.CHARACTER, Kind.BLOCK})
OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# include/uapi/linux/fs.h: _IOR('f', 1, long) and _IOW('f', 2, long), though an int is transferred
FS_IOC_GETFLAGS = 0x80006601 | struct.calcsize("l") << 16
FS_IOC_SETFLAGS = 0x40006602 | struct.calcsize("l") << 16
IMMUTABLE, APPEND, NODUMP, NOATIME = 0x10, 0x20, 0x40, 0x80
LOCKING_FLAGS = IMMUTABLE | APPEND  # nothing else can be changed while one of these is set
KEPT_FLAGS = LOCKING_FLAGS | NODUMP | NOATIME
NO_FLAGS = frozenset({errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
KEPT_XATTRS = ("user.", "trusted.", "security.", "system.posix_acl_")  # others mean one filesystem only
KEPT_NAMES = tuple(prefix.encode() for prefix in KEPT_XATTRS)
NO_XATTRS = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP})
EARLIEST, LATEST = -(1 << 63), (1 << 64) - 1  # what msgpack has of integers
SECTOR = 512  # st_blocks counts these


def check_entry(entry: Entry) -> Entry:
    """A peer's entry; `WireError` for what the kernel would not take, and the message's types let through."""
    if entry.target and b"\0" in entry.target:
        raise WireError(f"{entry.name!r} came as a symlink to {entry.target!r}")
    if entry.xattrs:
        names = {name for name, _ in entry.xattrs if name.startswith(KEPT_NAMES) and b"\0" not in name}
        if len(names) < len(entry.xattrs):
            raise WireError(f"{entry.name!r} came with attributes that none can have")
    return entry


def read_entry(folder: int, name: bytes) -> tuple[Entry, os.stat_result]:
    """Raises OSError: ENOENT when it is gone, EIO, EACCES, ..."""
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    kind = KINDS[stat.S_IFMT(state.st_mode)]
    if kind is Kind.FILE or kind is Kind.FOLDER:
        handle = open_quietly(folder, name, os.O_DIRECTORY if kind is Kind.FOLDER else 0)
        try:
            return entry_of(handle, name, state), state
        finally:
            os.close(handle)
    target = os.readlink(name, dir_fd=folder) if kind is Kind.SYMLINK else b""
    return _entry(name, kind, state, 0, read_xattrs(path_of(folder, name)), target), state


def read_bare_entry(folder: int, name: bytes) -> tuple[Entry, os.stat_result]:
    """Without flags and attributes, for what cannot be opened."""
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return _entry(name, KINDS[stat.S_IFMT(state.st_mode)], state, 0, ()), state


def entry_of(handle: int, name: bytes, state: os.stat_result | None = None) -> Entry:
    """The entry of an open file or folder."""
    if state is None:
        return entry_from(native.described(handle), name)
    return _entry(name, KINDS[stat.S_IFMT(state.st_mode)], state, read_flags(handle), read_xattrs(handle))


def entry_from(found: "native.Listed", name: bytes, link: bytes = b"") -> Entry:
    """What the extension tells of one entry."""
    _, _, _, kind, mode, uid, gid, mtime, size, stored, ctime, rdev, target, flags, xattrs, inode, *_ = found
    return Entry(
        name,
        NUMBERED[kind],
        mode,
        uid,
        gid,
        sayable(mtime),
        size,
        stored,
        sayable(ctime),
        rdev,
        target,
        link,
        flags,
        xattrs,
        inode,
    )


def sayable(time_ns: int) -> int:
    """The nearest time that a message can say: from 1677 to 2554. Some filesystems keep others."""
    return time_ns if EARLIEST <= time_ns <= LATEST else min(max(time_ns, EARLIEST), LATEST)


def open_quietly(folder: int, name: bytes, flags: int = 0) -> int:
    """Open for reading without touching the access time, where we may; never blocks, never a link."""
    try:
        return os.open(name, OPEN | os.O_NOATIME | flags, dir_fd=folder)
    except PermissionError:  # O_NOATIME is for the owner and for CAP_FOWNER
        return os.open(name, OPEN | flags, dir_fd=folder)


def path_of(folder: int, name: bytes) -> bytes:
    """A path for the calls that know no `dir_fd` (xattrs); as short as `name`."""
    return b"/proc/self/fd/%d/%s" % (folder, name)


def read_flags(handle: int) -> int:
    try:
        answer = fcntl.ioctl(handle, FS_IOC_GETFLAGS, b"\0" * 8)
    except OSError as e:
        if e.errno in NO_FLAGS:
            return 0
        raise
    return int.from_bytes(answer[:4], "little") & KEPT_FLAGS


def write_flags(handle: int, flags: int) -> None:
    """Change the kept flags of an open file or folder, leaving the filesystem's own ones."""
    try:
        old = int.from_bytes(fcntl.ioctl(handle, FS_IOC_GETFLAGS, b"\0" * 8)[:4], "little")
        new = old & ~KEPT_FLAGS | flags
        if new != old:
            fcntl.ioctl(handle, FS_IOC_SETFLAGS, new.to_bytes(8, "little"))
    except OSError as e:
        if flags or e.errno not in NO_FLAGS:
            raise


def read_xattrs(where: int | bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Of an open file, or of a path whose last name is not followed."""
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
    except OSError as e:
        if e.errno in NO_XATTRS:
            return ()
        raise
    if not names:
        return ()
    kept = sorted((name for name in names if name.startswith(KEPT_XATTRS)), key=os.fsencode)
    return tuple(_values(where, kept, follow))


def write_xattrs(where: int | bytes, wanted: tuple[tuple[bytes, bytes], ...]) -> None:
    """Make the kept attributes exactly `wanted`."""
    present = read_xattrs(where)
    if present == wanted:
        return
    follow = isinstance(where, int)
    names = {name for name, _ in wanted}
    for name, _ in present:
        if name not in names:
            os.removexattr(where, name, follow_symlinks=follow)
    for attribute in wanted:
        if attribute not in present:
            os.setxattr(where, *attribute, follow_symlinks=follow)


def same_metadata(ours: Entry, theirs: Entry) -> bool:
    """All that is copied except content, name and links."""
    return _compared(ours) == _compared(theirs)


def _compared(entry: Entry) -> tuple[object, ...]:
    return (
        entry.kind,
        entry.mode if entry.kind is not Kind.SYMLINK else 0,
        entry.uid,
        entry.gid,
        entry.mtime_ns,
        entry.rdev,
        entry.target,
        entry.flags,
        entry.xattrs,
    )


def _values(where: int | bytes, names: Iterable[str], follow: bool) -> Iterable[tuple[bytes, bytes]]:
    for name in names:
        try:
            yield os.fsencode(name), os.getxattr(where, name, follow_symlinks=follow)
        except OSError as e:
            if e.errno != errno.ENODATA:  # removed since it was listed
                raise


def _entry(
    name: bytes,
    kind: Kind,
    state: os.stat_result,
    flags: int,
    xattrs: tuple[tuple[bytes, bytes], ...],
    target: bytes = b"",
) -> Entry:
    size = state.st_size if kind is Kind.FILE else 0
    return Entry(
        name=name,
        kind=kind,
        mode=stat.S_IMODE(state.st_mode),
        uid=state.st_uid,
        gid=state.st_gid,
        mtime_ns=sayable(state.st_mtime_ns),
        size=size,
        stored=min(size, state.st_blocks * SECTOR),
        changed_ns=sayable(state.st_ctime_ns),
        rdev=state.st_rdev if kind in DEVICES else 0,
        target=target,
        flags=flags,
        xattrs=xattrs,
        inode=state.st_ino,
    )
