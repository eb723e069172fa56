"""Small files that came are matched with what was listed, and judged by their hashes, as Python does."""

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.transfer import native
from smc.transfer.ledger import Item
from smc.transfer.verify import hash_piece
from smc.wire.messages import PIECE, Entry, Kind, Sent

FILE = Entry(b"a", Kind.FILE, 0o644, 0, 0, 1, 3)
HASH = hash_piece(b"abc")
SENT = st.builds(
    Sent,
    st.integers(-1, 9),
    st.sampled_from([3, 3, 3, 1 << 62, 0]),
    st.just(HASH),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([None, None, None, FILE]),
)


def matched(items: dict[int, Item], files: tuple[Sent, ...]) -> list[Item] | None:
    found: list[Item] = []
    for sent in files:
        item = items.get(sent.index)
        if item is None or sent.entry is not None or not sent.settled or sent.size != item[2].size:
            return None
        found.append(item)
    return found


@given(st.lists(SENT, max_size=5), st.sets(st.integers(0, 9)), st.booleans())
def test_files_sent_as_they_were_listed_have_their_items(
    sent: list[Sent], listed: set[int], large: bool
) -> None:
    entry = Entry(b"a", Kind.FILE, 0o644, 0, 0, 1, 1 << 62 if large else 3)
    items: dict[int, Item] = {index: (index, b"folder", entry) for index in listed}
    found = native.match_sent(items, tuple(sent))
    expected = matched(items, tuple(sent))
    assert found == expected
    if found is not None:
        assert all(item is items[file.index] for item, file in zip(found, sent, strict=True))


@pytest.mark.parametrize(
    ("items", "files", "error"),
    [
        ([], (), TypeError),
        ({}, [], TypeError),
        ({0: (0, FILE)}, (Sent(0, 3, HASH),), TypeError),
        ({0: FILE}, (Sent(0, 3, HASH),), TypeError),
        ({0: (0, b"", None)}, (Sent(0, 3, HASH),), AttributeError),
        ({0: (0, b"", FILE)}, (None,), AttributeError),
        ({0: (0, b"", FILE)}, (Sent([], 3, HASH),), TypeError),  # type: ignore[arg-type] # cannot be a key
    ],
)
def test_what_cannot_be_matched_is_refused(items: Any, files: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        native.match_sent(items, files)


def test_a_field_is_found_in_whatever_has_it() -> None:
    """Types take turns, and one need not have slots."""

    class Other:
        index, size, settled, entry = 0, 3, True, None

    class Listed:
        def __init__(self) -> None:
            self.size = 3

    for file in (Sent(0, 3, HASH), Other(), Sent(0, 3, HASH), Other()):
        for entry in (FILE, Listed(), FILE):
            item: Any = (0, b"", entry)
            assert native.match_sent({0: item}, (file,)) == [item]  # type: ignore[arg-type] # is like one


def test_no_reference_is_lost() -> None:
    item, files = (0, b"", FILE), (Sent(0, 3, HASH), Sent(0, 3, HASH))
    items: dict[int, Item] = {0: item}
    held = item, items, files, files[0], HASH, FILE
    before = [sys.getrefcount(one) for one in held]
    for _ in range(100):
        native.match_sent(items, files)
        native.match_sent({}, files)
        native.check_contents(b"abcabc", files)
        native.check_contents(b"abcabd", files)
        with pytest.raises(ValueError, match="sizes"):
            native.check_contents(b"abc", files)
    assert [sys.getrefcount(one) for one in held] == before


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=40), st.data())
def test_the_first_wrong_content_is_found(contents: list[bytes], data: st.DataObject) -> None:
    files = [Sent(index, len(content), hash_piece(content)) for index, content in enumerate(contents)]
    whole = b"".join(contents)
    assert native.check_contents(whole, tuple(files)) == -1
    wrong = data.draw(st.sets(st.sampled_from(range(len(files))))) if files else set()
    for index in wrong:
        said = data.draw(st.sampled_from([b"", b"short", bytes(32), files[index].hash + b"\0"]))
        files[index] = Sent(index, files[index].size, said)
    assert native.check_contents(memoryview(whole), tuple(files)) == min(wrong, default=-1)


def test_a_content_of_a_piece_has_the_hash_of_its_leaves() -> None:
    content = bytes(range(256)) * 4096
    assert len(content) == PIECE
    assert native.check_contents(content + b"x", (Sent(0, PIECE, hash_piece(content)), Sent(1, 1, b""))) == 1


@pytest.mark.parametrize("sizes", [[-1], [11], [9], [5, 6], [], [PIECE + 1], [1 << 62, 1 << 62]])
def test_sizes_that_are_not_those_of_the_data_are_refused(sizes: list[int]) -> None:
    files = tuple([Sent(index, size, HASH) for index, size in enumerate(sizes)])
    for data in (bytes(10), bytes(PIECE + 1))[: 2 if sizes == [PIECE + 1] else 1]:
        with pytest.raises(ValueError, match="not those of the data"):
            native.check_contents(data, files)


@pytest.mark.parametrize(
    ("data", "files", "error"),
    [
        ("text", (), TypeError),
        (b"", [], TypeError),
        (b"", (None,), AttributeError),
        (b"abc", (Sent(0, 1 << 70, HASH),), OverflowError),
        (b"abc", (Sent(0, "3", HASH),), TypeError),  # type: ignore[arg-type] # wrong on purpose
    ],
)
def test_what_are_no_contents_is_refused(data: Any, files: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        native.check_contents(data, files)
