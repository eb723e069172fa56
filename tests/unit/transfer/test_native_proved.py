"""What is packed of proved files is what struct packs, for the folder's hash and for the index."""

from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc.transfer import native
from smc.transfer.index import STATE
from smc.wire.messages import Entry, Kind, Sent

HASHES = st.binary(min_size=32, max_size=32)
TIMES = st.integers(-(1 << 63), (1 << 64) - 1)
ENTRIES = st.builds(
    lambda name, size, mtime, ctime, inode: Entry(
        name, Kind.FILE, 0o644, 0, 0, mtime, size, 0, ctime, inode=inode
    ),
    st.binary(min_size=1, max_size=255),
    st.integers(0, (1 << 63) - 1),
    TIMES,
    TIMES,
    st.integers(0, (1 << 64) - 1),
)
RESULTS = st.one_of(st.none(), st.builds(Sent, st.just(0), st.integers(0, 1 << 50), HASHES))
FILE = Entry(b"a", Kind.FILE, 0o644, 0, 0, 1, 2)


@given(st.lists(st.tuples(ENTRIES, RESULTS, st.booleans())), st.data())
def test_it_is_what_struct_packs(files: list[tuple[Entry, Sent | None, bool]], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(files)))
    end = data.draw(st.integers(first, len(files)))
    items = [(7 * at, b"folder", entry) for at, (entry, _, _) in enumerate(files)]
    results = {7 * at: result for at, (_, result, there) in enumerate(files) if there}
    came = [(entry, result) for entry, result, there in files[first:end] if there and result is not None]
    kept = [each for each in came if max(each[0].mtime_ns, each[0].changed_ns) < 1 << 63]
    states = b"".join(
        STATE.pack(len(e.name), e.size, e.mtime_ns, e.changed_ns, e.inode, sent.hash) + e.name
        for e, sent in kept
    )
    lines = b"".join(pack("<I", len(entry.name)) + entry.name + sent.hash for entry, sent in came)
    proved = len(came), sum(sent.size for _, sent in came), lines
    assert native.pack_proved(items, first, end, results, True) == (*proved, len(kept), states)
    assert native.pack_proved(items, first, end, results, False) == (*proved, 0, b"")


@pytest.mark.parametrize(
    ("files", "results", "error"),
    [
        ([(0, b"", FILE)], {0: Sent(0, 1, b"short")}, TypeError),
        ([(0, b"", FILE)], {0: Sent(0, -1, b"h" * 32)}, OverflowError),
        ([(0, b"", FILE)], {0: (1, b"h" * 32)}, AttributeError),
        ([(0, b"", None)], {0: Sent(0, 1, b"h" * 32)}, AttributeError),
        ([(0, FILE)], {0: Sent(0, 1, b"h" * 32)}, TypeError),
        ([], {}, IndexError),
    ],
)
def test_what_cannot_be_packed_is_refused(files: list[Any], results: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        native.pack_proved(files, 0, 1, results, True)


def test_a_hash_that_a_peer_says_may_have_any_length() -> None:
    for said in (b"", b"short", b"x" * 100):
        lines = pack("<I", 1) + b"a" + said
        assert native.pack_proved([(0, b"", FILE)], 0, 1, {0: Sent(0, 1, said)}, False)[2] == lines
