"""The page of known failures names tests that there are."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs/reference/failure-modes.md"
DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
STATES = {"held", "part", "not yet"}


def rows() -> list[list[str]]:
    lines = (line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_of_the_45_failures_has_a_row_with_a_state() -> None:
    assert [int(row[0]) for row in rows()] == list(range(1, 46))
    assert {row[2] for row in rows()} <= STATES


def test_every_test_that_the_page_names_exists() -> None:
    there = {name for path in TESTS.rglob("test_*.py") for name in DEFINED.findall(path.read_text())}
    assert set(re.findall(r"`(test_\w+)`", PAGE.read_text())) <= there


def test_what_is_held_only_in_part_or_not_yet_says_why() -> None:
    for row in rows():
        if row[2] != "held":
            assert len(re.sub(r"`[^`]*`", "", row[3])) > 20, row[0]
