"""A sender that breaks the protocol is refused, and nothing outside of the tree is ever touched."""

import hashlib
import os
from pathlib import Path

import pytest
from tests.unit.transfer.hostile import HELLO, ROOT, Peer, hostile

from smc.base.errors import WireError
from smc.wire import messages as m

UID, GID = os.getuid(), os.getgid()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "target"
    place.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("precious")
    return place


def entry(name: bytes, kind: m.Kind = m.Kind.FILE, **fields: object) -> m.Entry:
    known = {"mode": 0o755, "uid": UID, "gid": GID, "mtime_ns": 0} | fields
    return m.Entry(name, kind, **known)  # type: ignore[arg-type] # fields are named by the tests


def sent(content: bytes, index: int = 0, **fields: object) -> m.Sent:
    known = {"size": len(content), "hash": hashlib.sha256(content).digest()} | fields
    return m.Sent(index, **known)  # type: ignore[arg-type] # fields are named by the tests


def assert_refused(peer: Peer, root: Path) -> WireError:
    ended = peer.end()
    assert isinstance(ended, WireError), ended
    outside = root.parent / "outside"
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_text() == "precious"
    assert {path.name for path in root.parent.iterdir()} == {"target", "outside"}
    return ended


@pytest.mark.parametrize(
    "name",
    [b"", b".", b"..", b"/", b"a/b", b"../x", b"/etc", b"a\0b", b"x" * 256],
)
@pytest.mark.parametrize("kind", [m.Kind.FILE, m.Kind.FOLDER, m.Kind.SYMLINK])
def test_a_name_that_is_a_path_is_refused(root: Path, name: bytes, kind: m.Kind) -> None:
    with hostile(root) as peer:
        peer.begin()
        answer = peer.list(m.Folder(b"", (entry(name, kind, target=b"x"),)))
        assert isinstance(answer, m.Failed)
        assert_refused(peer, root)


@pytest.mark.parametrize("path", [b"..", b"../outside", b"/", b"/tmp", b"a/../..", b"a//b", b"./a", b"a/"])
def test_a_folder_path_that_leads_elsewhere_is_refused(root: Path, path: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(path, ()))
        assert_refused(peer, root)


@pytest.mark.parametrize("target", [b"../outside", b"/", b".."])
def test_a_symlink_is_never_walked_through(root: Path, target: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        link = entry(b"link", m.Kind.SYMLINK, target=target)
        peer.list(m.Folder(b"", (link,)))
        peer.list(m.Folder(b"link", (entry(b"new"),)), number=1)
        assert "before it was a folder" in assert_refused(peer, root).message


def test_a_folder_that_became_a_symlink_is_not_walked_through(root: Path) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", m.Kind.FOLDER),)), m.Folder(b"a", ()))
        link = entry(b"a", m.Kind.SYMLINK, target=b"../outside")
        peer.list(m.Folder(b"", (link,)), number=1)
        peer.list(m.Folder(b"a", (entry(b"new"),)), number=2)
        assert_refused(peer, root)


@pytest.mark.parametrize("link", [b"../outside/precious", b"/etc/passwd", b"..", b"a/../../outside/precious"])
def test_a_hard_link_to_elsewhere_is_refused(root: Path, link: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"mine", link=link),)))
        assert_refused(peer, root)


def test_a_hard_link_through_a_symlink_is_refused(root: Path) -> None:
    (root / "way").symlink_to("../outside")
    with hostile(root) as peer:
        peer.begin()
        way = entry(b"way", m.Kind.SYMLINK, target=b"../outside")
        peer.list(m.Folder(b"", (way, entry(b"mine", link=b"way/precious"))))
        peer.say(m.ListingDone(0))
        peer.say(m.PassEnd(1))
        assert isinstance(peer.hear(), m.Failed)
        peer.end()
    assert not (root / "mine").exists()


def test_content_that_nobody_asked_for_is_refused(root: Path) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", size=3), entry(b"d", m.Kind.FOLDER))))
        peer.say(m.Small(0, (sent(b"abc", index=1),)), b"abc")
        assert isinstance(peer.hear(), m.Failed)
        assert "not asked for" in assert_refused(peer, root).message


