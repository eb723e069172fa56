"""What the receiver remembers of the folders that it wrote, on its own disk, so that later rounds read
nothing.

One file for each tree, only ever appended to (docs/design/index.md has its bytes): a record for each folder,
then a mark when all that was recorded is durable at the target. Records behind the last mark count only while
the machine has not been started again, because the target's disk may have lost what they speak of. Of the
file only the places of records are in memory, so a tree of a million files costs a few megabytes.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

import msgspec
import xxhash

from smc.base.files import sync_folder
from smc.wire.messages import Entry, FolderProof

MAGIC = b"SMCi\x02\0\0\0"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
RECORD = Struct("<cIQ")  # kind, length, xxh3-64 of kind, length and body
STATE = Struct("<BqqqQ32s")  # length of name, size, mtime, ctime, inode, hash; the name follows
FOLDER, SEAL, BOOT, MARK = b"F", b"S", b"B", b"M"
LONGEST = 1 << 28  # bytes of a record: some millions of files in one folder
WORTH_COMPACTING = 64 << 20


class FolderRecord(msgspec.Struct, frozen=True, array_like=True):
    """A folder as it was when its files were proved equal. `files` is made by `pack`."""

    path: bytes
    source: bytes  # its survey at the source, empty when it must not be trusted
    proof: FolderProof | None
    files: bytes


class _Seal(msgspec.Struct, frozen=True, array_like=True):
    """The survey of the target's folder when all of a pass was done."""

    path: bytes
    target: bytes


@dataclass(slots=True)
class _Place:
    offset: int
    size: int
    target: bytes = b""


class Index:
    """Of one tree; for several threads. `key` says what the records are good for: with another one they
    go."""

    def __init__(self, path: Path | None, key: str = "") -> None:
        """`path` None keeps it in memory only (an unnamed file)."""
        self._path = path
        self._lock = threading.Lock()
        self._places: dict[int, _Place] = {}
        self._handle = _open(path)
        self._end = 0
        self._live = 0  # bytes of the records that count
        self._key = key.encode()
        if not self._load():
            self.clear()

    @property
    def remembers(self) -> bool:
        return bool(self._places)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def clear(self) -> None:
        self._places.clear()
        os.ftruncate(self._handle, 0)
        head = MAGIC + Struct("<I").pack(len(self._key)) + self._key
        os.pwrite(self._handle, head, 0)
        self._end = len(head)
        self._live = 0
        self._append(BOOT, _boot_id())

    def get(self, path: bytes) -> FolderRecord | None:
        place = self._places.get(xxhash.xxh3_64_intdigest(path))
        if place is None:
            return None
        record = self._read(place.offset)
        return record if record is not None and record.path == path else None

    def unchanged(self, path: bytes, source: bytes, target: bytes) -> FolderProof | None:
        """The proof of the folder, when neither end changed since it was recorded."""
        place = self._places.get(xxhash.xxh3_64_intdigest(path))
        if place is None or not source or not place.target or place.target != target:
            return None
        record = self._read(place.offset)
        if record is None or record.path != path or record.source != source:
            return None
        return record.proof

    def sealed(self, path: bytes) -> bytes:
        """The survey of the target's folder when it was in order; empty when that is not known."""
        place = self._places.get(xxhash.xxh3_64_intdigest(path))
        return b"" if place is None else place.target

    def put(self, record: FolderRecord) -> None:
        body = msgspec.msgpack.encode(record)
        offset = self._append(FOLDER, body)
        self._set(record.path, _Place(offset, RECORD.size + len(body)))

    def seal(self, path: bytes, target: bytes) -> None:
        """All of the folder is in place, and looks so."""
        place = self._places.get(xxhash.xxh3_64_intdigest(path))
        if place is not None:
            place.target = target
            self._append(SEAL, msgspec.msgpack.encode(_Seal(path, target)))

    def forget(self, path: bytes) -> None:
        if self._set(path, None) is not None:
            self._append(FOLDER, msgspec.msgpack.encode(FolderRecord(path, b"", None, b"")))

    def commit(self) -> None:
        """Everything recorded so far is on the target's disk."""
        self._append(MARK, b"")
        if self._end > WORTH_COMPACTING and self._end > 3 * max(self._live, 1):
            self._compact()
        os.fsync(self._handle)

    def _append(self, kind: bytes, body: bytes) -> int:
        data = _sealed(kind, body)
        with self._lock:
            offset = self._end
            view = memoryview(data)
            while view:
                count = os.pwrite(self._handle, view, self._end)
                view = view[count:]
                self._end += count
            return offset

    def _set(self, path: bytes, place: _Place | None) -> _Place | None:
        """Where the folder's record is now; returns where it was."""
        key = xxhash.xxh3_64_intdigest(path)
        with self._lock:
            before = self._places.pop(key, None)
            if before is not None:
                self._live -= before.size
            if place is not None:
                self._live += place.size
                self._places[key] = place
        return before

    def _read(self, offset: int) -> FolderRecord | None:
        found = _record_at(self._handle, offset)
        if found is None or found[0] != FOLDER:
            return None
        return msgspec.msgpack.decode(found[1], type=FolderRecord)

    def _load(self) -> bool:
        """Whether the file is one of ours and for this key."""
        head = os.pread(self._handle, len(MAGIC) + 4 + len(self._key), 0)
        if head != MAGIC + Struct("<I").pack(len(self._key)) + self._key:
            return False
        self._end = len(head)
        committed = self._end
        same_boot = False
        pending: list[tuple[int, bytes, bytes]] = []
        for kind, body, offset, end in _records(self._handle, self._end):
            if kind == BOOT:
                same_boot = body == _boot_id()
            elif kind == MARK:
                self._apply(pending)
                pending = []
                committed = end
            else:
                pending.append((offset, kind, body))
            self._end = end
        if same_boot:
            self._apply(pending)
        else:
            self._end = committed
        # What was torn goes: whole records behind it would count again after what is written over it.
        os.ftruncate(self._handle, self._end)
        if not same_boot:
            self._append(BOOT, _boot_id())
        return True

    def _apply(self, records: list[tuple[int, bytes, bytes]]) -> None:
        for offset, kind, body in records:
            if kind == SEAL:
                seal = msgspec.msgpack.decode(body, type=_Seal)
                place = self._places.get(xxhash.xxh3_64_intdigest(seal.path))
                if place is not None:
                    place.target = seal.target
                continue
            record = msgspec.msgpack.decode(body, type=FolderRecord)
            forgotten = record.proof is None and not record.files
            self._set(record.path, None if forgotten else _Place(offset, RECORD.size + len(body)))

    def _compact(self) -> None:
        """Only what counts, in a new file that takes the name when it is whole."""
        if self._path is None:
            return
        old, places = self._handle, dict(self._places)
        temporary = self._path.with_name(self._path.name + ".new")
        self._handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self.clear()
        for place in places.values():
            found = _record_at(old, place.offset)
            if found is None:
                continue
            record = msgspec.msgpack.decode(found[1], type=FolderRecord)
            self.put(record)
            if place.target:
                self.seal(record.path, place.target)
        self._append(MARK, b"")
        os.fsync(self._handle)
        temporary.replace(self._path)
        sync_folder(self._path.parent)
        os.close(old)


