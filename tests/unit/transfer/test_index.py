"""The receiver's index remembers just what was recorded, through torn files, other boots and compaction."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smc.transfer import index as index_module
from smc.transfer.index import STATE, FolderRecord, Index, Recollection
from smc.wire.messages import Entry, FolderProof, Kind

PATHS = [b"", b"a", b"a/b", b"\xff\n", b"long/" * 30]
PROOF = FolderProof(1, 7, b"h" * 32)
HASH = b"c" * 32


def record(path: bytes, source: bytes = b"source", files: bytes = b"") -> FolderRecord:
    return FolderRecord(path, source, PROOF, files)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0_1.index"


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    file = tmp_path / "boot_id"
    file.write_text("first\n")
    monkeypatch.setattr(index_module, "BOOT_ID", file)

    def start(name: str) -> None:
        file.write_text(f"{name}\n")

    yield start


def filled(path: Path, *paths: bytes, commit: bool = True) -> None:
    """Known and sealed folders, by a program that is gone."""
    index = Index(path, "key")
    for one in paths:
        index.put(record(one))
        index.seal(one, b"target")
    if commit:
        index.commit()
    index.close()


def known(path: Path, key: str = "key") -> list[bytes]:
    index = Index(path, key)
    try:
        found = [one for one in PATHS if index.unchanged(one, b"source", b"target") == PROOF]
        assert found == [one for one in PATHS if index.get(one) is not None]
        assert index.remembers == bool(found)
        return found
    finally:
        index.close()


def test_what_was_recorded_is_known_to_the_next_program(path: Path) -> None:
    filled(path, b"", b"a")
    assert known(path) == [b"", b"a"]


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    filled(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", ["other", "", "key2", "ke"])
def test_another_key_drops_all(path: Path, key: str) -> None:
    filled(path, b"", b"a")
    assert known(path, key) == []
    assert known(path) == []


@pytest.mark.parametrize("content", [b"", b"SMCi", b"SMCi\x01\0\0\0", b"\0" * 100, bytes(range(256)) * 4])
def test_a_file_that_is_no_index_is_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert known(path) == []
    filled(path, b"a")
    assert known(path) == [b"a"]


def test_in_memory_it_does_the_same() -> None:
    index = Index(None)
    index.put(record(b"a"))
    index.seal(b"a", b"target")
    index.commit()
    assert index.unchanged(b"a", b"source", b"target") == PROOF
    index.close()


def test_a_folder_is_unchanged_only_with_both_surveys() -> None:
    index = Index(None)
    index.put(record(b"a"))
    assert index.unchanged(b"a", b"source", b"") is None  # not sealed
    index.seal(b"a", b"target")
    assert index.unchanged(b"a", b"source", b"target") == PROOF
    assert index.unchanged(b"a", b"other", b"target") is None
    assert index.unchanged(b"a", b"source", b"other") is None
    assert index.unchanged(b"b", b"source", b"target") is None
    index.put(record(b"a"))
    assert index.unchanged(b"a", b"source", b"target") is None  # it is being changed
    index.seal(b"a", b"target")
    index.forget(b"a")
    assert index.unchanged(b"a", b"source", b"target") is None
    index.close()


def test_a_folder_that_must_not_be_trusted_is_never_unchanged() -> None:
    index = Index(None)
    index.put(record(b"a", source=b""))
    index.seal(b"a", b"target")
    assert index.unchanged(b"a", b"", b"target") is None
    index.close()


def test_after_another_boot_only_what_was_marked_counts(path: Path, boot: Callable[[str], None]) -> None:
    filled(path, b"a")
    filled(path, b"", commit=False)
    assert known(path) == [b"", b"a"]
    boot("second")
    assert known(path) == [b"a"]
    filled(path, b"a/b", commit=False)
    assert known(path) == [b"a", b"a/b"]
    boot("third")
    assert known(path) == [b"a"]


def test_what_was_forgotten_since_the_mark_is_known_again_after_another_boot(
    path: Path, boot: Callable[[str], None]
) -> None:
    """The disk may have lost the change too; both surveys are compared anyway."""
    filled(path, b"a")
    index = Index(path, "key")
    index.forget(b"a")
    index.close()
    assert known(path) == []
    boot("second")
    assert known(path) == [b"a"]


def test_a_stale_record_behind_a_torn_one_does_not_come_back(path: Path) -> None:
    """What is written over a torn record may end where an older whole one begins."""
    filled(path, b"")
    torn_at = path.stat().st_size
    index = Index(path, "key")
    index.put(record(b"a", b"older1"))
    middle = path.stat().st_size
    index.put(record(b"a", b"older2"))
    index.close()
    with path.open("r+b") as file:
        file.seek(torn_at + 20)
        file.write(b"\xff")
    index = Index(path, "key")
    index.put(record(b"a", b"newest"))
    assert path.stat().st_size == middle
    index.close()
    index = Index(path, "key")
    found = index.get(b"a")
    assert found is not None
    assert found.source == b"newest"
    index.close()


def test_garbage_is_left_behind_when_there_is_much(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "WORTH_COMPACTING", 10_000)
    index = Index(path, "key")
    for number in range(2000):
        index.put(record(PATHS[number % 3], b"%d" % number))
        index.seal(PATHS[number % 3], b"target")
        if number % 10 == 9:
            index.commit()
            assert path.stat().st_size < 12_000
    assert [index.get(one) for one in PATHS[:3]] == [
        record(b"", b"1998"),
        record(b"a", b"1999"),
        record(b"a/b", b"1997"),
    ]
    assert index.unchanged(b"", b"1998", b"target") == PROOF
    index.close()
    assert list(path.parent.iterdir()) == [path]


def test_what_counts_is_not_written_again_and_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "WORTH_COMPACTING", 1000)
    filled(path, *(b"%d" % number for number in range(100)))
    inode = path.stat().st_ino
    for _ in range(3):
        filled(path, b"a")
    assert path.stat().st_ino == inode


def test_a_program_that_dies_while_it_compacts_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, b"", b"a")
    path.with_name(path.name + ".new").write_bytes(b"half")
    monkeypatch.setattr(index_module, "WORTH_COMPACTING", 10)
    index = Index(path, "key")
    for _ in range(20):
        index.put(record(b"a"))
        index.seal(b"a", b"target")
    index.commit()
    index.close()
    assert known(path) == [b"", b"a"]


def test_of_files_that_are_too_many_for_a_record_only_the_proof_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "LONGEST", 200)
    filled(path, b"", b"a")
    index = Index(path, "key")
    index.put(record(b"a", files=b"f" * 200))
    assert index.get(b"a") == record(b"a")
    index.seal(b"a", b"target")
    index.put(record(b"a/b"))
    index.seal(b"a/b", b"target")
    index.commit()
    index.close()
    assert known(path) == [b"", b"a", b"a/b"]


def test_files_are_recalled_by_name_in_their_proved_state() -> None:
    inode = (1 << 64) - 1
    files = [
        (b"a", 1, 2, 3, 9, HASH),
        (b"b" * 255, 4, -5, 6, inode, b"d" * 32),
        (b"\xff", 1 << 40, 2, 3, 9, b"e" * 32),
    ]
    packed = b"".join(STATE.pack(len(name), *state) + name for name, *state in files)

    def recall(*wanted: tuple[bytes, int, int, int, int]) -> list[bytes | None]:
        known = Recollection(packed)
        return [
            known.recall(Entry(name, Kind.FILE, 0, 0, 0, mtime, size, 0, ctime, inode=inode))
            for name, size, mtime, ctime, inode in wanted
        ]

    assert recall(*(file[:5] for file in files)) == [HASH, b"d" * 32, b"e" * 32]
    assert recall(
        (b"Z", 1, 2, 3, 9), (b"a", 1, 2, 3, 9), (b"aa", 1, 2, 3, 9), (b"\xff", 1 << 40, 2, 3, 9)
    ) == [
        None,
        HASH,
        None,
        b"e" * 32,
    ]
    for other in ((0, 2, 3, 9), (1, 0, 3, 9), (1, 2, 0, 9), (1, 2, 3, 0)):
        assert recall((b"a", *other)) == [None]
    assert Recollection(b"").recall(Entry(b"a", Kind.FILE, 0, 0, 0, 0)) is None


State = dict[bytes, tuple[FolderRecord, bytes]]  # record and the target's survey


class Records(RuleBasedStateMachine):
    """Against a dictionary: `log` has what counts when the file ends at an offset."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory(prefix="smc-")
        self.path = Path(self.folder.name) / "index"
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(index_module, "WORTH_COMPACTING", 2000)
        self.patch.setattr(index_module, "BOOT_ID", Path(self.folder.name) / "boot")
        self.boots = 0
        self.start_machine()
        self.state: State = {}
        self.open()
        self.committed = self.size()
        self.log = [(self.size(), dict(self.state))]

    def start_machine(self) -> None:
        self.boots += 1
        (Path(self.folder.name) / "boot").write_text(f"{self.boots}\n")

    def open(self) -> None:
        self.index = Index(self.path, "key")

    def size(self) -> int:
        return self.path.stat().st_size

    def note(self) -> None:
        self.log.append((self.size(), dict(self.state)))

    @rule(path=st.sampled_from(PATHS), source=st.binary(max_size=4), files=st.sampled_from([b"", b"f" * 90]))
    def put(self, path: bytes, source: bytes, files: bytes) -> None:
        self.state[path] = record(path, source, files), b""
        self.index.put(self.state[path][0])
        self.note()

    @rule(path=st.sampled_from(PATHS), survey=st.binary(max_size=4))
    def seal(self, path: bytes, survey: bytes) -> None:
        if path in self.state:
            self.state[path] = self.state[path][0], survey
        self.index.seal(path, survey)
        self.note()

    @rule(path=st.sampled_from(PATHS))
    def forget(self, path: bytes) -> None:
        self.state.pop(path, None)
        self.index.forget(path)
        self.note()

    @rule()
    def commit(self) -> None:
        before = self.path.stat().st_ino
        self.index.commit()
        if self.path.stat().st_ino != before:
            self.log = []
        self.note()
        self.committed = self.size()

    @rule()
    def program_starts_again(self) -> None:
        self.index.close()
        self.open()

    @rule()
    def machine_starts_again(self) -> None:
        self.index.close()
        self.start_machine()
        self.back_to(self.committed)
        self.open()
        self.log = [entry for entry in self.log if entry[0] <= self.committed]
        self.note()

    @precondition(lambda self: self.size() > self.committed)
    @rule(data=st.data(), flip=st.booleans())
    def file_is_torn(self, data: st.DataObject, flip: bool) -> None:
        self.index.close()
        at = data.draw(st.integers(self.committed, self.size() - 1))
        with self.path.open("r+b") as file:
            if flip:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 0x40]))
            else:
                file.truncate(at)
        self.back_to(at)
        self.open()
        self.log = [entry for entry in self.log if entry[0] <= at]
        self.note()

    def back_to(self, offset: int) -> None:
        self.state = dict([state for end, state in self.log if end <= offset][-1])

    @invariant()
    def it_knows_what_was_recorded(self) -> None:
        assert self.index.remembers == bool(self.state)
        for path in PATHS:
            known, target = self.state.get(path, (None, b""))
            assert self.index.get(path) == known
            source = known.source if known is not None else b"source"
            proof = PROOF if known is not None and source and target else None
            assert self.index.unchanged(path, source, target) == proof
            assert self.index.unchanged(path, source + b"x", target) is None
            assert self.index.unchanged(path, source, target + b"x") is None

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()
            self.patch.undo()
            self.folder.cleanup()


TestRecords = Records.TestCase
TestRecords.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
