"""The table of machines covers every pair that can be."""

from tests.matrix.rows import CI, FACTORS, IMPOSSIBLE, is_possible, pairs, possible_pairs, row_id, rows


def test_every_possible_pair_of_values_stands_in_some_row() -> None:
    assert possible_pairs() <= {pair for row in rows().values() for pair in pairs(row)}


def test_there_are_at_least_24_machines_and_no_impossible_one() -> None:
    table = rows()
    assert len(table) >= 24
    assert all(is_possible(row) for row in table.values())
    assert all(list(row) == list(FACTORS) and row_id(row) == name for name, row in table.items())


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
