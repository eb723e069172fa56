"""A sender that breaks the protocol is refused, and nothing outside of the tree is ever touched."""

from pathlib import Path

import pytest
from tests.unit.transfer.hostile import HELLO, assert_refused, entry, hostile, piece, sent

from smc.base.errors import Broken, TargetWriteError, Transient
from smc.wire import messages as m

EMPTY = m.Folder(b"", ())


def greeting(*said: m.Message) -> list[m.Message]:
    return [HELLO, *said]


def listing(*folders: m.Folder, number: int = 0, tree: int = 0) -> m.Listing:
    return m.Listing(number, tree, folders)


def survey(path: bytes = b"", *, number: int = 0, tree: int = 0) -> m.Survey:
    return m.Survey(number, tree, (m.Surveyed(path, b"d" * 16, 0, 0),))


@pytest.mark.parametrize("name", [b"", b".", b"..", b"/", b"a/b", b"../x", b"/etc", b"a\0b", b"x" * 256])
@pytest.mark.parametrize("kind", [m.Kind.FILE, m.Kind.FOLDER, m.Kind.SYMLINK])
def test_a_name_that_is_a_path_is_refused(root: Path, name: bytes, kind: m.Kind) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(m.Listing(0, 0, (m.Folder(b"", (entry(name, kind, target=b"x"),)),)))
        assert_refused(peer, root)


PATHS_TO_ELSEWHERE = [b"..", b"../outside", b"/", b"/tmp", b"a/../..", b"a//b", b"./a", b"a/"]


