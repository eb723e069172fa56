"""What the receiver knows of folders holds only while both ends are as they were when it was proved."""

import errno
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from struct import pack

import pytest
from tests.unit.transfer.hostile import Peer, assert_refused, digest, entry, hostile, sent
from tests.unit.transfer.two_folders import TwoFolders, picture

from smc.transfer import native
from smc.transfer.files.folders import Folders
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import list_folder, look_over
from smc.transfer.memory import Memory
from smc.transfer.records import Records
from smc.wire import messages as m

DIGEST = b"survey of now..."
FILE = entry(b"a", size=3, changed_ns=7)
PROOF = m.FolderProof(1, 3, sha256(pack("<I", 1) + b"a" + digest(b"abc")).digest())
OTHER = m.Hello(m.PROTOCOL, (m.Tree("0_1", ("/tmp",)),))
CHECKED = m.Hello(m.PROTOCOL, (m.Tree("0_1"),), checksum=True)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path.parent / f"{tmp_path.name}.memory")
    yield memory
    memory.close()


def copy(peer: Peer, file: m.Sent, *, digest: bytes = DIGEST, complete: bool = True) -> None:
    """A folder with one file, up to the end of the run."""
    peer.begin()
    own = entry(b"", m.Kind.FOLDER)
    peer.list(m.Folder(b"", (FILE,), own=own, digest=digest, complete=complete))
    peer.put(m.Small(0, (file,)), b"abc")
    peer.finish()


def known(peer: Peer, digest: bytes = DIGEST, path: bytes = b"") -> m.FolderProof | None:
    peer.begin()
    return ask(peer, digest, path)


def ask(peer: Peer, digest: bytes = DIGEST, path: bytes = b"", number: int = 0) -> m.FolderProof | None:
    peer.say(m.Survey(number, 0, (m.Surveyed(path, digest, 1, 3),)))
    answer = peer.hear()
    assert isinstance(answer, m.Known), answer
    assert answer.number == number
    return answer.folders[0]


def test_a_folder_is_known_when_neither_end_changed(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    with hostile(root, memory) as peer:
        assert known(peer) == PROOF
        assert peer.welcome.remembered == (True,)
        received = peer.finish()
    expected = sha256(pack("<I", 0) + PROOF.hash).digest().hex()
    assert [(proof.files, proof.bytes, proof.written) for proof in received.proof] == [(1, 3, expected)]


@pytest.mark.parametrize("forged", [b"", b"another survey..", DIGEST[:-1], DIGEST + b"\0"])
def test_another_survey_of_the_source_proves_nothing(root: Path, memory: Memory, forged: bytes) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    with hostile(root, memory) as peer:
        assert known(peer, forged) is None


@pytest.mark.parametrize("path", [b"a", b"b", b"a/b"])
def test_the_survey_of_another_folder_proves_nothing(root: Path, memory: Memory, path: bytes) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    (root / "b").mkdir()
    with hostile(root, memory) as peer:
        assert known(peer, path=path) is None


def rewrite(root: Path) -> None:
    before = (root / "a").stat()
    (root / "a").write_bytes(b"xyz")
    os.utime(root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "content, with its old time stamp": rewrite,
    "mode": lambda root: (root / "a").chmod(0o600),
    "name": lambda root: (root / "a").rename(root / "b"),
    "a new name": lambda root: (root / "b").touch(),
    "a link": lambda root: (root / "b").hardlink_to(root / "a"),
    "removal": lambda root: (root / "a").unlink(),
    "the folder's mode": lambda root: root.chmod(0o700),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_target_that_changed_is_listed_anew(
    root: Path, memory: Memory, change: Callable[[Path], object]
) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    change(root)
    with hostile(root, memory) as peer:
        assert known(peer) is None


def test_a_folder_is_not_known_after_another_run_with_other_excludes(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    with hostile(root, memory) as peer:
        peer.begin(OTHER)
        assert peer.welcome.remembered == (False,)
        assert ask(peer) is None


@pytest.mark.parametrize(
    ("file", "survey", "complete"),
    [
        (sent(b"abc", settled=False), DIGEST, True),  # it may have changed while it was read
        (sent(b"abc"), b"", True),  # the folder may change unseen
        (sent(b"abc"), DIGEST, False),  # some names could not be read
    ],
    ids=["unsettled", "fresh", "incomplete"],
)
def test_what_must_be_looked_at_again_is_not_known(
    root: Path, memory: Memory, file: m.Sent, survey: bytes, complete: bool
) -> None:
    with hostile(root, memory) as peer:
        copy(peer, file, digest=survey, complete=complete)
    with hostile(root, memory) as peer:
        assert known(peer, survey) is None


def test_a_folder_whose_content_did_not_come_is_not_known(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (FILE,), digest=DIGEST))
        peer.put(m.Missing(0, 0))
        peer.finish()
    with hostile(root, memory) as peer:
        assert known(peer) is None


def test_a_pass_that_did_not_end_leaves_nothing_known(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (FILE,), digest=DIGEST))
        peer.put(m.Small(0, (sent(b"abc"),)), b"abc")
        peer.put(m.Missing(9, 9))  # it fails when the file has been taken
        assert_refused(peer, root)
    with hostile(root, memory) as peer:
        assert known(peer) is None


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        (FILE, True),
        (entry(b"a", size=3, changed_ns=8), False),
        (entry(b"a", size=3, changed_ns=7, mtime_ns=1), False),
        (entry(b"a", size=4, changed_ns=7), False),
        (entry(b"a", size=3, changed_ns=7, inode=2), False),  # its folder changed places with another
    ],
    ids=["unchanged", "ctime", "mtime", "size", "inode"],
)
def test_a_file_is_kept_only_in_the_state_in_which_it_was_proved(
    root: Path, memory: Memory, file: m.Entry, kept: bool
) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    with hostile(root, memory) as peer:
        peer.begin()
        answer = peer.list(m.Folder(b"", (file, entry(b"b")), digest=b"another"))
        assert isinstance(answer, m.Verdict)
        says_kept = bool(answer.files) and answer.files[0] == m.FileAnswer(m.Answer.KEPT, digest(b"abc"))
        assert says_kept is kept


