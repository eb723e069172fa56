"""The messages between sender and receiver of files. The table is in docs/design/wire.md.

A message is the head of a frame (msgpack, an array in the order of the fields here); the content beside it
is raw bytes that no codec touches. Paths and names are bytes, relative to their tree.
"""

from enum import IntEnum, unique
from typing import Annotated

import msgspec
from msgspec import Meta

from smc.base.errors import WireError
from smc.model.progress import Failure

PROTOCOL = 4
PIECE = 1 << 20  # bytes of a file in one message; pieces start at multiples of it

# What the kernel can mean, and a peer can say: anything else has a wrong shape.
Size = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Owner = Annotated[int, Meta(ge=0, le=(1 << 32) - 2)]  # -1 means none
Permissions = Annotated[int, Meta(ge=0, le=0o7777)]
Device = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
Inode = Annotated[int, Meta(ge=0)]
Flags = Annotated[int, Meta(ge=0, le=0xF0, multiple_of=0x10)]  # immutable, append, nodump, noatime
Target = Annotated[bytes, Meta(max_length=4095)]  # PATH_MAX with its NUL
Xattr = tuple[  # XATTR_NAME_MAX, XATTR_SIZE_MAX
    Annotated[bytes, Meta(min_length=1, max_length=255)], Annotated[bytes, Meta(max_length=65536)]
]


class _Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Fields may be added at the end with a default: an older peer ignores them.

    They hold no cycles, so the collector need not look at millions of them.
    """


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
    (ctime), `inode` and `stored` (bytes that hold data) describe the source only and are not copied.
    """

    name: bytes
    kind: Kind
    mode: Permissions
    uid: Owner
    gid: Owner
    mtime_ns: int
    size: Size = 0  # of a file
    stored: Size = 0
    changed_ns: int = 0
    rdev: Device = 0  # of a device node
    target: Target = b""  # of a symlink; empty when it could not be read
    link: bytes = b""
    flags: Flags = 0  # inode flags that are kept
    xattrs: tuple[Xattr, ...] = ()
    inode: Inode = 0


class Folder(_Head, frozen=True):
    """Part of the content of a folder, names in byte order; a large folder comes in several parts.

    `own` is the folder's own entry, with an empty name, in its first part; None when it is gone or cannot be
    read. `digest` is its survey (native.survey), taken before the listing; empty when it must not be
    remembered, because a change after the survey could bear the same time stamp.
    With `last`, names that were in no part are gone, unless one part was not `complete`: then some
    names could not be read.
    """

    path: bytes
    entries: tuple[Entry, ...]
    first: bool = True
    last: bool = True
    complete: bool = True
    own: Entry | None = None
    digest: bytes = b""


class Tree(_Head, frozen=True):
    """`stamped`: its time stamps tell of every change; else nothing of it is known by them."""

    name: str
    excludes: tuple[str, ...] = ()
    stamped: bool = True


class Hello(_Head, frozen=True):
    """Sender: what will be sent. `checksum`: compare content by hash wherever sizes are equal."""

    protocol: int
    trees: tuple[Tree, ...]
    checksum: bool = False
    secure: bool = True  # TLS on the data streams too


class StreamKey(_Head, frozen=True):
    """What opens one data stream, once; `key` seals its frames when it is in the clear."""

    number: int
    token: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"StreamKey({self.number}, token=***, key=***)"


class Welcome(_Head, frozen=True):
    """Receiver: go on. `remembered`: for each tree, whether folders of it may be known (see Survey)."""

    streams: tuple[StreamKey, ...]
    remembered: tuple[bool, ...]


class Total(_Head, frozen=True):
    files: Size
    size: Size


class Totals(_Head, frozen=True):
    """Sender: counted while the first pass runs, in the order of the trees."""

    trees: tuple[Total, ...]


class PassBegin(_Head, frozen=True):
    number: int


class Surveyed(_Head, frozen=True):
    """One look at a folder; `digest` as in Folder."""

    path: bytes
    digest: bytes
    files: Size
    stored: Size


class Survey(_Head, frozen=True):
    """Sender: folders in the order of the walk, which need no listing when nothing of them changed."""

    number: int
    tree: int
    folders: tuple[Surveyed, ...]


class FolderProof(_Head, frozen=True):
    """Of the files directly in a folder: how many, their bytes, and the hash that verify.py defines."""

    files: int
    size: int
    hash: bytes


class Known(_Head, frozen=True):
    """Receiver: for each folder of a survey its proof, or None: list it."""

    number: int
    folders: tuple[FolderProof | None, ...]