def pack(files: list[tuple[bytes, int, int, int, int, bytes]]) -> bytes:
    """Files as (name, size, mtime ns, ctime ns, inode, hash), by name."""
    return b"".join(
        STATE.pack(len(name), size, mtime, ctime, inode, content) + name
        for name, size, mtime, ctime, inode, content in files
    )


class Recollection:
    """Reads what `pack` made, for names asked in ascending order."""

    def __init__(self, files: bytes) -> None:
        self._files = files
        self._at = 0

    def recall(self, entry: Entry) -> bytes | None:
        """The hash of the content, when the source's file is in the state in which it was proved."""
        while self._at < len(self._files):
            length, *state, content = STATE.unpack_from(self._files, self._at)
            start = self._at + STATE.size
            name = self._files[start : start + length]
            if name > entry.name:
                return None
            self._at = start + length
            if name == entry.name:
                same = state == [entry.size, entry.mtime_ns, entry.changed_ns, entry.inode]
                return content if same else None
        return None


def _open(path: Path | None) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    if path is not None:
        return os.open(path, flags, 0o600)
    return os.memfd_create("smc-index", os.MFD_CLOEXEC)


def _boot_id() -> bytes:
    return BOOT_ID.read_bytes().strip()


def _sealed(kind: bytes, body: bytes) -> bytes:
    check = xxhash.xxh3_64(kind + Struct("<I").pack(len(body)))
    check.update(body)
    return RECORD.pack(kind, len(body), check.intdigest()) + body


def _record_at(handle: int, offset: int) -> tuple[bytes, bytes] | None:
    """Kind and body; None where there is no whole record."""
    head = os.pread(handle, RECORD.size, offset)
    if len(head) < RECORD.size:
        return None
    kind, length, _ = RECORD.unpack(head)
    if length > LONGEST:
        return None
    body = os.pread(handle, length, offset + RECORD.size)
    return (kind, body) if _sealed(kind, body)[: RECORD.size] == head else None


def _records(handle: int, offset: int) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Kind, body, offset and end of each whole record; a torn one ends the file."""
    while (found := _record_at(handle, offset)) is not None:
        end = offset + RECORD.size + len(found[1])
        yield *found, offset, end
        offset = end
