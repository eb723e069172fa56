"""Messages keep their fields and their content; other shapes are refused."""

import pytest

from smc.base.errors import WireError
from smc.model.progress import Failure
from smc.wire import messages as m

ENTRY = m.Entry(b"\xff name", m.Kind.FILE, 0o644, 1, 2, -5, size=1 << 40, xattrs=((b"user.x", b"\0"),))
SENT = m.Sent(3, 4, b"h" * 32, False, ENTRY)
ALL: tuple[m.Message, ...] = (
    m.Hello(1, (m.Tree("0_1", ("/x",)),), True),
    m.Welcome(),
    m.Totals((m.Total(1, 2),)),
    m.PassBegin(1),
    m.TreeBegin(0, ENTRY),
    m.Listing(7, (m.Folder(b"a/\xfe", (ENTRY,), first=False),)),
    m.Verdict(7, (m.FileAnswer(m.Answer.GO_ON, b"hash", 1 << 20),)),
    m.Small(7, (SENT,)),
    m.Piece(7, 1, 1 << 20, 100, ((0, 5), (50, 50))),
    m.Again(7, 1),
    m.Whole(7, SENT),
    m.Same(7, SENT),
    m.Missing(7, 2),
    m.ListingDone(7),
    m.PassEnd(1),
    m.PassDone(1, 9),
    m.Finish((m.TreeProof(1, 2, b"h"),)),
    m.Finished((m.TreeProof(1, 2, b"h"),)),
    m.Failed(Failure(kind="Broken", code="X", message="why")),
    m.Alive(),
)


def test_every_message_is_in_this_test() -> None:
    assert {type(message) for message in ALL} == set(m.KINDS.values())


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_equal(message: m.Message) -> None:
    kind, payload = m.encode(message)
    back, content = m.decode(kind, payload)
    assert back == message
    assert bytes(content) == b""


def test_content_travels_untouched() -> None:
    back, content = m.decode(*m.encode(m.Piece(1, 2, 0, 5), b"\x00\xffabc"))
    assert back == m.Piece(1, 2, 0, 5)
    assert bytes(content) == b"\x00\xffabc"


def test_content_where_none_belongs_is_refused() -> None:
    kind, payload = m.encode(m.Alive())
    with pytest.raises(WireError, match="length"):
        m.decode(kind, payload + b"x")


def test_a_field_that_a_newer_peer_added_is_ignored() -> None:
    kind, _ = m.encode(m.PassBegin(1))
    head = bytes([0x92, 1, 2])  # msgpack: an array of two
    assert m.decode(kind, m.HEAD.pack(len(head)) + head)[0] == m.PassBegin(1)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0\0", m.HEAD.pack(100) + b"short", m.HEAD.pack(1) + b"\xc1", m.HEAD.pack(2) + b"\x91\xa0"],
)
def test_a_wrong_shape_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        m.decode(m.encode(m.PassBegin(1))[0], payload)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(WireError, match="kind 200"):
        m.decode(200, m.HEAD.pack(1) + b"\x90")
