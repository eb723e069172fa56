"""Content that was not asked for, or is not what it was said to be, is refused: no name ever holds it."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.unit.transfer.hostile import (
    Peer,
    assert_refused,
    digest,
    entry,
    hostile,
    piece,
    sent,
)

from smc.base.errors import Transient
from smc.transfer import examiner, native, pipeline
from smc.transfer.files.pieces import Pieces
from smc.transfer.memory import Memory
from smc.transfer.verify import hash_bytes
from smc.wire import messages as m

MIB = m.PIECE
BIG = os.urandom(2 * MIB + 5)
OLD = os.urandom(MIB)
Said = tuple[m.Message, bytes]


def offer(peer: Peer, *entries: m.Entry) -> m.Message:
    """One folder of files, all of which the receiver wants."""
    peer.begin()
    answer = peer.list(m.Folder(b"", entries))
    assert isinstance(answer, m.Verdict)
    return answer


def whole(content: bytes, pieces: int, attempt: int = 0) -> m.Whole:
    return m.Whole(0, attempt, pieces, m.Sent(0, len(content), hash_bytes(content)))


def cut(content: bytes, attempt: int = 0) -> list[Said]:
    """The pieces of a content."""
    parts = [content[at : at + MIB] for at in range(0, len(content), MIB)]
    return [(piece(part, number, attempt=attempt), part) for number, part in enumerate(parts)]


def test_content_for_a_folder_is_refused(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3), entry(b"d", m.Kind.FOLDER))
        peer.put(m.Small(0, (sent(b"abc", index=1),)), b"abc")
        assert "not asked for" in assert_refused(peer, root).message
    assert list((root / "d").iterdir()) == []


@pytest.mark.parametrize(
    "said",
    [
        (m.Small(1, (sent(b"abc"),)), b"abc"),
        (m.Small(0, (sent(b"abc", index=9),)), b"abc"),
        (m.Small(0, (sent(b"abc", index=-1),)), b"abc"),
        (piece(b"abc", listing=1), b"abc"),
        (piece(b"abc", index=9), b"abc"),
        (m.Whole(0, 0, 0, sent(b"", index=9)), b""),
        (m.Whole(1, 0, 0, sent(b"")), b""),
        (m.Missing(0, 9), b""),
        (m.Missing(1, 0), b""),
        (m.Same(0, sent(b"abc")), b""),  # it was not compared
        (m.PassEnd(1), b""),
        (m.Hello(m.PROTOCOL, ()), b""),
        (m.Verdict(0), b""),
    ],
    ids=repr,
)
def test_content_that_nobody_asked_for_is_refused(root: Path, said: Said) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3))
        peer.put(*said)
        assert_refused(peer, root)
    assert list(root.iterdir()) == []


def test_content_that_came_already_is_refused(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3), entry(b"b", size=3))
        for _ in range(2):
            peer.put(m.Small(0, (sent(b"abc"),)), b"abc")
        assert_refused(peer, root)


def test_content_that_comes_twice_in_one_message_is_refused(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3), entry(b"b", size=3))
        peer.put(m.Small(0, (sent(b"abc"), sent(b"abc"))), b"abcabc")
        assert_refused(peer, root)


def test_a_file_that_comes_in_pieces_does_not_come_at_once_too(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3))
        peer.put(piece(b"abc"), b"abc")
        peer.put(m.Small(0, (sent(b"abc"),)), b"abc")
        assert_refused(peer, root)


def test_a_message_of_a_stream_has_no_place_on_the_control_connection(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3))
        peer.say(m.Small(0, (sent(b"abc"),)))
        assert_refused(peer, root)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (sent(b"abc", hash=b"\0" * 32), b"abc"),
        (sent(b"abc", hash=b""), b"abc"),
        (sent(b"abc"), b"ab"),
        (sent(b"abc"), b"abcd"),
        (sent(b"abc"), b""),
        (sent(b"abcd"), b"abcd"),  # not the size that was listed
        (sent(b"abc", size=-1), b""),
        (sent(b"abc", entry=entry(b"a", m.Kind.FOLDER)), b"abc"),
        (sent(b"abc", entry=entry(b"a", size=4)), b"abc"),
        (sent(b"abc", entry=entry(b"a", size=3, link=b"b")), b"abc"),
    ],
    ids=repr,
)
def test_small_content_that_is_not_what_was_said_is_refused(root: Path, file: m.Sent, content: bytes) -> None:
    (root / "a").write_bytes(b"old")
    os.utime(root / "a", ns=(1, 1))
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3))
        peer.put(m.Small(0, (file,)), content)
        assert_refused(peer, root)
    assert (root / "a").read_bytes() == b"old"


def test_an_entry_that_is_sent_anew_keeps_the_name_that_was_listed(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3))
        other = entry(b"../outside/precious", size=4)
        peer.put(m.Small(0, (sent(b"abcd", entry=other),)), b"abcd")
        peer.finish()
    assert (root / "a").read_bytes() == b"abcd"
    assert (root.parent / "outside" / "precious").read_text() == "precious"


@pytest.mark.parametrize("said", [b"new", b"old!"])
def test_calling_a_file_the_same_needs_the_hash_that_was_offered(root: Path, said: bytes) -> None:
    (root / "a").write_bytes(b"old")
    os.utime(root / "a", ns=(0, 0))
    with hostile(root) as peer:
        assert offer(peer, entry(b"a", size=3)) == m.Verdict(0, (m.FileAnswer(m.Answer.COMPARE),))
        assert peer.hear() == m.Examined(0, ((0, digest(b"old")),))
        peer.put(m.Same(0, sent(said)))
        assert_refused(peer, root)


def test_a_file_is_not_the_same_before_it_was_compared(root: Path) -> None:
    """By the answer alone: its hash is not known yet."""
    (root / "a").write_bytes(b"old")
    os.utime(root / "a", ns=(0, 0))
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3))
        peer.put(m.Same(0, sent(b"", size=3, hash=b"")))
        assert isinstance(peer.hear(), m.Examined | m.Failed)
        peer.end()


def test_a_hash_is_told_before_a_large_file_is_hashed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the sender's streams wait for it, with nothing to do."""
    heard = threading.Event()

    class SlowPieces(Pieces):
        def read(self, number: int, ahead: int = 0) -> tuple[bytes, tuple[tuple[int, int], ...]]:
            assert heard.wait(10.0) or number == 0
            return super().read(number, ahead)

    monkeypatch.setattr(examiner, "Pieces", SlowPieces)
    (root / "a").write_bytes(b"abc")
    with (root / "b").open("wb") as file:
        file.truncate(examiner.HELD_BACK)
        file.seek(MIB)
        file.write(b"data")
    for name in ("a", "b"):
        os.utime(root / name, ns=(0, 0))
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=3), entry(b"b", size=examiner.HELD_BACK))
        assert peer.hear() == m.Examined(0, ((0, digest(b"abc")),))
        heard.set()
        assert peer.hear() == m.Examined(0, ((1, hash_bytes((root / "b").read_bytes())),))


