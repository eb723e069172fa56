"""The shape of the tests themselves."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_files_of_tests_have_names_of_their_own() -> None:
    """pytest takes two files of one name in one run for the same module, and refuses both."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_what_needs_more_than_a_unit_test_says_so_by_its_mark() -> None:
    """`pytest -m` leaves out by marks what a machine cannot run; a file that is split may lose its own."""
    rings = {"kernel": "kernel", "machines": "machines", "long": "machines", "chaos": "chaos"}
    unmarked = [
        path.name
        for folder, ring in rings.items()
        for path in (TESTS / folder).glob("test_*.py")
        if f"mark.{ring}" not in path.read_text()
    ]
    assert unmarked == []
