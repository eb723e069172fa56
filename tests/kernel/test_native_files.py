"""The C extension on real filesystems: all metadata of a nasty tree, and what a disk can refuse."""

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.kernel.nasty_tree import CAP_NET_BIND, MASK, USER, acl, make_nasty_tree, release

from smc.transfer import native
from smc.transfer.files.entry import SECTOR, entry_from, read_entry, read_xattrs
from smc.wire.messages import Entry, Kind

if TYPE_CHECKING:
    from smc.transfer.native import Listed, ToWrite

pytestmark = pytest.mark.kernel

MIB = 1 << 20
TIME = 1_700_000_000_123_456_789
WRITE, RENAME = 2, 7
NOBODY = 65534


@contextmanager
def mounted(image: Path, size: int) -> Iterator[Path]:
    """A new ext4 filesystem."""
    folder = image.with_suffix("")
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield folder
    finally:
        release(folder)
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted(tmp_path_factory.mktemp("nasty") / "tree.img", 256 * MIB) as root:
        make_nasty_tree(root)
        yield root


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk.img", 16 * MIB) as root:
        shutil.rmtree(root / "lost+found")
        yield root


@contextmanager
def opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def folders_of(root: Path) -> Iterator[int]:
    """Every folder, by handle: some are deeper than a path reaches."""
    stack = [os.open(root, os.O_RDONLY)]
    while stack:
        here = stack.pop()
        for name in native.survey(here)[4]:
            stack.append(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=here))
        yield here
        os.close(here)


def listed(folder: int, name: bytes) -> "Listed":
    entry, state = read_entry(folder, name)
    return (
        entry.name, 0, False, int(entry.kind), entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.size,
        entry.stored, entry.changed_ns, entry.rdev, entry.target, entry.flags, entry.xattrs,
        state.st_ino, state.st_nlink, state.st_dev,
    )  # fmt: skip


def to_write(entry: "Listed", offset: int, size: int) -> "ToWrite":
    return b".new", replace(entry_from(entry, entry[0]), size=size), offset


def read_all(folder: int, entries: list["Listed"]) -> tuple[list[tuple[int, int]], bytes]:
    """Place and size of each that is a whole file, and the contents."""
    items = [(place, b"", entry_from(entry, entry[0])) for place, entry in enumerate(entries)]
    parcel = native.Parcel(64 * MIB, len(items))
    if items:
        end, otherwise, _, attributed = parcel.read(folder, items, 0, 0)
        assert (end, attributed) == (len(items), [])
        assert len(otherwise) + len(parcel.results()) == len(items)
    return [(place, size) for place, size, _ in parcel.results()], bytes(memoryview(parcel))


def simple(name: bytes, size: int, *, xattrs: tuple[tuple[bytes, bytes], ...] = ()) -> "ToWrite":
    return b".new", Entry(name, Kind.FILE, 0o644, 0, 0, TIME, size, xattrs=xattrs), 0


def test_a_nasty_tree_is_listed_as_entry_by_entry(nasty: Path) -> None:
    kinds: set[int] = set()
    flags = xattrs = 0
    for folder in folders_of(nasty):
        names = native.names(folder)
        found = native.listing(folder, names)
        assert found == [listed(folder, name) for name in names]
        kinds |= {entry[3] for entry in found}
        flags |= sum(entry[13] for entry in found)
        xattrs += sum(len(entry[14]) for entry in found)
    assert kinds == set(Kind)
    assert flags
    assert xattrs > 8


def test_a_nasty_tree_is_counted_by_surveys(nasty: Path) -> None:
    files = stored = 0
    several: dict[int, tuple[int, int]] = {}
    for folder in folders_of(nasty):
        _, found, size, _, _, linked, gone = native.survey(folder)
        several |= {ino: (nlink, size) for _, ino, nlink, size, is_regular in linked if is_regular}
        files += found
        stored += size
        assert gone == 0
    judged: dict[int, int] = {}
    for folder in folders_of(nasty):
        for name in native.names(folder):
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode):
                judged[state.st_ino] = min(state.st_size, state.st_blocks * SECTOR)
    assert files + len(several) == len(judged)
    assert stored + sum(size for _, size in several.values()) == sum(judged.values())


