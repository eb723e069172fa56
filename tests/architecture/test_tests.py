"""The shape of the tests themselves."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_files_of_tests_have_names_of_their_own() -> None:
    """pytest takes two files of one name in one run for the same module, and refuses both."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
