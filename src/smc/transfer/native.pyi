"""The per-file and per-byte work of the transfer, in C (src/native), without the interpreter's lock.

A `folder` or `fd` is an open handle; where it stands does not matter, but may change. Names are
those of one entry: ValueError for what is empty, `.`, `..` or has a slash or NUL; TypeError for what is no
bytes. Sizes and offsets are bytes; times are nanoseconds since 1970. The aliases are for type checkers.
"""

from collections.abc import Sequence
from typing import TypeAlias

from smc.wire.messages import Entry, Sent

Xattrs: TypeAlias = tuple[tuple[bytes, bytes], ...]
Extents: TypeAlias = tuple[tuple[int, int], ...]
Linked: TypeAlias = tuple[bytes, int, int, int, bool]  # name, ino, nlink, stored, whether it is regular
# digest, files, stored, newest_ns, folders, linked, gone
Survey: TypeAlias = tuple[bytes, int, int, int, list[bytes], list[Linked], int]
ParcelRead: TypeAlias = tuple[int, list[int], list[int], list[tuple[int, int, Xattrs]]]
Item: TypeAlias = tuple[int, bytes, Entry]  # as in smc.transfer.ledger
ToWrite: TypeAlias = tuple[bytes, Entry, int]  # temporary name, the file, offset of its content
Listed: TypeAlias = tuple[
    bytes,  # name
    int,  # errno
    bool,  # bare: it could not be opened or read, but here is its state
    int,  # Kind
    int,  # permission bits
    int,  # uid
    int,  # gid
    int,  # mtime
    int,  # size, of a file
    int,  # stored
    int,  # ctime
    int,  # rdev, of a device node
    bytes,  # target, of a symlink
    int,  # inode flags that are kept
    Xattrs,  # kept ones, by name in byte order
    int,  # ino
    int,  # nlink
    int,  # dev
]

def survey(folder: int, names: Sequence[bytes] | None = None) -> Survey:
    """Whether anything in a folder changed and what it holds, by one `stat` of each name (or of `names`).

    `(digest, files, stored, newest_ns, folders, linked, gone)`. The digest (16 bytes) is over everything
    that `stat` tells of the folder and of each entry but access times; of a folder below only its name and
    whether another filesystem is mounted there. It does not depend on the order of names and is comparable
    on one machine only. `files` and `stored` count regular files with one name, `linked` (by name) is what
    has several. `newest_ns` is the greatest ctime, without those of folders below. `folders`: those below
    on the same filesystem, by name. `gone` names vanished meanwhile.
    Raises OSError with the name: whatever else a `stat` fails with.
    """

def listing(folder: int, names: Sequence[bytes], bare: bool = False) -> list[Listed]:
    """All metadata of entries, in the order of `names`, as `smc.transfer.files.entry.read_entry` has them.

    With the argument `bare` files and folders are not opened: they come without flags and attributes; mount
    points with those of what is mounted.

    With an errno and `bare` an entry has no flags, attributes and target; with an errno alone (it vanished,
    or EUCLEAN: its kind is none there is) all that follows is 0. A file's attributes, flags and state may
    stem from two files when one replaces the other meanwhile: the ctime of the next listing tells.
    """

def described(fd: int, /) -> Listed:
    """All metadata of an open file or folder, without its name. Raises OSError."""

def step(folder: int, name: bytes, /) -> tuple[int, int]:
    """A folder below, opened as it is itself (no symlink, no access time), and its device.

    Raises OSError with the name."""

def names(folder: int, /) -> list[bytes]:
    """All names of a folder but `.` and `..`, in byte order. Raises OSError."""

def name_parts(folder: int, most: int, /) -> list[bytes]:
    """The same, at most `most` in each with a NUL between them: half the memory, and it can be let go."""

def write_files(
    folder: int, files: Sequence[ToWrite], data: bytes | bytearray | memoryview
) -> list[tuple[int, int]]:
    """Write files under their temporary names, give them owner, mode, attributes and times, then their names.

    A content begins at the offset, and has the size of the entry.

    What had a temporary name is replaced; where that is the name itself, nothing is renamed. Of each file
    `(errno, step)`, (0, 0) when all is well; the step is 1 create, 2 write, 3 owner, 4 mode, 5 attributes,
    6 times, 7 rename; then nothing stays of that file, and what had its name before is untouched. After
    ENOSPC, EDQUOT or EIO no further ones are tried: (ECANCELED, 0).
    Inode flags, and what is immutable and in the way (EPERM, 7), are the caller's.
    Raises ValueError before anything is written: contents outside of `data`, an owner, mode or time that
    cannot be.
    """

def pack_proved(
    files: list[Item],
    first: int,
    end: int,
    results: dict[int, Sent | None],
    remember: bool,
    /,
) -> tuple[int, int, bytes, int, bytes]:
    """Of those of `files`, from `first` to before `end`, that have a result.

    `(files, size, lines, remembered, states)`: how many, their bytes, what the hash
    of a folder is over (smc.transfer.verify); with `remember` how many of them the index can hold, and what
    it holds (`smc.transfer.index.STATE` and name of each): no times before 1678 or after 2262.
    """