def test_content_that_came_already_is_refused(root: Path) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", size=3),)))
        for _ in range(2):
            peer.say(m.Small(0, (sent(b"abc"),)), b"abc")
        assert isinstance(peer.hear(), m.Failed)
        assert_refused(peer, root)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (sent(b"abc", hash=b"\0" * 32), b"abc"),
        (sent(b"abc"), b"ab"),
        (sent(b"abc"), b"abcd"),
        (sent(b"abcd"), b"abcd"),  # not the size that was listed
        (sent(b"abc", size=-1), b""),
        (sent(b"abc", entry=entry(b"a", m.Kind.FOLDER)), b"abc"),
        (sent(b"abc", entry=entry(b"a", size=4)), b"abc"),
        (sent(b"abc", entry=entry(b"a", size=3, link=b"b")), b"abc"),
    ],
)
def test_small_content_that_is_not_what_was_said_is_refused(root: Path, file: m.Sent, content: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", size=3),)))
        peer.say(m.Small(0, (file,)), content)
        assert isinstance(peer.hear(), m.Failed)
        assert_refused(peer, root)


@pytest.mark.parametrize(
    ("piece", "content"),
    [
        (m.Piece(0, 0, -m.PIECE, 3), b"abc"),
        (m.Piece(0, 0, 1, 3), b"abc"),
        (m.Piece(0, 0, 0, 4), b"abc"),
        (m.Piece(0, 0, 0, 0), b""),
        (m.Piece(0, 0, 0, m.PIECE + 1), bytes(m.PIECE + 1)),
        (m.Piece(0, 0, 0, 9, ((5, 2), (0, 1))), b"abc"),
        (m.Piece(0, 0, 0, 9, ((0, 2), (1, 1))), b"abc"),
        (m.Piece(0, 0, 0, 9, ((-1, 3),)), b"abc"),
        (m.Piece(0, 0, 0, 9, ((8, 3),)), b"abc"),
        (m.Piece(0, 0, 0, 9, ((0, 2),)), b"abc"),
        (m.Piece(0, 0, 0, m.PIECE * 2, ((m.PIECE, 3),)), b"abc"),
        (m.Piece(0, 1, 0, 3), b"abc"),
        (m.Piece(1, 0, 0, 3), b"abc"),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(root: Path, piece: m.Piece, content: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", size=1 << 30),)))
        peer.say(piece, content)
        assert isinstance(peer.hear(), m.Failed)
        assert_refused(peer, root)


def test_a_whole_file_with_another_hash_never_gets_its_name(root: Path) -> None:
    (root / "a").write_bytes(b"old")
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", size=300),)))
        peer.say(m.Piece(0, 0, 0, 300), b"n" * 300)
        peer.say(m.Whole(0, sent(b"other", size=300)))
        assert isinstance(peer.hear(), m.Failed)
        assert_refused(peer, root)
    assert (root / "a").read_bytes() == b"old"


def test_calling_a_file_the_same_needs_the_hash_that_was_offered(root: Path) -> None:
    (root / "a").write_bytes(b"old")
    os.utime(root / "a", ns=(0, 0))
    with hostile(root) as peer:
        peer.begin()
        answer = peer.list(m.Folder(b"", (entry(b"a", size=3),)))
        assert isinstance(answer, m.Verdict)
        assert answer.files[0] == m.FileAnswer(m.Answer.COMPARE, hashlib.sha256(b"old").digest())
        peer.say(m.Same(0, sent(b"new")))
        assert isinstance(peer.hear(), m.Failed)
        assert_refused(peer, root)


def greeting(*said: m.Message) -> list[m.Message]:
    return [HELLO, *said]


@pytest.mark.parametrize(
    "said",
    [
        [m.Hello(99, (m.Tree("0_1"),))],
        [m.Hello(m.PROTOCOL, (m.Tree("0_2"),))],
        [m.Hello(m.PROTOCOL, ())],
        [m.Hello(m.PROTOCOL, (m.Tree("0_1"), m.Tree("0_1")))],
        [m.Listing(0, ())],
        [m.PassBegin(1)],
        [m.Finish((m.TreeProof(0, 0, b""),))],
        [m.Welcome()],
        greeting(HELLO),
        greeting(m.Totals(())),
        greeting(m.PassBegin(2)),
        greeting(m.TreeBegin(0, ROOT)),
        greeting(m.PassBegin(1), m.TreeBegin(1, ROOT)),
        greeting(m.PassBegin(1), m.TreeBegin(-1, ROOT)),
        greeting(m.PassBegin(1), m.Listing(0, ())),
        greeting(m.PassBegin(1), m.PassEnd(1)),
        greeting(m.PassBegin(1), m.TreeBegin(0, ROOT), m.ListingDone(0)),
        greeting(m.PassBegin(1), m.TreeBegin(0, ROOT), m.Listing(0, ()), m.PassEnd(1)),
        greeting(m.PassBegin(1), m.TreeBegin(0, ROOT), m.Listing(0, (m.Folder(b"", (), first=False),))),
        greeting(m.PassBegin(1), m.TreeBegin(0, ROOT), *[m.Listing(0, ())] * 2),
        greeting(m.PassBegin(1), m.TreeBegin(0, ROOT), *[m.Listing(n, ()) for n in range(65)]),
    ],
)
def test_messages_out_of_turn_are_refused(root: Path, said: list[m.Message]) -> None:
    with hostile(root) as peer:
        for message in said:
            peer.say(message)
        while not isinstance(peer.hear(), m.Failed):
            pass
        assert_refused(peer, root)


def test_a_temporary_name_that_is_a_symlink_is_not_written_through(root: Path) -> None:
    """A source may have a file of the name that we would use."""
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a", size=3),)))
        names = {path.name for path in root.iterdir()}
        assert names == set()
        peer.say(m.Piece(0, 0, 0, 3), b"abc")
        peer.say(m.Again(0, 0))
        peer.say(m.Missing(0, 0))
        peer.say(m.ListingDone(0))
        peer.say(m.PassEnd(1))
        assert peer.hear() == m.PassDone(1, 2)  # the file that was to come, the folder's own metadata
        assert list(root.iterdir()) == []
        peer.end()
