"""The root of a copied system: its files read and changed from outside, each change recorded.

A copied disk is hostile: no path leaves the copy (walk.py), nothing but regular files is opened, sizes have
limits. An edit keeps owner, mode, extended attributes and flags, is atomic, and leaves the times of its
folder alone, so that a comparison with the source shows the edited files and nothing else.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from smc.base.errors import Broken
from smc.guest import flags
from smc.guest.journal import Journal, as_recorded
from smc.guest.walk import Place, place

TEXT_LIMIT = (
    8 << 20
)  # the largest configuration file worth reading; grub.cfg is some 20 KiB, config.dat 1 MiB
ABSENT = (FileNotFoundError, NotADirectoryError)
SELINUX = "security.selinux"  # an attribute that ends with a zero byte
TEMPORARY = ".smc-convert.tmp"


class Root:
    """All paths are absolute as the copy itself sees them."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path = path
        self.journal = journal

    def read(self, path: str) -> str | None:
        """The text of a file, None when there is none; bytes that are not UTF-8 survive a write unchanged."""
        content = self.read_bytes(path)
        return None if content is None else content.decode(errors="surrogateescape")

    def read_bytes(self, path: str) -> bytes | None:
        try:
            with self.open(path) as file:
                content = file.read(TEXT_LIMIT + 1)
        except ABSENT:
            return None
        if len(content) > TEXT_LIMIT:
            raise Broken(
                f"{path} on the copy is too large to be what its name says", code="Guest.FileTooLarge"
            )
        return content

    def open(self, path: str) -> BinaryIO:
        """A regular file for reading. Raises FileNotFoundError when there is none or it is something else."""
        with place(self.path, path) as at:
            return _open_regular(at)

    def exists(self, path: str) -> bool:
        return self.stat(path) is not None

    def is_folder(self, path: str) -> bool:
        found = self.stat(path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def stat(self, path: str, *, follow: bool = True) -> os.stat_result | None:
        try:
            with place(self.path, path, follow=follow) as at:
                return os.stat(at.name, dir_fd=at.folder, follow_symlinks=False)
        except ABSENT:
            return None

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; nothing when there is no such folder."""
        try:
            with place(self.path, folder) as at, _opened(at, os.O_DIRECTORY) as handle:
                return sorted(os.listdir(handle))  # noqa: PTH208 (an open folder has no path)
        except ABSENT:
            return []

    def located(self, path: str) -> str:
        """The path as it is written on the copy, whatever its case (FAT has none); `path` if it is absent."""
        at = ""
        for part in path.strip("/").split("/"):
            names = self.names(at or "/")
            same = part if part in names else next((n for n in names if n.lower() == part.lower()), part)
            at = f"{at}/{same}"
        return at

    def files(self, folder: str, *, suffix: str = "") -> list[str]:
        """Paths of the entries of a folder whose names end in `suffix`, sorted."""
        return [f"{folder}/{name}" for name in self.names(folder) if name.endswith(suffix)]

    def free(self, path: str) -> int:
        """Bytes left on the filesystem of an existing folder."""
        with place(self.path, path) as at, _opened(at, os.O_DIRECTORY) as handle:
            left = os.fstatvfs(handle)
            return left.f_bavail * left.f_frsize

    def write(self, path: str, text: str, why: str, *, mode: int = 0o644) -> None:
        """Make the file's content `text`; a new file is root's and has the mode, a missing folder is made."""
        self.write_bytes(path, text.encode(errors="surrogateescape"), why, mode=mode)

    def write_bytes(self, path: str, content: bytes, why: str, *, mode: int = 0o644) -> None:
        self.make_folder(str(Path(path).parent), "holds a file of the conversion")
        try:
            with place(self.path, path) as at:
                before = _content(at)
                if before == content:
                    return
                with _folder_untouched(at.folder):
                    _replace(at, content, mode)
                self.journal.record(at.path, why, _recorded(before), as_recorded(content))
        except (*ABSENT, IsADirectoryError) as e:
            raise Broken(f"{path} on the copy cannot be written: {e.strerror}", code="Guest.NotAFile") from e

    def remove(self, path: str, why: str, *, secret: bool = False) -> None:
        """Remove a file, a link or a whole folder; of a `secret` the record keeps no content."""
        with suppress(*ABSENT), place(self.path, path, follow=False) as at:
            before = "(not kept)" if secret else _description(at)
            with _folder_untouched(at.folder):
                _delete(at)
            self.journal.record(at.path, why, before, "")

    def label(self, path: str) -> str | None:
        """Its SELinux label; "" when it has none, None where its filesystem keeps none (FAT)."""
        try:
            with place(self.path, path) as at, _opened(at, os.O_NONBLOCK) as handle:
                return os.getxattr(handle, SELINUX).rstrip(b"\0").decode()
        except OSError as e:
            return None if e.errno == errno.ENOTSUP else ""

    def set_label(self, path: str, label: str) -> bool:
        """False on a filesystem that keeps none."""
        try:
            with place(self.path, path) as at, _opened(at, os.O_NONBLOCK) as handle:
                os.setxattr(handle, SELINUX, label.encode() + b"\0")
        except OSError:
            return False
        return True

    def make_folder(self, path: str, why: str, *, mode: int = 0o755) -> None:
        """Make a folder, and those above it, where there is none."""
        if self.is_folder(path):
            return
        self.make_folder(str(Path(path).parent), why)
        with place(self.path, path) as at, _folder_untouched(at.folder):
            os.mkdir(at.name, dir_fd=at.folder)
            with suppress(PermissionError):  # FAT keeps no modes
                os.chmod(at.name, mode, dir_fd=at.folder)
            self.journal.record(at.path, why, "", "(a folder)")


def _open_regular(at: Place) -> BinaryIO:
    handle = os.open(at.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at.folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(errno.ENOENT, "not a regular file", at.path)
    return os.fdopen(handle, "rb")


@contextmanager
def _opened(at: Place, kind: int) -> Iterator[int]:
    handle = os.open(at.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=at.folder)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _folder_untouched(folder: int) -> Iterator[None]:
    """Names change in the open folder, its times and flags stay."""
    times = os.fstat(folder)
    with flags.lifted(folder):
        yield
        os.fsync(folder)
        os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))


def _content(at: Place) -> bytes | int | None:
    """The size alone of what would not fit into memory: a sparse file may be of any."""
    try:
        with _open_regular(at) as file:
            size = os.fstat(file.fileno()).st_size
            return file.read(TEXT_LIMIT) if size <= TEXT_LIMIT else size
    except FileNotFoundError:
        return None


def _recorded(content: bytes | int | None) -> str:
    return f"(a file of {content} bytes)" if isinstance(content, int) else as_recorded(content)


def _replace(at: Place, content: bytes, mode: int) -> None:
    try:
        old = os.open(at.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at.folder)
    except FileNotFoundError:
        _write_new(at, content, mode=mode)
        return
    try:
        found = os.fstat(old)
        if not stat.S_ISREG(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is something else than a file", at.path)
        if found.st_nlink > 1:  # its other names must show the new content too
            with flags.lifted(old):
                _write_through(at, content)
        else:
            with flags.lifted(old, renamed=True) as held:
                _write_new(at, content, mode=mode, like=old, held=held)
    finally:
        os.close(old)


def _write_through(at: Place, content: bytes) -> None:
    handle = os.open(at.name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at.folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _write_new(at: Place, content: bytes, *, mode: int, like: int | None = None, held: int = 0) -> None:
    with suppress(FileNotFoundError):
        os.unlink(TEMPORARY, dir_fd=at.folder)
    new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(TEMPORARY, new, 0o600, dir_fd=at.folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        if like is None:
            with suppress(PermissionError):  # FAT keeps no modes
                os.fchmod(handle, mode)
        else:
            _copy_metadata(like, handle)
        os.fsync(handle)
        os.rename(TEMPORARY, at.name, src_dir_fd=at.folder, dst_dir_fd=at.folder)
        if held:
            flags.put(handle, flags.get(handle) | held)


def _copy_metadata(old: int, new: int) -> None:
    found = os.fstat(old)
    os.fchown(new, found.st_uid, found.st_gid)
    os.fchmod(new, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(old):
        os.setxattr(new, name, os.getxattr(old, name))


def _description(at: Place) -> str:
    found = os.stat(at.name, dir_fd=at.folder, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        return f"-> {os.readlink(at.name, dir_fd=at.folder)}"
    if stat.S_ISDIR(found.st_mode):
        return "(a folder)"
    return _recorded(_content(at))


def _delete(at: Place) -> None:
    if stat.S_ISDIR(os.stat(at.name, dir_fd=at.folder, follow_symlinks=False).st_mode):
        shutil.rmtree(at.name, dir_fd=at.folder)  # by open folders: follows no link
        return
    held = flags.of(at.folder, at.name) & (flags.IMMUTABLE | flags.APPEND_ONLY)
    if held:
        with _opened(at, 0) as handle:
            flags.put(handle, flags.get(handle) & ~held)
    os.unlink(at.name, dir_fd=at.folder)