def test_reading_leaves_no_access_times(nasty: Path) -> None:
    subprocess.run(["mount", "-o", "remount,strictatime", nasty], check=True)
    with opened(nasty / "attributes") as folder:
        names = [name for name in native.names(folder) if b"link" not in name]  # those are only read so
        before = [os.stat(name, dir_fd=folder, follow_symlinks=False).st_atime_ns for name in names]
        here = os.fstat(folder).st_atime_ns
        native.survey(folder)
        native.listing(folder, names)
        items = [(0, b"", read_entry(folder, name)[0]) for name in names]
        native.Parcel(MIB, 100).read(folder, items, 0, 0)
        assert [os.stat(n, dir_fd=folder, follow_symlinks=False).st_atime_ns for n in names] == before
        assert os.fstat(folder).st_atime_ns == here
        below = native.names(folder)[0]
    with opened(nasty) as root:
        folder, _ = native.step(root, b"attributes")
        assert native.names(folder)[0] == native.name_parts(folder, 1)[0] == below
        assert os.fstat(folder).st_atime_ns == here
        os.close(folder)
    subprocess.run(["mount", "-o", "remount,relatime", nasty], check=True)


def test_files_of_a_nasty_tree_are_written_with_all_that_they_have(nasty: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "copy.img", 256 * MIB) as root:
        copied = holes = 0
        for number, folder in enumerate(folders_of(nasty)):
            (root / str(number)).mkdir()
            with opened(root / str(number)) as copy:
                entries = [e for e in native.listing(folder, native.names(folder)) if e[3] == Kind.FILE]
                taken, data = read_all(folder, entries)
                left = [entries[place] for place in set(range(len(entries))) - {place for place, _ in taken}]
                assert all(stored < size or size > MIB for _, _, _, _, _, _, _, _, size, stored, *_ in left)
                holes += sum(entry[9] < entry[8] for entry in left)
                files, offset = [], 0
                for place, length in taken:
                    files.append(to_write(entries[place], offset, length))
                    offset += length
                answers = native.write_files(copy, files, data)
                assert answers == [(0, 0)] * len(files)
                names = [entry.name for _, entry, _ in files]
                wanted = native.listing(folder, names)
                assert [meaning(entry) for entry in native.listing(copy, names)] == [
                    meaning(entry) for entry in wanted
                ]
                assert read_all(copy, native.listing(copy, names))[1] == data
                copied += len(files)
        assert copied > 2000
        assert holes == 4


def meaning(entry: "Listed") -> tuple[object, ...]:
    """What is copied, but for the flags, which are set by the caller."""
    name, error, bare, kind, mode, uid, gid, mtime_ns, size = entry[:9]
    return name, error, bare, kind, mode, uid, gid, mtime_ns, size, entry[14]


def test_a_folders_default_list_is_not_inherited(disk: Path) -> None:
    os.setxattr(disk, "system.posix_acl_default", acl((USER, 7, 1001), mask=7))
    own = ((b"security.capability", CAP_NET_BIND), (b"user.note", b"\0\xff"))
    with opened(disk) as folder:
        files = [simple(b"plain", 3), simple(b"own", 3, xattrs=own)]
        assert native.write_files(folder, files, b"new") == [(0, 0), (0, 0)]
    assert (read_xattrs(os.fsencode(disk / "plain")), read_xattrs(os.fsencode(disk / "own"))) == ((), own)
    assert stat.S_IMODE((disk / "plain").stat().st_mode) == 0o644


def test_a_folders_group_and_default_list_work_on_no_file_of_many(disk: Path) -> None:
    os.chown(disk, 0, 1234)
    disk.chmod(0o2777)
    own = ((b"user.note", b"mine"),)
    wanted: list[ToWrite] = [
        (b".new", Entry(b"%d" % at, Kind.FILE, mode, uid, gid, TIME, 3, xattrs=xattrs), 0)
        for at, (uid, gid, mode, xattrs) in enumerate(
            product((0, 1000), (0, 1234), (0o644, 0o4755, 0o664), ((), own))
        )
    ]
    for number, default in enumerate((None, acl((USER, 7, 1001), mask=7))):
        if default is not None:
            os.setxattr(disk, "system.posix_acl_default", default)
        files: list[ToWrite] = [
            (new, replace(entry, name=b"%d-" % number + entry.name), 0) for new, entry, _ in wanted
        ]
        with opened(disk) as folder:
            assert native.write_files(folder, files, b"new") == [(0, 0)] * len(files)
            found = native.listing(folder, [entry.name for _, entry, _ in files])
        assert [(e[5], e[6], e[4], e[7], e[14]) for e in found] == [
            (e.uid, e.gid, e.mode, e.mtime_ns, e.xattrs) for _, e, _ in files
        ]


