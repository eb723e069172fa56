"""Walking a tree at the source: one quick look at every folder, and full listings where they are wanted.

Order: a folder's own entries by name, then its folders by name. A walk stays on the tree's filesystem: what
is mounted over a folder is not entered.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import xxhash

from smc.transfer import native
from smc.transfer.files.entry import EARLIEST, LATEST, NUMBERED, entry_from, entry_of, read_bare_entry
from smc.transfer.files.folders import LONGEST_NAME, Folders, join, split
from smc.transfer.files.links import Later, Links, pack, unpack
from smc.transfer.files.patterns import Excludes
from smc.wire.messages import Entry, Folder

MOST_ENTRIES = 256  # entries of a folder handed on at once
MOST_WEIGHT = 512 * 1024  # and their weight: attributes can be 64 KiB each
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})
NO_HANDLES = frozenset({errno.EMFILE, errno.ENFILE})  # our failure, not the folder's
FRESH_NS = 100_000_000  # a change so short before the reading may share its time stamp with a later one
COARSE_NS = 2_000_000_000  # where a filesystem keeps whole seconds
SECOND_NS = 1_000_000_000

Unreadable = Callable[[bytes, OSError], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder as one look found it.

    `digest` is its survey, empty when a later change could look the same. `links` has the inode
    and the first path of names that are not the first of their inode, packed. `failure`: it cannot be read.
    """

    path: bytes
    digest: bytes = b""
    files: int = 0
    stored: int = 0
    newest_ns: int = 0
    links: bytes | None = None
    failure: OSError | None = None


class Part(NamedTuple):
    """`weight` is about the bytes that it takes in memory and on the wire."""

    folder: Folder
    weight: int


def look_over(folders: Folders, excludes: Excludes, check: Callable[[], None]) -> Iterator[Seen]:
    """One look at every folder, in the order of the walk. `check` may raise to end it."""
    with Links() as links:
        yield from _look_over(folders, excludes, check, links)


def _look_over(
    folders: Folders, excludes: Excludes, check: Callable[[], None], links: Links
) -> Iterator[Seen]:
    stack = [b""]
    while stack:
        path = stack.pop()
        check()
        try:
            handle = folders.open(path)
            names = _wanted(handle, path, excludes)
            digest, files, stored, newest, below, linked, _ = _survey(handle, names)
        except OSError as e:
            if e.errno in NO_HANDLES:
                raise
            if e.errno != errno.EXDEV:  # something is mounted here: what it hides cannot be seen
                yield Seen(path, failure=e)
            continue
        later: Later = {}
        for name, inode, count, held, is_file in linked:
            if first := links.first(join(path, name), inode, count):
                later[name] = inode, first
            elif is_file:
                files, stored = files + 1, stored + held
        if later and digest:
            digest = _with_links(digest, later)
        if not folders.stamped or is_fresh(newest):
            digest = b""
        yield Seen(path, digest, files, stored, newest, pack(later) if later else None)
        stack += [join(path, name) for name in reversed(below) if len(name) <= LONGEST_NAME]


def glance(folders: Folders, path: bytes, excludes: Excludes) -> tuple[int, list[bytes]]:
    """The newest ctime of a folder and what is in it, and the folders in it. Raises OSError."""
    handle = folders.open(path)
    _, _, _, newest, below, _, _ = _survey(handle, _wanted(handle, path, excludes))
    return newest, [join(path, name) for name in reversed(below)]


def list_folder(
    folders: Folders, seen: Seen, excludes: Excludes, unreadable: Unreadable, *, bare: bool = False
) -> Iterator[Part]:
    """The folder in parts that are never large. One that is gone has one part, empty and not complete.

    `bare`: files come without flags and attributes, which are told with their contents; unless the folder has
    some itself, for then most of its files have, as labels and inherited ACLs.
    """
    path = seen.path
    if seen.failure is not None:
        yield Part(_without_content(folders, path, seen.failure, unreadable), len(path))
        return
    try:
        handle = folders.open(path)
        own = entry_of(handle, b"")
        bare = bare and not own.xattrs
        parts = _parts(handle, path, excludes)
    except OSError as e:
        yield Part(_without_content(folders, path, e, unreadable), len(path))
        return
    links = unpack(seen.links) if seen.links is not None else None
    entries: list[Entry] = []
    size, first, complete = 0, True, True
    parts.reverse()  # what is listed is let go: a folder may have a million names
    while parts:
        try:
            described = native.listing(folders.open(path), parts.pop().split(b"\0"), bare)
        except OSError as e:  # these and all that follow
            _tell(path, e, unreadable)
            complete = False
            break
        if not entries and not links and (plain := _plain(described)) is not None:
            entries, size = plain  # as nearly everywhere
            continue
        for found in described:
            entry = _entry(found, links)
            if found[1] and not (entry is None and found[1] in GONE):
                unreadable(join(path, found[0]), OSError(found[1], os.strerror(found[1])))
            if entry is None:
                complete = complete and found[1] in GONE
                continue
            weighs = 100 + len(entry.name)
            if entry.xattrs or entry.target or entry.link:
                weighs += _more_weight(entry)
            if entries and (len(entries) == MOST_ENTRIES or size + weighs > MOST_WEIGHT):
                yield Part(_part(seen, entries, own, first=first, last=False, complete=complete), size)
                entries, size, first, complete = [], 0, False, True
            entries.append(entry)
            size += weighs
    yield Part(_part(seen, entries, own, first=first, last=True, complete=complete), size + len(path))


