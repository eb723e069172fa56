"""Places of records are those of a dictionary, in little memory."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from smc.transfer.places import Place, Places

PATHS = st.sampled_from([b"", b"a", b"a/b", b"\xff"])
PLACES = st.builds(
    Place, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1), st.sampled_from([b"", b"t" * 16])
)


@given(steps=st.lists(st.tuples(PATHS, PLACES | st.none())))
def test_places_are_what_was_put_last(steps: list[tuple[bytes, Place | None]]) -> None:
    places, plain = Places(), dict[bytes, Place]()
    for path, place in steps:
        if place is None:
            assert places.pop(path) == plain.pop(path, None)
        else:
            places.put(path, place)
            plain[path] = place
        assert len(places) == len(plain)
        assert sorted(places) == sorted(plain.values())
        assert [places.get(one) for one in plain] == list(plain.values())


def test_a_place_takes_little_memory() -> None:
    number = 20_000
    places = Places()
    tracemalloc.start()
    for one in range(number):
        places.put(b"a/folder/%d" % one, Place(one * 1000, 1000, b"a survey of 16 b"))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 180 * number
