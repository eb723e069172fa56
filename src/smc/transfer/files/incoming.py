"""A file that is being received: written under a temporary name in its folder, renamed when it is whole.

So a name holds the old content or the new, never a part, whatever is killed when. What an interrupted
connection left under the temporary name is taken up again when its hash is that of the source's file.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import xxhash

from smc.transfer.files.content import Extents, hash_content
from smc.transfer.files.entry import write_flags
from smc.transfer.files.place import PRIVATE, apply, unlock
from smc.transfer.verify import ContentHash
from smc.wire.messages import Entry

TEMPORARY = b".smc~"
CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
REOPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary_name(name: bytes) -> bytes:
    """Short, whatever the length of `name`; found again by a later connection."""
    return TEMPORARY + xxhash.xxh3_64_hexdigest(name).encode()


@dataclass
class Incoming:
    """`received` counts the bytes of content that came."""

    handle: int
    content: ContentHash = field(default_factory=ContentHash)
    received: int = 0
    _holes: bool = False

    @classmethod
    def create(cls, folder: int, name: bytes) -> "Incoming":
        return cls(_create(folder, temporary_name(name)))

    @classmethod
    def take_up(cls, folder: int, name: bytes, size: int, check: Callable[[], None]) -> "Incoming":
        """The first `size` bytes, whole blocks, of what an earlier connection left."""
        handle = os.open(temporary_name(name), REOPEN, dir_fd=folder)
        incoming = cls(handle)
        try:
            os.ftruncate(handle, size)
            incoming.content = hash_content(handle, size, check)
        except BaseException:
            incoming.close()
            raise
        incoming.received = size
        incoming._holes = True  # there may be some
        return incoming

    def begin_again(self) -> None:
        os.ftruncate(self.handle, 0)
        self.content, self.received, self._holes = ContentHash(), 0, False

    def write(self, offset: int, size: int, extents: Extents, data: memoryview) -> None:
        """One block of `size`; `extents` lie in it, in order, and have the length of `data` together."""
        self._holes |= bool(extents) or offset > self.content.position
        self.received += len(data)
        if not extents:
            _write_all(self.handle, data, offset)
            self.content.feed(offset, data)
            return
        block = bytearray(size)
        for start, length in extents:
            _write_all(self.handle, data[:length], offset + start)
            block[start : start + length] = data[:length]
            data = data[length:]
        self.content.feed(offset, block)

    def finish(self, folder: int, entry: Entry) -> None:
        """Give it its size, its metadata and its name."""
        if self._holes or os.fstat(self.handle).st_size < entry.size:
            os.ftruncate(self.handle, entry.size)
            if entry.stored >= entry.size:  # all of it was allocated: a swap file must not have holes
                _allocate(self.handle, entry.size)
        _put_in_place(folder, self.handle, entry)
        self.close()

    def drop(self, folder: int, name: bytes) -> None:
        """The content does not come: nothing stays of it."""
        self.close()
        os.unlink(temporary_name(name), dir_fd=folder)

    def close(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def write_whole(folder: int, entry: Entry, data: memoryview) -> None:
    """A small file in one go."""
    handle = _create(folder, temporary_name(entry.name))
    try:
        _write_all(handle, data, 0)
        _put_in_place(folder, handle, entry)
    finally:
        os.close(handle)


def _create(folder: int, temporary: bytes) -> int:
    try:
        return os.open(temporary, CREATE, PRIVATE, dir_fd=folder)
    except FileExistsError:  # left by a connection that was cut
        os.unlink(temporary, dir_fd=folder)
        return os.open(temporary, CREATE, PRIVATE, dir_fd=folder)


def _put_in_place(folder: int, handle: int, entry: Entry) -> None:
    apply(handle, entry)
    temporary = temporary_name(entry.name)
    try:
        os.rename(temporary, entry.name, src_dir_fd=folder, dst_dir_fd=folder)
    except PermissionError:  # what has the name is immutable
        unlock(folder, entry.name)
        os.rename(temporary, entry.name, src_dir_fd=folder, dst_dir_fd=folder)
    if entry.flags:
        write_flags(handle, entry.flags)


def _allocate(handle: int, size: int) -> None:
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as e:
        if e.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # the filesystem knows no such thing
            raise


def _write_all(handle: int, data: memoryview, offset: int) -> None:
    while data:
        count = os.pwrite(handle, data, offset)
        data, offset = data[count:], offset + count