def read_piece(fd: int, offset: int, length: int) -> tuple[bytes, Extents]:
    """One block (at most 1 GiB) of an open file, zeros in its holes, and the (offset, length) of data in it.

    No extents: there is no hole. b"": all of it is a hole, or behind the end. Less than `length`: the file
    ends there.
    Raises OSError.
    """

def next_data(fd: int, offset: int) -> int:
    """Where data goes on from `offset`, -1 when only a hole or nothing follows.

    `offset` itself where the filesystem cannot tell. Raises OSError.
    """

def match_sent(items: dict[int, Item], files: tuple[Sent, ...], /) -> list[Item] | None:
    """The item, by index, of each file that was sent; None when one of them has none, or was not sent as it
    was listed: settled, of the same size and without an entry of its own."""

def check_contents(data: bytes | memoryview, files: tuple[Sent, ...], /) -> int:
    """The place of the first file whose content is not what its hash says, -1 when there is none.

    Contents follow one another in `data`, each of at most 1 MiB; ValueError when they do not fit exactly.
    """

def hash_contents(data: bytes | memoryview, sizes: list[int], lanes: int = 0, /) -> list[bytes]:
    """The hash of each of the contents that follow one another in `data`, as `hash_piece` has it.

    Many are hashed side by side. `lanes` other than 0, the best of this processor: 1 by OpenSSL, 4 by SHA-NI,
    8 by AVX2, 16 by AVX-512. ValueError when the processor lacks them, or the contents do not fit.
    """

def hash_piece(data: bytes | bytearray | memoryview, /) -> bytes:
    """The hash of a content of at most 1 MiB (else ValueError): up to 64 KiB its SHA-256, above that of its
    leaves, as docs/design/wire.md defines it."""

def trim() -> None:
    """Give free memory that malloc keeps back to the system, page by page: some milliseconds."""

def sync_filesystem(fd: int, /) -> None:
    """Write all of the filesystem of an open file to its disk.

    Raises OSError, since Linux 5.8 also for a write that failed before the call."""

def mount(source: str, target: str, type: str, flags: int, options: str, /) -> None:
    """mount(2), by this process itself. Raises OSError that names the target."""

def filesystem(fd: int, /) -> int:
    """The kind of the filesystem of an open file: statfs(2)'s f_type. Raises OSError."""

def signature(fd: int, offset: int, length: int, block: int, seed: int, /) -> bytes:
    """A record of 12 bytes for each block of a part of an open file: a sum that rolls (5 bytes), xxh3-64 with
    `seed` but for its last byte (7 bytes), both little endian.

    `block` is 512 to 16 Mi, `length` at most 4 GiB and a multiple of it but at the end. Holes are not read;
    what is missing at the end counts as zeros. OSError, ValueError.
    """

class Matcher:
    """Finds the blocks of an older content of `size` bytes in a newer one that comes piece by piece.

    `records` as `signature` makes them. ValueError or OverflowError for what is no signature; nothing that
    a peer says makes it slower than some hashing a byte.
    """

    def __init__(self, records: bytes | memoryview, size: int, block: int, seed: int, /) -> None: ...
    def match(self, data: bytes, piece: int, /) -> list[tuple[int, int, int]]:
        """Copies (start, length, offset in the older content) in the first `piece` bytes, in order and apart.

        What follows them in `data` helps to find a block that begins in the piece; the rest of such a block
        is taken for the beginning of the next piece, unless `seek` is called. ValueError while another
        thread is in it.
        """

    def carried(self) -> int:
        """How many bytes of what follows the last piece are promised to be a copy."""

    def seek(self, offset: int, /) -> None:
        """The next piece begins at `offset` of the new content and continues nothing; 0: all begins again."""

    def fork(self) -> Matcher:
        """Another one that goes on from here by itself, in another thread if need be; the tables are shared.

        ValueError while a thread is in `match`.
        """

class Parcel:
    """Small files on their way into one frame: contents that follow one another in memory that is kept.

    `room` bytes and `most` files, none larger than 1 MiB; one that is not larger than `room` always fits.
    Behind 512 KiB of attributes that were not listed there is no room either: a frame's head has them. A
    buffer: what was read since the last `clear`. For one thread; ValueError while another is in it, and for
    what would change contents that are looked at.
    """

    def __init__(self, room: int, most: int, /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def read(self, folder: int, items: list[Item], first: int, old: int, /) -> ParcelRead:
        """Read files from `first` on, while the folder is the same object and there is room for the next.

        `(next, otherwise, recent, attributed)`: the first place in `items` that was not seen to; places of
        what was not taken: it has holes, cannot be read, or is not, before and after the reading, the file
        that the listing tells of, by size, mtime, ctime and inode; places of what was taken and has a ctime
        from `old` on; and where a file has flags or attributes, but in the listing none: place and these.
        """

    def results(self) -> list[tuple[int, int, bytes]]:
        """Index, size and hash of each file that was read, in order; all are hashed side by side."""

    def clear(self) -> None:
        """Nothing was read."""
