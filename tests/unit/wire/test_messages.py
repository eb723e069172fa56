"""Messages keep their fields; other shapes are refused."""

import pytest

from smc.base.errors import WireError
from smc.model.progress import Failure
from smc.wire import messages as m

ENTRY = m.Entry(b"\xff name", m.Kind.FILE, 0o644, 1, 2, -5, size=1 << 40, xattrs=((b"user.x", b"\0"),))
SENT = m.Sent(3, 4, b"h" * 32, False, ENTRY)
ALL: tuple[m.Message, ...] = (
    m.Hello(2, (m.Tree("0_1", ("/x",)),), True, False),
    m.Welcome((m.StreamKey(0, b"t" * 32, b"k" * 32),), (True, False)),
    m.Totals((m.Total(1, 2),)),
    m.PassBegin(1),
    m.Survey(4, 0, (m.Surveyed(b"a/\xfe", b"digest", 1, 2),)),
    m.Known(4, (None, m.FolderProof(1, 2, b"h"))),
    m.Listing(7, 1, (m.Folder(b"a/\xfe", (ENTRY,), first=False, own=ENTRY, digest=b"d"),)),
    m.Verdict(7, (m.FileAnswer(m.Answer.GO_ON, b"hash", ((0, 5), (7, 8))),)),
    m.Examined(7, ((1, b"hash"),)),
    m.Signature(7, 1, 1 << 30, 4096, b"blocks", False),
    m.Small(7, (SENT,)),
    m.Piece(7, 1, 2, 1 << 20, 100, b"hash", ((0, 5), (50, 50)), ((5, 10, 1 << 40),), True),
    m.Whole(7, 1, 9, SENT),
    m.Same(7, SENT),
    m.Missing(7, 2, 3),
    m.PassEnd(1),
    m.PassDone(1, 9),
    m.Finish((m.TreeProof(1, 2, b"h"),)),
    m.Finished((m.TreeProof(1, 2, b"h"),)),
    m.Failed(Failure(kind="Broken", code="X", message="why")),
    m.Alive(),
)
PASS_END = m.encode_head(m.PassEnd(1))[0]


def test_every_message_is_in_this_test() -> None:
    assert {type(message) for message in ALL} == set(m.KINDS.values())


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_equal(message: m.Message) -> None:
    kind, head = m.encode_head(message)
    assert m.decode_head(kind, head) == message
    assert m.decode_head(kind, memoryview(bytearray(head))) == message


def test_a_field_that_a_newer_peer_added_is_ignored() -> None:
    assert m.decode_head(PASS_END, bytes([0x92, 1, 2])) == m.PassEnd(1)  # msgpack: an array of two


@pytest.mark.parametrize("head", [b"", b"\xc1", b"\x90", b"\x91\xa0", b"\x91", b"\x91\x01\x01"])
def test_a_wrong_shape_is_refused(head: bytes) -> None:
    with pytest.raises(WireError):
        m.decode_head(PASS_END, head)


@pytest.mark.parametrize("kind", [0, 200])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(WireError, match=f"kind {kind}"):
        m.decode_head(kind, b"\x90")