class Listing(_Head, frozen=True):
    """Folders in the order of the walk. Entries are numbered through the whole listing, from 0."""

    number: int
    tree: int
    folders: tuple[Folder, ...]


@unique
class Answer(IntEnum):
    SEND = 0
    KEPT = 1  # `hash` was proved equal when it was written, and nothing changed since
    COMPARE = 2  # an Examined will follow with the hash of the receiver's content
    GO_ON = 3  # the pieces in `have` came with an earlier connection: only their hashes are wanted
    DIFFER = 4  # Signatures will follow of an older content: send what is new


class FileAnswer(_Head, frozen=True):
    answer: Answer
    hash: bytes = b""
    have: tuple[tuple[int, int], ...] = ()  # ranges of pieces: (first, one past the last)


class Verdict(_Head, frozen=True):
    """Receiver: one answer for each file of the listing that has no `link`, in order; () means SEND all."""

    number: int
    files: tuple[FileAnswer, ...] = ()


class Examined(_Head, frozen=True):
    """Receiver: the hashes that COMPARE promised, as (index, hash)."""

    listing: int
    files: tuple[tuple[int, bytes], ...]


class Signature(_Head, frozen=True):
    """Receiver: part of the signature (delta.py) that DIFFER promised; `size` and `block` in each part.

    `last` without a block: there is nothing to compare with after all, send it whole.
    """

    listing: int
    index: int
    size: int
    block: int
    blocks: bytes
    last: bool


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
    """Whole files; their contents follow one another in the frame's content."""

    listing: int
    files: tuple[Sent, ...]


class Piece(_Head, frozen=True):
    """One piece of a file, of `size` bytes holes included, at piece `number` of it; `hash` is its SHA-256.

    Bytes that differ from zero come from `copies` (offset in the piece, length, offset in the older content)
    and from `extents` (offset in the piece, length), whose bytes are the frame's content one after another.
    Without extents and copies the content is the whole piece; with `kept` there is none, the receiver has it.
    `attempt` counts the readings of the file: a higher one makes what came before void.
    """

    listing: int
    index: int
    attempt: int
    number: int
    size: int
    hash: bytes
    extents: tuple[tuple[int, int], ...] = ()
    copies: tuple[tuple[int, int, int], ...] = ()
    kept: bool = False


class Whole(_Head, frozen=True):
    """All is sent: `pieces` over all attempts, on whatever streams."""

    listing: int
    attempt: int
    pieces: int
    file: Sent


class Same(_Head, frozen=True):
    """The receiver's content, offered with COMPARE, is the source's."""

    listing: int
    file: Sent


class Missing(_Head, frozen=True):
    """Gone, or not to be read: no content comes but the `pieces` that were sent, which are void."""

    listing: int
    index: int
    pieces: int = 0


class PassEnd(_Head, frozen=True):
    """Sender: all contents of the pass were sent; some may still be on their way on other streams."""

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
    Hello | Welcome | Totals | PassBegin | Survey | Known | Listing | Verdict | Examined
    | Signature | Small | Piece | Whole | Same | Missing | PassEnd | PassDone | Finish | Finished | Failed |
    Alive
)  # fmt: skip
KINDS: dict[int, type[Message]] = {
    1: Hello,
    2: Welcome,
    3: Totals,
    4: PassBegin,
    5: Survey,
    6: Known,
    7: Listing,
    8: Verdict,
    9: Examined,
    10: Signature,
    11: Small,
    12: Piece,
    13: Whole,
    14: Same,
    15: Missing,
    16: PassEnd,
    17: PassDone,
    18: Finish,
    19: Finished,
    20: Failed,
    21: Alive,
}
WITH_CONTENT = frozenset({11, 12})

_NUMBERS = {kind: number for number, kind in KINDS.items()}
_ENCODER = msgspec.msgpack.Encoder()
_DECODERS = {number: msgspec.msgpack.Decoder(kind) for number, kind in KINDS.items()}


def encode_head(message: Message) -> tuple[int, bytes]:
    """The kind and head of the frame that carries `message`."""
    return _NUMBERS[type(message)], _ENCODER.encode(message)


def decode_head(kind: int, head: bytes | memoryview) -> Message:
    """Raises `WireError` for what the table does not know."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise WireError(f"unknown message kind {kind}")
    try:
        return decoder.decode(head)
    except msgspec.DecodeError as e:  # ValidationError is one
        raise WireError(f"a {KINDS[kind].__name__} message has a wrong shape: {e}") from e