def is_fresh(changed_ns: int, now_ns: int | None = None) -> bool:
    """Whether a change after `now_ns` (None: now) could bear the time stamp `changed_ns`."""
    coarse = changed_ns % SECOND_NS == 0
    return (time.time_ns() if now_ns is None else now_ns) - changed_ns < (COARSE_NS if coarse else FRESH_NS)


def _survey(handle: int, names: list[bytes] | None) -> "native.Survey":
    """Where an entry's state cannot be read, of all others; then without a digest."""
    try:
        return native.survey(handle, names)
    except OSError:
        files = stored = newest = 0
        below: list[bytes] = []
        linked: list[native.Linked] = []
        for name in native.names(handle) if names is None else names:
            try:
                _, more, held, changed, folders, links, _ = native.survey(handle, [name])
            except OSError:  # the listing tells of it; below a folder there may be more to tell
                below += [name] if _is_folder(handle, name) else []
                continue
            files, stored, newest = files + more, stored + held, max(newest, changed)
            below += folders
            linked += links
        return b"", files, stored, newest, below, linked, 0


def _is_folder(handle: int, name: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _more_weight(entry: Entry) -> int:
    values = sum(len(name) + len(value) for name, value in entry.xattrs)
    return values + len(entry.target) + len(entry.link)


def _part(seen: Seen, entries: list[Entry], own: Entry, *, first: bool, last: bool, complete: bool) -> Folder:
    return Folder(
        seen.path,
        tuple(entries),
        first=first,
        last=last,
        complete=complete,
        own=own if first else None,
        digest=seen.digest if first else b"",
    )


def _without_content(folders: Folders, path: bytes, error: OSError, unreadable: Unreadable) -> Folder:
    """Of a folder that is gone or cannot be read: what it holds at the target stays."""
    own = None
    _tell(path, error, unreadable)
    if error.errno not in GONE:
        parent, name = split(path)
        try:
            own = read_bare_entry(folders.open(parent), name)[0] if name else None
        except OSError:
            own = None
    return Folder(path, (), complete=False, own=own)


def _tell(path: bytes, error: OSError, unreadable: Unreadable) -> None:
    """Of a folder; of one that is gone its parent tells, and the tree's own has none."""
    if error.errno in NO_HANDLES:
        raise error
    if error.errno not in GONE or not path:
        unreadable(path, error)


def _plain(described: "list[native.Listed]") -> tuple[list[Entry], int] | None:
    """All entries at once with their weight; None when one needs a closer look, or they are heavy."""
    times = [found[7] for found in described] + [found[10] for found in described]
    if (
        max([found[1] for found in described], default=0)
        or min(times, default=0) < EARLIEST
        or max(times, default=0) > LATEST
    ):
        return None
    entries = [
        Entry(
            name, NUMBERED[k], mode, uid, gid, mtime, size, held, ctime, rdev, to, b"", flags, xattrs, inode
        )
        for name, _, _, k, mode, uid, gid, mtime, size, held, ctime, rdev, to, flags, xattrs, inode, _, _ in (
            described
        )
    ]
    weight = 100 * len(entries) + sum([len(found[0]) for found in described])
    weight += sum([_more_weight(entry) for entry in entries if entry.xattrs or entry.target])
    return (entries, weight) if weight <= MOST_WEIGHT else None


def _entry(found: "native.Listed", links: Later | None) -> Entry | None:
    """None for what cannot even be described."""
    name, error, bare, inode = found[0], found[1], found[2], found[15]
    if error and not bare:
        return None
    link = b""
    if links is not None and name in links and links[name][0] == inode:
        link = links[name][1]
    return entry_from(found, name, link)


def _wanted(handle: int, path: bytes, excludes: Excludes) -> list[bytes] | None:
    """The names that are not left out; None for all."""
    if not excludes or not excludes.may_match_in(path):
        return None
    parts = native.name_parts(handle, MOST_ENTRIES)
    parts.reverse()
    wanted: list[bytes] = []
    while parts:
        some = parts.pop().split(b"\0")
        wanted += [name for name in some if not _left_out(handle, path, name, excludes)]
    return wanted


def _parts(handle: int, path: bytes, excludes: Excludes) -> list[bytes]:
    """The names that are not left out, at most MOST_ENTRIES in each with a NUL between them."""
    wanted = _wanted(handle, path, excludes)
    if wanted is None:
        return native.name_parts(handle, MOST_ENTRIES)
    return [b"\0".join(wanted[at : at + MOST_ENTRIES]) for at in range(0, len(wanted), MOST_ENTRIES)]


def _left_out(handle: int, path: bytes, name: bytes, excludes: Excludes) -> bool:
    whole = join(path, name)
    as_file, as_folder = excludes.match(whole, folder=False), excludes.match(whole, folder=True)
    if as_file == as_folder:
        return as_file
    try:
        state = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError:
        return False
    return as_folder if stat.S_ISDIR(state.st_mode) else as_file


def _with_links(digest: bytes, later: Later) -> bytes:
    """Which name of an inode is the first can change while the folder does not."""
    whole = xxhash.xxh3_128(digest)
    for name, (_, first) in sorted(later.items()):
        whole.update(name + b"\0" + first + b"\0")
    return whole.digest()
