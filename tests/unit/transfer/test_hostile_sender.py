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
        peer.say(m.Listing(0, 0, (m.Folder(b"", (linked, way)),)))
        peer.say(m.PassEnd(1))
        assert_refused(peer, root, TargetWriteError)
    assert not (root / "mine").exists()


def named(*xattrs: tuple[bytes, bytes]) -> m.Entry:
    return entry(b"a", xattrs=xattrs)


IMPOSSIBLE = {
    "a user below 0": entry(b"a", uid=-1),
    "a group below 0": entry(b"a", gid=-1),
    "the user that means none": entry(b"a", uid=(1 << 32) - 1),
    "the group that means none": entry(b"a", m.Kind.FIFO, gid=(1 << 32) - 1),
    "a user of 64 bits": entry(b"a", m.Kind.FOLDER, uid=1 << 63),
    "a mode below 0": entry(b"a", m.Kind.FIFO, mode=-1),
    "a mode with a kind": entry(b"a", m.Kind.FIFO, mode=0o100644),
    "a size below 0": entry(b"a", size=-1),
    "a size that no file has": entry(b"a", size=1 << 63),
    "fewer than no bytes": entry(b"a", stored=-1),
    "more bytes than there are": entry(b"a", stored=1 << 63),
    "a device below 0": entry(b"a", m.Kind.BLOCK, rdev=-1),
    "a device of 64 bits": entry(b"a", m.Kind.CHARACTER, rdev=1 << 32),
    "flags below 0": entry(b"a", flags=-16),
    "flags that are not kept": entry(b"a", flags=0x10 | 0x1),
    "flags of 64 bits": entry(b"a", m.Kind.FOLDER, flags=1 << 40),
    "an inode below 0": entry(b"a", inode=-1),
    "a symlink to a path with NUL": entry(b"a", m.Kind.SYMLINK, target=b"a\0b"),
    "a symlink to a path that is too long": entry(b"a", m.Kind.SYMLINK, target=b"a" * 4096),
    "an attribute of a filesystem": named((b"btrfs.compression", b"zstd")),
    "an attribute without a name": named((b"", b"x")),
    "an attribute with NUL": named((b"user.a\0b", b"x")),
    "an attribute with a name that is too long": named((b"user." + b"a" * 251, b"x")),
    "an attribute that is too long": named((b"user.a", bytes(65537))),
    "an attribute twice": named((b"user.a", b"x"), (b"user.a", b"y")),
}


@pytest.mark.parametrize("bad", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_entry_that_cannot_be_is_refused(root: Path, bad: m.Entry) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(listing(m.Folder(b"", (bad,))))
        assert_refused(peer, root)
    assert list(root.iterdir()) == []


def test_a_symlink_that_the_source_could_not_read_stays_as_it_is(root: Path) -> None:
    (root / "a").symlink_to("before")
    with hostile(root) as peer:
        peer.begin()
        peer.say(listing(m.Folder(b"", (entry(b"a", m.Kind.SYMLINK), entry(b"b", m.Kind.SYMLINK)))))
        peer.finish()
    assert (root / "a").readlink() == Path("before")
    assert [path.name for path in root.iterdir()] == ["a"]


@pytest.mark.parametrize("bad", [entry(b"", uid=-1), named((b"user.a\0b", b"x"))])
def test_a_folder_that_cannot_be_is_refused(root: Path, bad: m.Entry) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.say(listing(m.Folder(b"", (), own=bad)))
        peer.say(m.PassEnd(1))
        assert_refused(peer, root)


@pytest.mark.parametrize("bad", [entry(b"a", uid=-1), named((b"user.a\0b", b"x"))])
def test_a_file_that_became_what_cannot_be_is_refused(root: Path, bad: m.Entry) -> None:
    with hostile(root) as peer:
        peer.begin()
        peer.list(m.Folder(b"", (entry(b"a"),)))
        peer.put(m.Small(0, (sent(b"", entry=bad),)))
        assert_refused(peer, root)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("number", [-1, 1 << 63])
def test_counts_that_cannot_be_are_refused(root: Path, number: int) -> None:
    for said in (m.Totals((m.Total(number, 0),)), m.Totals((m.Total(0, number),))):
        with hostile(root) as peer:
            peer.greet()
            peer.say(said)
            assert_refused(peer, root)
    for surveyed in (m.Surveyed(b"", b"", number, 0), m.Surveyed(b"", b"", 0, number)):
        with hostile(root) as peer:
            peer.begin()
            peer.say(m.Survey(0, 0, (surveyed,)))
            assert_refused(peer, root)


@pytest.mark.parametrize("mtime", [-1, -(1 << 63), (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_every_time_that_can_be_said_is_taken(root: Path, mtime: int) -> None:
    with hostile(root) as peer:
        peer.begin()
        entries = (entry(b"a", mtime_ns=mtime), entry(b"b", m.Kind.FIFO, mtime_ns=mtime))
        peer.list(m.Folder(b"", entries, own=entry(b"", m.Kind.FOLDER, mtime_ns=mtime)))
        peer.put(m.Small(0, (sent(b""),)))
        peer.finish()


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
    "names out of order": greeting(m.PassBegin(1), listing(m.Folder(b"", (entry(b"b"), entry(b"a"))))),
    "a later part with an earlier name": greeting(
        m.PassBegin(1),
        listing(m.Folder(b"", (entry(b"b"),), last=False)),
        listing(m.Folder(b"", (entry(b"a"),), first=False), number=1),
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
