"""What the receiver remembers of the folders that it wrote, on its own disk: later rounds read nothing.

One file for each tree, only ever appended to (docs/design/index.md has its bytes): a record for each folder,
then a mark when all that was recorded is durable at the target. Records behind the last mark count only while
the machine has not been started again, because the target's disk may have lost what they speak of. Of the
file only the places of records are in memory, so a tree of a million files costs a few megabytes.

It saves work and is needed for nothing: when its disk fails it forgets all and is silent from then on.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from struct import Struct
from types import TracebackType

import msgspec

from smc.base.files import sync_folder
from smc.transfer.places import Place, Places
from smc.transfer.records import LONGEST, RECORD, Records
from smc.wire.messages import Entry, FolderProof

log = logging.getLogger(__name__)

MAGIC = b"SMCi\x03\0\0\0"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STATE = Struct("<BqqqQ32s")  # length of name, size, mtime, ctime, inode, hash; the name follows
FOLDER, SEAL, BOOT, MARK = b"F", b"S", b"B", b"M"
WORTH_COMPACTING = 64 << 20


class FolderRecord(msgspec.Struct, frozen=True, array_like=True):
    """A folder as it was when its files were proved equal. `files`: native.pack_proved."""

    path: bytes
    source: bytes  # its survey at the source, empty when it must not be trusted
    proof: FolderProof | None
    files: bytes


class _Glance(msgspec.Struct, frozen=True, array_like=True):
    """A `FolderRecord` without a copy of its files, which may be 100 MB."""

    path: bytes
    source: bytes
    proof: FolderProof | None
    files: memoryview


class _Seal(msgspec.Struct, frozen=True, array_like=True):
    """The survey of the target's folder when it was in order, at the end of a pass."""

    path: bytes
    target: bytes


_Change = _Seal | tuple[bytes, Place | None]  # a folder's survey at the target, or where its record is now
GLANCE = msgspec.msgpack.Decoder(_Glance)
NO_BYTES = b"\xc4\0"  # of msgpack, as is what BYTES packs before many: 0xc6 and their number
BYTES = Struct(">BI")