def test_an_access_list_is_written_with_its_mode(disk: Path) -> None:
    wanted = ((b"system.posix_acl_access", acl((USER, 6, 1000), mask=MASK & 0 | 6)),)
    with opened(disk) as folder:
        file: ToWrite = (b".new", Entry(b"shared", Kind.FILE, 0o660, 1000, 1000, TIME, 1, xattrs=wanted), 0)
        assert native.write_files(folder, [file], b"x") == [(0, 0)]
        entry = native.listing(folder, [b"shared"])[0]
    assert (entry[4:8], entry[14]) == ((0o660, 1000, 1000, TIME), wanted)


def test_what_is_immutable_is_reported_and_stays(disk: Path) -> None:
    for name in ("locked", "growing"):
        (disk / name).write_bytes(b"old")
    subprocess.run(["chattr", "+i", disk / "locked"], check=True)
    subprocess.run(["chattr", "+a", disk / "growing"], check=True)
    with opened(disk) as folder:
        files = [simple(b"locked", 3), simple(b"free", 3), simple(b"growing", 3)]
        answers = native.write_files(folder, files, b"new")
        assert answers == [(errno.EPERM, RENAME), (0, 0), (errno.EPERM, RENAME)]
        assert native.names(folder) == [b"free", b"growing", b"locked"]
    assert (disk / "locked").read_bytes() == (disk / "growing").read_bytes() == b"old"


def test_a_full_disk_ends_the_writing(disk: Path) -> None:
    data = bytes(10 * MIB)
    with opened(disk) as folder:
        files = [simple(b"a", len(data)), simple(b"b", len(data)), simple(b"c", 1), simple(b"d", 1)]
        answers = native.write_files(folder, files, data)
        assert answers == [(0, 0), (errno.ENOSPC, WRITE), (errno.ECANCELED, 0), (errno.ECANCELED, 0)]
        assert native.names(folder) == [b"a"]


def test_what_is_mounted_below_is_listed_and_not_entered(disk: Path) -> None:
    (disk / "below").mkdir()
    (disk / "mounted").mkdir()
    with opened(disk) as folder:
        before = native.survey(folder)
        subprocess.run(["mount", "-t", "tmpfs", "none", disk / "mounted"], check=True)
        try:
            digest, _, _, _, folders, _, _ = native.survey(folder)
            assert (digest != before[0], folders) == (True, [b"below"])
            assert native.listing(folder, [b"below", b"mounted"]) == [
                listed(folder, b"below"),
                listed(folder, b"mounted"),
            ]
            (disk / "mounted").chmod(0o1700)
            os.setxattr(disk / "below", "user.what", b"value")
            os.setxattr(disk / "mounted", "trusted.what", b"value")
            below, there = native.listing(folder, [b"below", b"mounted"], bare=True)
            assert (below[14], there) == ((), listed(folder, b"mounted"))
            os.removexattr(disk / "below", "user.what")
        finally:
            subprocess.run(["umount", disk / "mounted"], check=True)
        assert native.survey(folder) == before


def test_what_must_not_be_opened_is_described_by_its_state(disk: Path) -> None:
    disk.chmod(0o755)
    (disk / "secret").write_text("x")
    (disk / "secret").chmod(0o600)
    (disk / "closed").mkdir(0o700)
    (disk / "public").write_text("x")
    with opened(disk) as folder:
        names = [b"closed", b"public", b"secret"]
        os.seteuid(NOBODY)
        try:
            closed, public, secret = native.listing(folder, names)
            taken, data = read_all(folder, [public, secret])
            assert public == listed(folder, b"public")
            assert native.survey(folder)[1] == 2
        finally:
            os.seteuid(0)
        assert (closed[1:4], secret[1:4]) == (
            (errno.EACCES, True, Kind.FOLDER),
            (errno.EACCES, True, Kind.FILE),
        )
        rest = (slice(4, 13), slice(15, 18))
        for bare, name in ((closed, b"closed"), (secret, b"secret")):
            assert [bare[part] for part in rest] == [listed(folder, name)[part] for part in rest]
            assert bare[13:15] == (0, ())
    assert (taken, data) == ([(0, 1)], b"x")