def test_a_target_file_with_another_time_stamp_is_not_kept(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    (root / "a").write_bytes(b"xyz")
    with hostile(root, memory) as peer:
        peer.begin()
        assert peer.list(m.Folder(b"", (FILE,), digest=DIGEST)) == m.Verdict(0)


def test_with_checksum_every_content_is_compared(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    rewrite(root)
    with hostile(root, memory) as peer:
        peer.begin(CHECKED)
        answer = peer.list(m.Folder(b"", (FILE,), digest=DIGEST))
        assert answer == m.Verdict(0, (m.FileAnswer(m.Answer.COMPARE),))
        assert peer.hear() == m.Examined(0, ((0, digest(b"xyz")),))


def test_folders_are_surveyed_while_a_large_one_is_listed(root: Path, memory: Memory) -> None:
    """The sender looks ahead in one thread and lists in another: their messages mix."""
    with hostile(root, memory) as peer:
        peer.begin()
        for number, path in enumerate((b"", b"d")):
            assert ask(peer, b"new", path, number) is None
        first = m.Folder(b"", (FILE, entry(b"d", m.Kind.FOLDER)), last=False)
        peer.list(first)
        assert ask(peer, b"new", b"e", 2) is None
        peer.say(m.Listing(1, 0, (m.Folder(b"", (entry(b"e", m.Kind.FOLDER),), first=False),)))
        peer.say(m.Listing(2, 0, (m.Folder(b"d", ()), m.Folder(b"e", ()))))
        peer.put(m.Small(0, (sent(b"abc"),)), b"abc")
        peer.finish()
    assert sorted(path.name for path in root.iterdir()) == ["a", "d", "e"]


@pytest.mark.parametrize("mtime", [1 << 64, 1 << 70, -(1 << 63) - 1])
def test_a_time_that_no_message_can_say_is_the_nearest_that_one_can(
    root: Path, tmp_path: Path, mtime: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some filesystems keep such times; this one may not."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"abc")
    listing = native.listing

    def far_away(folder: int, names: list[bytes], bare: bool) -> list["native.Listed"]:
        return [(*one[:7], mtime, *one[8:]) for one in listing(folder, names, bare)]

    monkeypatch.setattr(native, "listing", far_away)
    with Folders(source) as folders:
        (seen,) = look_over(folders, Excludes(()), lambda: None)
        ((part, _),) = list_folder(folders, seen, Excludes(()), lambda path, error: None)
    assert [entry.mtime_ns for entry in part.entries] == [max(-(1 << 63), min(mtime, (1 << 64) - 1))]
    assert TwoFolders(source, root).copy().is_right


def test_a_copy_goes_on_when_the_disk_of_the_index_is_full(
    root: Path, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    for number in range(30):
        (source / f"{number}" / "below").mkdir(parents=True)
        (source / f"{number}" / "below" / "file").write_bytes(b"%d" % number)
    left = iter(range(20))
    append = Records.append

    def append_while_there_is_room(records: Records, kind: bytes, *body: bytes) -> int:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(records, kind, *body)

    monkeypatch.setattr(Records, "append", append_while_there_is_room)
    folders = TwoFolders(source, root, memory)
    assert folders.copy().is_right
    assert picture(root) == picture(source)
    assert {"index" in note for note in folders.notes} == {True, False}


def test_a_known_folder_is_not_surveyed_or_listed_again(root: Path, memory: Memory) -> None:
    with hostile(root, memory) as peer:
        copy(peer, sent(b"abc"))
    for again in (m.Survey(1, 0, (m.Surveyed(b"", DIGEST, 1, 3),)), m.Listing(0, 0, (m.Folder(b"", ()),))):
        with hostile(root, memory) as peer:
            assert known(peer) == PROOF
            peer.say(again)
            assert_refused(peer, root)