def test_a_folder_that_was_replaced_in_an_earlier_pass_is_examined_as_it_is(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_bytes(b"old")
    above = m.Folder(b"", (entry(b"a", m.Kind.FOLDER),))
    below = m.Folder(b"a", (entry(b"b", m.Kind.FOLDER),)), m.Folder(b"a/b", (entry(b"file", size=3),))

    def end_pass(number: int) -> None:
        peer.say(m.PassEnd(number))
        assert isinstance(peer.hear(), m.PassDone)
        peer.say(m.PassBegin(number + 1))

    with hostile(root) as peer:
        peer.begin(m.Hello(m.PROTOCOL, (m.Tree("0_1"),), checksum=True))
        peer.list(above, *below)
        assert peer.hear() == m.Examined(0, ((2, digest(b"old")),))
        peer.put(m.Same(0, sent(b"old", 2)))
        end_pass(1)
        peer.say(m.Listing(1, 0, (m.Folder(b"", (entry(b"a", m.Kind.FIFO),)),)))
        end_pass(2)
        peer.list(above, *below, number=2)
        peer.put(m.Small(2, (sent(b"new", 2),)), b"new")
        end_pass(3)
        peer.list(above, *below, number=3)
        assert peer.hear() == m.Examined(3, ((2, digest(b"new")),))


def test_pieces_that_are_here_are_kept_only_as_they_are(root: Path) -> None:
    memory = Memory()
    file = entry(b"a", size=len(BIG))
    with hostile(root, memory) as peer:
        offer(peer, file)
        peer.put(*cut(BIG)[0])
        peer.put(m.Missing(0, 9))  # refused when the piece has been taken
        assert_refused(peer, root)
    with hostile(root, memory) as peer:
        assert offer(peer, file) == m.Verdict(0, (m.FileAnswer(m.Answer.GO_ON, have=((0, 1),)),))
        peer.put(piece(os.urandom(MIB), kept=True))
        with pytest.raises(Transient):
            peer.hear()  # it hangs up, to go on with the next connection
        ended = peer.end()
        assert isinstance(ended, Transient)
        assert ended.code == "Transfer.Changed"
    with hostile(root, memory) as peer:
        assert offer(peer, file) == m.Verdict(0, (m.FileAnswer(m.Answer.GO_ON),))
        for one in cut(BIG):
            peer.put(*one)
        peer.put(whole(BIG, 3))
        peer.finish()
    assert (root / "a").read_bytes() == BIG
    memory.close()


def test_a_write_that_outlives_its_connection_is_waited_for_before_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would write to what the next one has, under the names or handles that it had itself."""
    written, may_end = threading.Event(), threading.Event()
    write_files = native.write_files

    def write_late(*arguments: Any) -> list[tuple[int, int]]:  # as write_files
        written.set()
        assert may_end.wait(10.0)
        return write_files(*arguments)

    monkeypatch.setattr(native, "write_files", write_late)
    monkeypatch.setattr(pipeline, "JOIN_SECONDS", 0.1)
    memory = Memory()
    with hostile(root, memory) as peer:
        offer(peer, entry(b"a", size=3))
        peer.put(m.Small(0, (sent(b"abc"),)), b"abc")
        assert written.wait(10.0)
        peer.end()
    with hostile(root, memory) as peer:
        with pytest.raises(Transient):
            peer.hear()
        refused = peer.end()
        assert isinstance(refused, Transient)
        assert refused.code == "Transfer.Stuck"
    may_end.set()
    assert memory.stragglers is not None
    memory.stragglers.join(10.0)
    assert (root / "a").read_bytes() == b"abc"
    with hostile(root, memory) as peer:
        peer.begin()
        peer.finish()
    memory.close()


def test_a_temporary_name_that_is_a_symlink_is_not_written_through(root: Path) -> None:
    """As if a source could know the name that we would use."""
    memory = Memory()
    link = entry(memory.temporary_name(b"a"), m.Kind.SYMLINK, target=b"../outside/precious")
    with hostile(root, memory) as peer:
        offer(peer, link, entry(b"a", size=3), entry(b"b", size=MIB))
        peer.put(piece(b"abc", index=1), b"abc")
        peer.put(m.Whole(0, 0, 1, sent(b"abc", index=1)))
        peer.put(m.Missing(0, 2))
        peer.finish()
    assert (root / "a").read_bytes() == b"abc"
    assert (root.parent / "outside" / "precious").read_text() == "precious"
