"""The copied system as the members of a tar archive, in the order of a walk.

The copy may be hostile: each filesystem is walked by itself, folder by folder, and no link is followed.
"""

import os
import stat
import tarfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from smc.base.errors import Broken
from smc.transfer.files.entry import open_quietly, read_entry
from smc.transfer.files.folders import Folders, join, names_in
from smc.wire.messages import Entry, Kind

# What a running system mounts there is not of the image; the folders themselves are.
EMPTY = frozenset({b"dev", b"proc", b"run", b"sys"})
# Labels are the runtime's matter, and overlay's attributes would hide files of the image.
DROPPED_XATTRS = (b"security.selinux", b"trusted.overlay.")
XATTR = "SCHILY.xattr."  # the record that all runtimes read
SECOND_NS = 1_000_000_000

TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.FOLDER: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.CHARACTER: tarfile.CHRTYPE,
    Kind.BLOCK: tarfile.BLKTYPE,
    Kind.FIFO: tarfile.FIFOTYPE,
}


class Member(NamedTuple):
    """`path` is without a leading slash, b"" for the root. `content` is there for a file with bytes."""

    path: bytes
    info: tarfile.TarInfo
    content: BinaryIO | None

    def close(self) -> None:
        if self.content is not None:
            self.content.close()


def members(trees: Mapping[str, Path]) -> Generator[Member, None, None]:
    """Of the filesystems by mount point, each mounted by itself. Whoever asks closes members and walk."""
    places = {_relative(mount_point): path for mount_point, path in trees.items()}
    if b"" not in places:
        raise Broken("the copy has no root filesystem", code="Container.NoRoot")
    for prefix in sorted(places, key=lambda path: (path.count(b"/") if path else -1, path)):
        with Folders(places[prefix]) as folders:
            yield from _of_tree(folders, prefix, frozenset(places))


def _relative(mount_point: str) -> bytes:
    return os.fsencode(mount_point).strip(b"/")


def _of_tree(folders: Folders, prefix: bytes, places: frozenset[bytes]) -> Iterator[Member]:
    """A folder over which another filesystem is mounted is left to that one."""
    firsts: dict[int, bytes] = {}
    stack = [b""]
    if prefix:
        yield _root_of(folders, prefix)
    while stack:
        folder = stack.pop()
        below: list[bytes] = []
        for name in sorted(names_in(folders.open(folder))):
            inner = join(folder, name)
            path = join(prefix, inner)
            if path in places:
                continue
            entry, state = read_entry(folders.open(folder), name)
            if entry.kind is Kind.SOCKET:
                continue
            if entry.kind is Kind.FOLDER:
                if path not in EMPTY:
                    below.append(inner)
            elif state.st_nlink > 1 and (first := firsts.setdefault(state.st_ino, path)) != path:
                yield Member(path, _link(path, first), None)
                continue
            yield _member(folders.open(folder), path, entry)
        stack += reversed(below)


def _root_of(folders: Folders, prefix: bytes) -> Member:
    entry, _ = read_entry(folders.open(b""), b".")
    return Member(prefix, _info(prefix, entry), None)


def _member(folder: int, path: bytes, entry: Entry) -> Member:
    if entry.kind is not Kind.FILE:
        return Member(path, _info(path, entry), None)
    content = os.fdopen(open_quietly(folder, entry.name), "rb", buffering=0)
    info = _info(path, entry)
    info.size = os.fstat(content.fileno()).st_size
    return Member(path, info, content)


def _info(path: bytes, entry: Entry) -> tarfile.TarInfo:
    info = tarfile.TarInfo(os.fsdecode(path))
    info.type = TYPES[entry.kind]
    info.mode = stat.S_IMODE(entry.mode)
    info.uid, info.gid = entry.uid, entry.gid
    seconds, nanoseconds = divmod(entry.mtime_ns, SECOND_NS)
    info.mtime = seconds
    records = {
        XATTR + os.fsdecode(name): os.fsdecode(value)
        for name, value in entry.xattrs
        if value and not name.startswith(DROPPED_XATTRS)  # an empty value of a record means "none"
    }
    if nanoseconds and seconds >= 0:
        records["mtime"] = f"{seconds}.{nanoseconds:09}"
    info.pax_headers = records
    if entry.kind is Kind.SYMLINK:
        info.linkname = os.fsdecode(entry.target)
    if entry.kind in (Kind.CHARACTER, Kind.BLOCK):
        info.devmajor, info.devminor = os.major(entry.rdev), os.minor(entry.rdev)
    return info


def _link(path: bytes, first: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(os.fsdecode(path))
    info.type = tarfile.LNKTYPE
    info.linkname = os.fsdecode(first)
    return info
