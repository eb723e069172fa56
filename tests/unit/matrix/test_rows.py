"""The table of machines covers every pair that can be."""

from tests.matrix import besides
from tests.matrix.rows import CI, FACTORS, IMPOSSIBLE, is_possible, pairs, possible_pairs, row_id, rows
from tests.matrix.tree import packages


def test_every_possible_pair_of_values_stands_in_some_row() -> None:
    assert possible_pairs() <= {pair for row in rows().values() for pair in pairs(row)}


def test_there_are_at_least_24_machines_and_no_impossible_one() -> None:
    table = rows()
    assert len(table) >= 24
    assert all(is_possible(row) for row in table.values())
    assert all(list(row)[: len(FACTORS)] == list(FACTORS) for row in table.values())
    assert all("-".join(row.values()) == name and name.startswith(row_id(row)) for name, row in table.items())


def test_the_rows_beside_the_pairs_have_what_is_known_of_them_and_packages_of_their_own() -> None:
    chosen = [row for row in rows().values() if "besides" in row]
    assert sorted(row["besides"] for row in chosen) == sorted(besides.BESIDES)
    (dracut,) = (row for row in chosen if row["besides"] == "dracut")
    assert "dracut" in packages(dracut)
    assert "initramfs-tools" not in packages(dracut)


def test_a_copy_must_say_what_is_asked_and_the_rest_as_the_source_did() -> None:
    dracut = besides.BESIDES["dracut"]
    assert besides.different(dracut, "0\n1\nnone\n", "1\n1\nnone\n") == ""
    assert besides.different(dracut, "0\n1\n", "0\n1\n") == "the copy says 0, not 1"
    assert besides.different(dracut, "1\n1\n", "1\n1\n") == "the source says 1, not 0"
    assert besides.different(dracut, "", "1\n") == "the source says nothing, not 0"
    assert besides.different(dracut, "0\na\nb\n", "1\nb\nc\n") == "a; c"


def test_a_pair_that_is_missing_is_impossible() -> None:
    every = {
        frozenset({(one, mine), (other, its)})
        for one in FACTORS
        for other in FACTORS
        if one != other
        for mine in FACTORS[one]
        for its in FACTORS[other]
    }
    assert every - possible_pairs() == {
        frozenset(values.items()) for values, _ in IMPOSSIBLE if len(values) == 2
    }


def test_the_rows_of_ci_are_in_the_table_and_differ_in_most() -> None:
    table = rows()
    chosen = [table[name] for name in CI]
    for factor in ("suite", "fstab", "network", "bus"):
        assert len({row[factor] for row in chosen}) == len(chosen)


def test_the_table_is_the_same_each_time() -> None:
    assert list(rows()) == list(rows())
