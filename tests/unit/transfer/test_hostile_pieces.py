"""Pieces of a large file that are not what they should be: refused, or void, and no name ever holds them."""

import os
from pathlib import Path

import pytest
from tests.unit.transfer.hostile import (
    assert_refused,
    digest,
    entry,
    hostile,
    piece,
)
from tests.unit.transfer.test_hostile_content import BIG, MIB, OLD, Said, cut, offer, whole

from smc.base.errors import SmcError, Transient
from smc.transfer import writer
from smc.wire import messages as m


@pytest.mark.parametrize(
    ("bad", "content"),
    [
        (piece(b"abc", -1), b"abc"),
        (piece(b"abc", attempt=-1), b"abc"),
        (piece(b"abc", 1 << 62), b"abc"),
        (piece(b"abc", size=4), b"abc"),
        (piece(b"abc", size=2), b"abc"),
        (piece(b"", size=0), b""),
        (piece(bytes(MIB + 1)), bytes(MIB + 1)),
        (piece(b"abc", hash=b"\0" * 32), b"abc"),
        (piece(bytes(9), extents=((5, 2), (0, 1))), b"abc"),
        (piece(bytes(9), extents=((0, 2), (1, 1))), b"abc"),
        (piece(bytes(9), extents=((-1, 3),)), b"abc"),
        (piece(bytes(9), extents=((8, 3),)), b"abc"),
        (piece(bytes(9), extents=((0, 2),)), b"abc"),
        (piece(bytes(9), extents=((0, 0),)), b""),
        (piece(bytes(9), extents=((0, 3),)), b"abc"),  # the hash is of zeros
        (piece(bytes(MIB), extents=((MIB, 3),)), b"abc"),
        (piece(b"abc", copies=((0, 3, 0),)), b""),  # there is no older content
        (piece(b"abc", copies=((0, 3, -1),)), b""),
        (piece(b"abc", copies=((0, 3, 1 << 63),)), b""),
        (piece(b"abc", copies=((0, 2, 0),), extents=((1, 2),)), b"bc"),
        (piece(b"abc", copies=((1, 3, 0),)), b""),
        (piece(b"abc", kept=True), b""),  # nobody has it
        (piece(b"abc", kept=True), b"abc"),
    ],
    ids=repr,
)
def test_a_piece_that_does_not_fit_is_refused(root: Path, bad: m.Piece, content: bytes) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=1 << 30))
        peer.put(bad, content)
        assert_refused(peer, root)
    assert not (root / "a").exists()


def test_copies_come_from_within_the_older_content_only(root: Path) -> None:
    (root / "a").write_bytes(OLD)
    with hostile(root) as peer:
        answer = offer(peer, entry(b"a", size=len(OLD)))
        assert answer == m.Verdict(0, (m.FileAnswer(m.Answer.DIFFER),))
        signature = peer.hear()
        assert isinstance(signature, m.Signature)
        peer.put(piece(OLD[:100] + bytes(5), copies=((0, 105, MIB - 100),)))
        assert_refused(peer, root)
    assert (root / "a").read_bytes() == OLD


@pytest.mark.parametrize(
    "said",
    [
        [*cut(BIG), (m.Whole(0, 0, 3, m.Sent(0, len(BIG), b"\0" * 32)), b"")],
        [*cut(BIG), (whole(BIG, 2), b"")],  # fewer than came
        [(whole(BIG, 2), b""), *cut(BIG)],
        [(whole(BIG, -1), b""), *cut(BIG)],
        [*cut(BIG)[:2], (whole(BIG, 2), b"")],  # the last is no hole
        [*cut(BIG[:MIB]), (whole(BIG[:MIB] + bytes(MIB), 1), b"")],  # not the size that was listed
        [*cut(BIG + bytes(MIB - 5) + b"x"), (whole(BIG, 4), b"")],  # one behind the end
        [*cut(BIG), (whole(BIG, 3, attempt=1), b"")],  # of a reading that did not come
        [*cut(BIG), *cut(BIG[:MIB], 1), (whole(BIG, 4, 1), b"")],  # what came before it is void
        [(m.Whole(0, 0, 0, m.Sent(0, -1, b"", entry=entry(b"a", size=-1))), b"")],
    ],
    ids=[
        "hash",
        "few",
        "few first",
        "negative",
        "hole",
        "size",
        "behind",
        "attempt",
        "void",
        "below nothing",
    ],
)
def test_a_whole_file_that_is_not_what_its_pieces_are_never_gets_its_name(
    root: Path, said: list[Said]
) -> None:
    (root / "a").write_bytes(b"old")
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        for one in said:
            peer.put(*one)
        assert_refused(peer, root)
    assert (root / "a").read_bytes() == b"old"


@pytest.mark.parametrize("length", [5, MIB - 1])
def test_a_piece_that_is_too_short_does_not_become_a_longer_file(root: Path, length: int) -> None:
    """The hash of a file of one piece is that of the piece: its length must be the file's."""
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=MIB))
        content = BIG[:length]
        peer.put(piece(content), content)
        peer.put(m.Whole(0, 0, 1, m.Sent(0, MIB, digest(content))))
        assert_refused(peer, root)
    assert not (root / "a").exists()


def test_pieces_may_come_in_any_order_on_any_stream(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        peer.put(whole(BIG, 3), stream=3)
        for stream, one in enumerate(reversed(cut(BIG))):
            peer.put(*one, stream=stream)
        peer.finish()
    assert (root / "a").read_bytes() == BIG


def test_pieces_of_an_older_attempt_after_a_newer_one_are_void(root: Path) -> None:
    older = os.urandom(len(BIG))
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        for one in [*cut(older)[:1], *cut(BIG, attempt=1), *cut(older)[1:]]:
            peer.put(*one)
        peer.put(whole(BIG, 6, attempt=1))
        peer.finish()
    assert (root / "a").read_bytes() == BIG


@pytest.mark.parametrize("stream", [0, 1])
def test_nothing_stays_of_a_file_that_is_missing_after_all(root: Path, stream: int) -> None:
    (root / "a").write_bytes(b"old")
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        for one in cut(BIG)[:2]:
            peer.put(*one)
        peer.put(m.Missing(0, 0, 2), stream=stream)
        peer.finish()
    assert [path.name for path in root.iterdir()] == ["a"]
    assert (root / "a").read_bytes() == b"old"


@pytest.mark.parametrize("pieces", [-1, 0, 1])
def test_a_file_is_not_missing_with_fewer_pieces_than_came(root: Path, pieces: int) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        for one in cut(BIG)[:2]:
            peer.put(*one)
        peer.put(m.Missing(0, 0, pieces))
        assert_refused(peer, root)


def test_a_pass_does_not_end_while_pieces_are_missing(root: Path) -> None:
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        peer.put(whole(BIG, 3))
        for one in cut(BIG)[:2]:
            peer.put(*one)
        peer.say(m.PassEnd(1))
        assert peer.channel.receive(0.2) is None
        ended = peer.end()
        assert isinstance(ended, SmcError)
    assert not (root / "a").exists()


def test_a_receiver_does_not_wait_for_ever_for_pieces_that_were_announced(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "STALLED_SECONDS", 0.1)
    with hostile(root) as peer:
        offer(peer, entry(b"a", size=len(BIG)))
        peer.put(whole(BIG, 3))
        for one in cut(BIG)[:2]:
            peer.put(*one)
        peer.say(m.PassEnd(1))
        with pytest.raises(Transient):
            peer.hear()
        ended = peer.end()
        assert isinstance(ended, Transient)
        assert "did not come" in ended.message
