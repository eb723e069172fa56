"""The messages of the data channel. The table is in docs/design/wire.md.

A payload is the length of its head (u32), the head (msgpack, an array in the order of the fields here),
and content: raw bytes that no codec touches. Paths and names are bytes, relative to their tree.
"""

from enum import IntEnum, unique
from struct import Struct

import msgspec

from smc.base.errors import WireError
from smc.model.progress import Failure

PROTOCOL = 1
PIECE = 1 << 20  # bytes of a file in one message; pieces start at multiples of it
HEAD = Struct("<I")


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """Fields may be added at the end with a default: an older peer ignores them."""


@unique
class Kind(IntEnum):
    FILE = 0
    FOLDER = 1
    SYMLINK = 2
    CHARACTER = 3
    BLOCK = 4
    FIFO = 5
    SOCKET = 6


class Entry(_Head, frozen=True):
    """One name in a folder with all its metadata.

    `link` is the path of the first name of the same inode when that was listed before. `changed_ns`
    (ctime) and `stored` (bytes that hold data) describe the source only and are not copied.
    """

    name: bytes
    kind: Kind
    mode: int  # permission bits
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0  # of a file
    stored: int = 0
    changed_ns: int = 0
    rdev: int = 0  # of a device node
    target: bytes = b""  # of a symlink
    link: bytes = b""
    flags: int = 0  # inode flags that are kept: immutable, append, nodump, noatime
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


class Folder(_Head, frozen=True):
    """Part of the content of a folder, names in byte order; a large folder comes in several parts.

    With `last`, names that were in no part are gone, unless one part was not `complete`: then some
    names could not be read.
    """

    path: bytes
    entries: tuple[Entry, ...]
    first: bool = True
    last: bool = True
    complete: bool = True


class Tree(_Head, frozen=True):
    name: str
    excludes: tuple[str, ...] = ()


class Hello(_Head, frozen=True):
    """Sender: what will be sent. `checksum`: compare content by hash wherever sizes are equal."""

    protocol: int
    trees: tuple[Tree, ...]
    checksum: bool = False


class Welcome(_Head, frozen=True):
    """Receiver: go on."""


class Total(_Head, frozen=True):
    files: int
    size: int


class Totals(_Head, frozen=True):
    """Sender: counted before the first pass, in the order of the trees."""

    trees: tuple[Total, ...]


class PassBegin(_Head, frozen=True):
    number: int


class TreeBegin(_Head, frozen=True):
    """`root` describes the tree's own folder, its name is empty."""

    tree: int
    root: Entry


class Listing(_Head, frozen=True):
    """Folders in the order of the walk. Entries are numbered through the whole listing, from 0."""

    number: int
    folders: tuple[Folder, ...]


@unique
class Answer(IntEnum):
    SEND = 0
    KEPT = 1  # `hash` was proved equal when it was written, and nothing changed since
    COMPARE = 2  # `hash` is of the receiver's content: send only if the source's is another
    GO_ON = 3  # `hash` is of the first `size` bytes, whole pieces, that an earlier connection brought


class FileAnswer(_Head, frozen=True):
    answer: Answer
    hash: bytes = b""
    size: int = 0


class Verdict(_Head, frozen=True):
    """Receiver: one answer for each file of the listing that has no `link`, in order."""

    number: int
    files: tuple[FileAnswer, ...]


class Sent(_Head, frozen=True):
    """How the content of a file ended: hash, and its entry when that changed since it was listed.

    `settled` False: it may have changed while it was read, so it must be looked at again.
    """

    index: int
    size: int
    hash: bytes
    settled: bool = True
    entry: Entry | None = None


class Small(_Head, frozen=True):
    """Whole files; their contents follow one another in the message's content."""

    listing: int
    files: tuple[Sent, ...]


class Piece(_Head, frozen=True):
    """Part of a file at `offset`. `extents` (offset in the piece, length) when it has holes."""

    listing: int
    index: int
    offset: int
    size: int  # holes included
    extents: tuple[tuple[int, int], ...] = ()


class Again(_Head, frozen=True):
    """The file changed while it was read: drop its pieces."""

    listing: int
    index: int


class Whole(_Head, frozen=True):
    """All pieces of a file were sent."""

    listing: int
    file: Sent


class Same(_Head, frozen=True):
    """The receiver's content, offered with COMPARE, is the source's."""

    listing: int
    file: Sent


class Missing(_Head, frozen=True):
    """Gone, or not to be read: no content comes."""

    listing: int
    index: int


class ListingDone(_Head, frozen=True):
    number: int


class PassEnd(_Head, frozen=True):
    number: int


class PassDone(_Head, frozen=True):
    """Receiver: `changes` entries were made, changed or removed in this pass."""

    number: int
    changes: int


class TreeProof(_Head, frozen=True):
    files: int
    size: int
    hash: bytes


class Finish(_Head, frozen=True):
    """Sender: the proof of what was sent, in the order of the trees."""

    trees: tuple[TreeProof, ...]


class Finished(_Head, frozen=True):
    """Receiver: all is on disk; the proof of what was written."""

    trees: tuple[TreeProof, ...]


class Failed(_Head, frozen=True):
    """Either: the peer's work ends with this failure."""

    failure: Failure


class Alive(_Head, frozen=True):
    """Either: nothing to say for a while."""


Message = (
    Hello
    | Welcome
    | Totals
    | PassBegin
    | TreeBegin
    | Listing
    | Verdict
    | Small
    | Piece
    | Again
    | Whole
    | Same
    | Missing
    | ListingDone
    | PassEnd
    | PassDone
    | Finish
    | Finished
    | Failed
    | Alive
)
KINDS: dict[int, type[Message]] = {
    1: Hello,
    2: Welcome,
    3: Totals,
    4: PassBegin,
    5: TreeBegin,
    6: Listing,
    7: Verdict,
    8: Small,
    9: Piece,
    10: Again,
    11: Whole,
    12: Same,
    13: Missing,
    14: ListingDone,
    15: PassEnd,
    16: PassDone,
    17: Finish,
    18: Finished,
    19: Failed,
    20: Alive,
}
WITH_CONTENT = frozenset({8, 9})

_NUMBERS = {kind: number for number, kind in KINDS.items()}
_ENCODER = msgspec.msgpack.Encoder()
_DECODERS = {number: msgspec.msgpack.Decoder(kind) for number, kind in KINDS.items()}


def encode(message: Message, content: bytes | memoryview = b"") -> tuple[int, bytes]:
    """The kind and payload of the frame that carries `message`."""
    head = _ENCODER.encode(message)
    return _NUMBERS[type(message)], b"".join((HEAD.pack(len(head)), head, content))


def decode(kind: int, payload: bytes) -> tuple[Message, memoryview]:
    """The message and its content; raises `WireError` for what the table does not know."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise WireError(f"unknown message kind {kind}")
    if len(payload) < HEAD.size:
        raise WireError(f"a {KINDS[kind].__name__} message is cut short")
    end = HEAD.size + HEAD.unpack_from(payload)[0]
    view = memoryview(payload)
    if end > len(view) or (end < len(view) and kind not in WITH_CONTENT):
        raise WireError(f"a {KINDS[kind].__name__} message has a wrong length")
    try:
        return decoder.decode(view[HEAD.size : end]), view[end:]
    except msgspec.DecodeError as e:  # ValidationError is one
        raise WireError(f"a {KINDS[kind].__name__} message has a wrong shape: {e}") from e