class Index:
    """Of one tree; for several threads. `key` says what the records are good for: with another one they go.

    `trouble` is why it remembers nothing any more, empty while it does.
    """

    def __init__(self, path: Path | None, key: str = "") -> None:
        """`path` None keeps it in memory only."""
        self.trouble = ""
        self._path = path
        self._lock = threading.Lock()
        self._places = Places()
        self._live = 0  # bytes of the records that count
        self._head = MAGIC + Struct("<I").pack(len(key.encode())) + key.encode()
        self._records = Records(None)
        with self._or_off():
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                opened = Records(path)
                self._records.close()
                self._records = opened
            if not self._load():
                self._begin_anew()

    @property
    def remembers(self) -> bool:
        return bool(self._places)

    def close(self) -> None:
        with self._lock:
            self._records.close()

    def clear(self) -> None:
        with self._or_off():
            self._begin_anew()

    def get(self, path: bytes) -> FolderRecord | None:
        record = self._find(path)
        return FolderRecord(path, record.source, record.proof, bytes(record.files)) if record else None

    def files(self, path: bytes) -> bytes | memoryview:
        """Of the folder's record, for `Recollection`."""
        record = self._find(path)
        return record.files if record else b""

    def unchanged(self, path: bytes, source: bytes, target: bytes) -> FolderProof | None:
        """The proof of the folder, when neither end changed since it was recorded."""
        place = self._places.get(path)
        if place is None or not source or not place.target or place.target != target:
            return None
        record = self._read(place.offset)
        if record is None or record.path != path or record.source != source:
            return None
        return record.proof

    def sealed(self, path: bytes) -> bytes:
        """The survey of the target's folder when it was in order; empty when that is not known."""
        place = self._places.get(path)
        return b"" if place is None else place.target

    def put(self, record: FolderRecord, more: Sequence[bytes] = ()) -> None:
        """`more` files follow those of the record: parts, so that many need not be put together first.

        Of a folder with so many that they have no place in a record, the proof alone.
        """
        files = [record.files, *more]
        length = sum(map(len, files))
        bare = msgspec.structs.replace(record, files=b"") if record.files else record
        body = [msgspec.msgpack.encode(bare)]
        if 0 < length < LONGEST - len(body[0]):
            body = [body[0].removesuffix(NO_BYTES) + BYTES.pack(0xC6, length), *files]
        with self._or_off():
            offset = self._append(FOLDER, *body)
            self._set(record.path, Place(offset, RECORD.size + sum(map(len, body))))

    def seal(self, path: bytes, target: bytes) -> None:
        """All of the folder is in place, and looks so."""
        if self._seal(path, target):
            with self._or_off():
                self._append(SEAL, msgspec.msgpack.encode(_Seal(path, target)))

    def forget(self, path: bytes) -> None:
        if self._set(path, None) is not None:
            with self._or_off():
                self._append(FOLDER, msgspec.msgpack.encode(FolderRecord(path, b"", None, b"")))

    def commit(self) -> None:
        """Everything recorded so far is on the target's disk."""
        with self._or_off():
            self._append(MARK, b"")
            if self._records.end > WORTH_COMPACTING and self._records.end > 3 * max(self._live, 1):
                self._compact()
            if not self.trouble:
                self._records.sync()

    def _or_off(self) -> "_OrOff":
        return _OrOff(self._turn_off)

    def _turn_off(self, error: OSError) -> None:
        """For this program and the next: the file does not have all that it should."""
        with self._lock:
            if self.trouble:
                return
            name = "" if self._path is None else f" {self._path.name}"
            self.trouble = f"the index{name} is off: {error.strerror or error}"
            self._places.clear()
            with suppress(OSError):  # it is no index without its head
                self._records.cut(0)
        log.warning("%s", self.trouble)

    def _begin_anew(self) -> None:
        with self._lock:
            self._places.clear()
            self._live = 0
            if not self.trouble:
                self._records.begin_anew(self._head)
        self._append(BOOT, _boot_id())

    def _append(self, kind: bytes, *body: bytes) -> int:
        with self._lock:
            return 0 if self.trouble else self._records.append(kind, *body)

    def _set(self, path: bytes, place: Place | None) -> Place | None:
        """Where the folder's record is now; returns where it was."""
        with self._lock:
            before = self._places.pop(path)
            if before is not None:
                self._live -= before.size
            if place is not None and not self.trouble:
                self._live += place.size
                self._places.put(path, place)
        return before

    def _find(self, path: bytes) -> _Glance | None:
        place = self._places.get(path)
        record = None if place is None else self._read(place.offset)
        return record if record is not None and record.path == path else None

    def _read(self, offset: int) -> _Glance | None:
        found = None
        with self._or_off():
            found = self._records.read(offset)
        if found is None or found[0] != FOLDER:
            return None
        return GLANCE.decode(found[1])

    def _load(self) -> bool:
        """Whether the file is one of ours and for this key."""
        if not self._records.begins_with(self._head):
            return False
        committed = whole = self._records.end
        same_boot = False
        pending: list[_Change] = []
        for kind, body, offset, end in self._records.all():
            if kind == BOOT:
                same_boot = body == _boot_id()
            elif kind == MARK:
                self._apply(pending)
                pending = []
                committed = end
            else:
                pending.append(_change(kind, body, offset, end))
            whole = end
        if same_boot:
            self._apply(pending)
        # What was torn goes: whole records behind it would count again after what is written over it.
        self._records.cut(whole if same_boot else committed)
        if not same_boot:
            self._append(BOOT, _boot_id())
        return True

    def _apply(self, changes: Sequence[_Change]) -> None:
        for change in changes:
            if not isinstance(change, _Seal):
                self._set(*change)
            else:
                self._seal(change.path, change.target)

    def _seal(self, path: bytes, target: bytes) -> bool:
        with self._lock:
            place = self._places.get(path)
            if place is None:
                return False
            self._places.put(path, place._replace(target=target))
        return True

    def _compact(self) -> None:
        """Only what counts, in a new file that takes the name when it is whole. If it cannot, all stays."""
        if self._path is None:
            return
        temporary = self._path.with_name(self._path.name + ".new")
        fresh: Records | None = None
        try:
            fresh = Records(temporary, os.O_TRUNC)
            places = self._copy_to(fresh)
            fresh.sync()
            temporary.replace(self._path)
        except OSError as e:
            log.warning("the index %s keeps its garbage: %s", self._path.name, e.strerror or e)
            if fresh is not None:
                fresh.close()
            with suppress(OSError):  # the next try begins it anew
                temporary.unlink(missing_ok=True)
            return
        self._records.close()
        self._records, self._places = fresh, places
        sync_folder(self._path.parent)

    def _copy_to(self, fresh: Records) -> Places:
        """What counts, and where it is there."""
        fresh.begin_anew(self._head)
        fresh.append(BOOT, _boot_id())
        places = Places()
        for place in self._places:
            found = self._records.read(place.offset)
            if found is None:
                continue
            path = GLANCE.decode(found[1]).path
            places.put(path, Place(fresh.append(*found), place.size, place.target))
            if place.target:
                fresh.append(SEAL, msgspec.msgpack.encode(_Seal(path, place.target)))
        fresh.append(MARK, b"")
        return places


class _OrOff:
    """A context: what the index's disk refuses turns it off. A class, as `target._Blamed` is."""

    __slots__ = ("_turn_off",)

    def __init__(self, turn_off: Callable[[OSError], None]) -> None:
        self._turn_off = turn_off

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, OSError):
            self._turn_off(error)
            return True
        return False


def _change(kind: bytes, body: bytes, offset: int, end: int) -> _Change:
    """What a record is good for, without its files."""
    if kind == SEAL:
        return msgspec.msgpack.decode(body, type=_Seal)
    record = GLANCE.decode(body)
    forgotten = record.proof is None and not record.files
    return record.path, None if forgotten else Place(offset, end - offset)


class Recollection:
    """Reads what `native.pack_proved` made, for names asked in ascending order."""

    def __init__(self, files: bytes | memoryview) -> None:
        self._files = memoryview(files)
        self._at = 0

    def recall(self, entry: Entry) -> bytes | None:
        """The hash of the content, when the source's file is in the state in which it was proved."""
        while self._at < len(self._files):
            length, *state, content = STATE.unpack_from(self._files, self._at)
            start = self._at + STATE.size
            name = bytes(self._files[start : start + length])
            if name > entry.name:
                return None
            self._at = start + length
            if name == entry.name:
                same = state == [entry.size, entry.mtime_ns, entry.changed_ns, entry.inode]
                return content if same else None
        return None


def _boot_id() -> bytes:
    return BOOT_ID.read_bytes().strip()