@pytest.mark.parametrize("path", PATHS_TO_ELSEWHERE)
def test_a_folder_path_that_leads_elsewhere_is_refused(root: Path, path: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(m.Listing(0, 0, (m.Folder(path, ()),)))
        assert_refused(peer, root)


@pytest.mark.parametrize("path", PATHS_TO_ELSEWHERE)
def test_a_survey_of_a_folder_elsewhere_is_refused(root: Path, path: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(m.Survey(0, 0, (m.Surveyed(path, b"d" * 16, 1, 1),)))
        assert_refused(peer, root)


@pytest.mark.parametrize("target", [b"../outside", b"/", b".."])
def test_a_symlink_is_never_walked_through(root: Path, target: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        link = entry(b"link", m.Kind.SYMLINK, target=target)
        peer.say(m.Listing(0, 0, (m.Folder(b"", (link,)),)))
        peer.say(m.Listing(1, 0, (m.Folder(b"link", (entry(b"new"),)),)))
        assert "before it was a folder" in assert_refused(peer, root).message


def test_a_symlink_is_never_surveyed_through(root: Path) -> None:
    (root / "link").symlink_to("../outside")
    with hostile(root) as peer:
        peer.begin()
        peer.say(m.Survey(0, 0, (m.Surveyed(b"link", b"d" * 16, 1, 1),)))
        assert peer.hear() == m.Known(0, (None,))


def test_a_folder_that_became_a_symlink_is_not_walked_through(root: Path) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(listing(m.Folder(b"", (entry(b"a", m.Kind.FOLDER),)), m.Folder(b"a", ())))
        peer.say(m.PassEnd(1))
        assert peer.hear() == m.PassDone(1, 2)  # made, and given its metadata
        peer.say(m.PassBegin(2))
        link = entry(b"a", m.Kind.SYMLINK, target=b"../outside")
        peer.say(listing(m.Folder(b"", (link,))))
        peer.say(listing(m.Folder(b"a", (entry(b"new"),)), number=1))
        assert "before it was a folder" in assert_refused(peer, root).message


@pytest.mark.parametrize("link", [b"../outside/precious", b"/etc/passwd", b"..", b"a/../../outside/precious"])
def test_a_hard_link_to_elsewhere_is_refused(root: Path, link: bytes) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(m.Listing(0, 0, (m.Folder(b"", (entry(b"mine", link=link),)),)))
        assert_refused(peer, root)


def test_a_hard_link_through_a_symlink_is_refused(root: Path) -> None:
    (root / "way").symlink_to("../outside")
    with hostile(root) as peer:
        peer.begin()
        way = entry(b"way", m.Kind.SYMLINK, target=b"../outside")
        linked = entry(b"mine", link=b"way/precious")
        peer.say(m.Listing(0, 0, (m.Folder(b"", (way, linked)),)))
        peer.say(m.PassEnd(1))
        assert_refused(peer, root, TargetWriteError)
    assert not (root / "mine").exists()


FILE = entry(b"a", size=3)
PART = m.Folder(b"", (FILE,), last=False)
OUT_OF_TURN: dict[str, list[m.Message]] = {
    "another protocol": [m.Hello(99, (m.Tree("0_1"),))],
    "another tree": [m.Hello(m.PROTOCOL, (m.Tree("0_2"),))],
    "no tree": [m.Hello(m.PROTOCOL, ())],
    "a tree twice": [m.Hello(m.PROTOCOL, (m.Tree("0_1"), m.Tree("0_1")))],
    "no greeting": [m.PassBegin(1)],
    "a listing before all": [listing(EMPTY)],
    "a survey before all": [survey()],
    "the end of a pass before all": [m.PassEnd(1)],
    "the end before all": [m.Finish((m.TreeProof(0, 0, b""),))],
    "a receiver's word": [m.Welcome((), ())],
    "a stream's message": [m.Missing(0, 0)],
    "two greetings": greeting(HELLO),
    "totals of other trees": greeting(m.Totals(())),
    "the second pass": greeting(m.PassBegin(2)),
    "a pass twice": greeting(m.PassBegin(1), m.PassBegin(1)),
    "a listing before the pass": greeting(listing(EMPTY)),
    "a survey before the pass": greeting(survey()),
    "the end before a pass": greeting(m.Finish((m.TreeProof(0, 0, b""),))),
    "the end of other trees": greeting(m.PassBegin(1), m.PassEnd(1), m.Finish(())),
    "the end of another pass": greeting(m.PassBegin(1), m.PassEnd(2)),
    "a listing of another tree": greeting(m.PassBegin(1), listing(EMPTY, tree=1)),
    "a listing of tree -1": greeting(m.PassBegin(1), listing(EMPTY, tree=-1)),
    "a survey of another tree": greeting(m.PassBegin(1), survey(tree=1)),
    "a survey of tree -1": greeting(m.PassBegin(1), survey(tree=-1)),
    "a later part without a first": greeting(m.PassBegin(1), listing(m.Folder(b"", (), first=False))),
    "a folder within another": greeting(m.PassBegin(1), listing(PART, m.Folder(b"b", ()))),
    "a pass that ends within a folder": greeting(
        m.PassBegin(1), listing(m.Folder(b"", (), last=False)), m.PassEnd(1)
    ),
    "a pass that ends before what was surveyed": greeting(m.PassBegin(1), survey(), m.PassEnd(1)),
    "a folder that is surveyed twice": greeting(m.PassBegin(1), survey(), survey(number=1)),
    "a folder that is surveyed while it is listed": greeting(m.PassBegin(1), listing(PART), survey()),
    "a folder twice": greeting(m.PassBegin(1), listing(EMPTY), listing(EMPTY, number=1)),
    "a folder after those in it": greeting(
        m.PassBegin(1), listing(m.Folder(b"", (entry(b"a", m.Kind.FOLDER),))), survey(b"a"), survey(number=1)
    ),
    "a name twice": greeting(m.PassBegin(1), listing(m.Folder(b"", (FILE, FILE)))),
    "a name in two parts": greeting(
        m.PassBegin(1), listing(PART), listing(m.Folder(b"", (FILE,), first=False), number=1)
    ),
    "a number twice": greeting(m.PassBegin(1), *[listing(m.Folder(b"", (FILE,)))] * 2),
}


@pytest.mark.parametrize("said", OUT_OF_TURN.values(), ids=OUT_OF_TURN)
def test_messages_out_of_turn_are_refused(root: Path, said: list[m.Message]) -> None:
    with hostile(root) as peer:
        for message in said:
            if message is HELLO and not peer.streams:
                peer.greet()
            else:
                peer.say(message)
        assert_refused(peer, root)


def test_more_listings_than_the_receiver_takes_wait_at_its_door(root: Path) -> None:
    with hostile(root) as peer:
        peer.begin()
        for n in range(200):
            file = entry(b"%03d" % n, size=3)
            peer.say(listing(m.Folder(b"", (file,), first=not n, last=n == 199), number=n))
        for n in range(100):
            assert peer.hear() == m.Verdict(n)
        for n in range(200):
            peer.put(m.Small(n, (sent(b"abc"),)), b"abc")
            if n < 100:
                assert peer.hear() == m.Verdict(n + 100)
        peer.finish()
    assert len(list(root.iterdir())) == 200


def test_a_sender_that_opens_no_streams_is_left_at_once_when_it_goes(root: Path) -> None:
    with hostile(root) as peer:
        peer.say(HELLO)
        assert isinstance(peer.hear(), m.Welcome)
        peer.end()


def test_a_proof_that_is_not_of_what_was_written_is_refused(root: Path) -> None:
    with hostile(root, judged=True) as peer:
        peer.begin()
        peer.say(m.PassEnd(1))
        assert isinstance(peer.hear(), m.PassDone)
        peer.say(m.Finish((m.TreeProof(1, 3, bytes(32)),)))
        for stream in peer.streams:
            stream.close()
        assert assert_refused(peer, root, Broken).code == "Transfer.ProofDiffers"


def test_a_stream_is_opened_once(root: Path) -> None:
    with hostile(root) as peer:
        peer.begin()
        assert peer.list(m.Folder(b"", (FILE,))) == m.Verdict(0)
        with peer.open(peer.welcome.streams[0]) as second, pytest.raises(Transient):
            while True:  # it is let in by nobody: what it says stays in the kernel, at most
                second.send(piece(b"abc"), b"abc")
        peer.put(m.Small(0, (sent(b"abc"),)), b"abc")
        peer.finish()
    assert (root / "a").read_bytes() == b"abc"


def test_a_secret_in_the_clear_is_refused_where_tls_was_promised(root: Path) -> None:
    with hostile(root) as peer:
        peer.say(HELLO)
        welcome = peer.hear()
        assert isinstance(welcome, m.Welcome)
        with peer.open(welcome.streams[0], secure=False) as stream, pytest.raises(Transient):
            while True:
                stream.send(piece(b"abc"), b"abc")
        peer.end()
