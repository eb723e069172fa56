"""From the members of a tree to the layers of an image, each written once from beginning to end.

A layer that is at the registry is done: after an interruption the next one begins behind it.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

import msgspec

from smc.receiver.containers.tree import Member

LAYER_BYTES = 2 << 30  # before compression; a registry takes what was cut off again from here only
AT_ONCE = 1 << 20  # bytes read and compressed in one step
LEVEL = 1  # of zlib: the registry's line is slower than this, and gzip is what every runtime reads
GZIP = zlib.MAX_WBITS | 16


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` is of the compressed bytes, `diff_id` of the plain ones. `last` is its last path, hex."""

    digest: str
    diff_id: str
    size: int
    plain: int
    last: str


class Upload(Protocol):
    """One blob on its way to where it is kept."""

    def write(self, data: bytes) -> None: ...

    def finish(self, digest: str) -> None:
        """All of it was written."""
        ...


def write_layers(
    found: Iterable[Member],
    begin: Callable[[], Upload],
    done: tuple[Layer, ...] = (),
    *,
    most: int = LAYER_BYTES,
    check: Callable[[int], None] = lambda _: None,
) -> Iterator[Layer]:
    """Each layer when its blob is kept; those of `done` are not written again.

    `check` is told how many plain bytes were read so far, of all layers, also within a file, where a hole is
    as long as it looks; what it raises ends the work. A tree that changed since `done` was written gives an
    image of neither state: nobody may touch the copy.
    """
    skip = bytes.fromhex(done[-1].last) if done else None
    read = sum(layer.plain for layer in done)
    writing: _Writing | None = None
    for member in found:
        if skip is not None:
            member.close()
            if member.path == skip:
                skip = None
            continue
        try:
            if writing is None:
                writing = _Writing(begin(), partial(_told, check, read))
            writing.add(member)
        finally:
            member.close()
        if writing.plain >= most:
            layer = writing.end()
            read += layer.plain
            yield layer
            writing = None
    if writing is not None:
        yield writing.end()


def _told(check: Callable[[int], None], before: int, plain: int) -> None:
    check(before + plain)


class _Writing:
    """The tar stream of one layer: hashed, compressed, hashed again and handed on."""

    def __init__(self, upload: Upload, check: Callable[[int], None]) -> None:
        self.plain = 0
        self._check = check
        self._upload = upload
        self._size = 0
        self._inner, self._outer = hashlib.sha256(), hashlib.sha256()
        self._compress = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._last = b""
        self._tar = tarfile.TarFile(
            fileobj=self,  # type: ignore[arg-type]  # of a file, the archive only writes and asks where it is
            mode="w",
            format=tarfile.PAX_FORMAT,
            errors="surrogateescape",
            copybufsize=AT_ONCE,
        )

    def add(self, member: Member) -> None:
        self._last = member.path
        self._tar.addfile(member.info, member.content)
        self._tar.members = []  # type: ignore[attr-defined]  # it would remember all of them

    def tell(self) -> int:
        return self.plain

    def write(self, data: bytes) -> int:
        self.plain += len(data)
        self._inner.update(data)
        self._put(self._compress.compress(data))
        self._check(self.plain)
        return len(data)

    def end(self) -> Layer:
        self._tar.close()
        self._put(self._compress.flush())
        digest = f"sha256:{self._outer.hexdigest()}"
        self._upload.finish(digest)
        return Layer(
            digest=digest,
            diff_id=f"sha256:{self._inner.hexdigest()}",
            size=self._size,
            plain=self.plain,
            last=self._last.hex(),
        )

    def _put(self, data: bytes) -> None:
        if data:
            self._size += len(data)
            self._outer.update(data)
            self._upload.write(data)
