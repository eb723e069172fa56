"""What the matrix records, shows and repeats."""

from pathlib import Path

import pytest
from demo.stages import Failed
from tests.matrix import record, run
from tests.matrix.migrate import last_lines
from tests.matrix.rows import CI, rows
from tests.matrix.tree import packages

BOOTED = record.Outcome(date="2030-01-02T03:04:05+00:00", commit="abc", result=record.BOOTED, seconds=90)
REFUSED = record.Outcome(
    date="2030-01-02T03:04:05+00:00",
    commit="abc",
    result=record.FAILED,
    seconds=30,
    stage="migrate",
    cause="[Some.Code] a | b",
)


def test_what_was_written_is_read_again_and_the_page_has_every_row(tmp_path: Path) -> None:
    table = rows()
    outcomes = {CI[0]: BOOTED, CI[1]: REFUSED}
    assert record.read(tmp_path) == {}
    record.write(outcomes, table, tmp_path)
    assert record.read(tmp_path) == outcomes
    lines = (tmp_path / "boots.md").read_text().splitlines()
    results = [line.rsplit("|", 2)[1].strip() for line in lines if line.startswith("| ")]
    assert results == ["result", "booted", "failed", *["not run"] * (len(table) - 2)]
    assert any("migrate: [Some.Code] a \\| b" in line for line in lines)


def test_a_row_that_left_the_table_leaves_the_record(tmp_path: Path) -> None:
    record.write({"gone": BOOTED, CI[0]: BOOTED}, rows(), tmp_path)
    assert set(record.read(tmp_path)) == {CI[0]}


def test_only_a_row_that_booted_at_this_commit_is_done() -> None:
    assert run.is_done(BOOTED, "abc")
    assert not run.is_done(BOOTED, "abd")
    assert not run.is_done(REFUSED, "abc")
    assert not run.is_done(None, "abc")


def test_rows_are_picked_by_id() -> None:
    table = rows()
    assert run.choose("", table) == list(table)
    assert run.choose("ci", table) == list(CI)
    assert run.choose(f"{CI[1]}, {CI[0]}", table) == [CI[1], CI[0]]
    with pytest.raises(Failed, match="no row nonsense"):
        run.choose("nonsense", table)


def test_a_cause_is_one_line_without_folders_of_this_machine() -> None:
    assert run.shortened(f"no {Path.cwd()}/build/x\n in {Path.home()}/.cache") == "no build/x in .cache"


def test_the_last_words_of_a_console_are_told_without_colours(tmp_path: Path) -> None:
    console = tmp_path / "serial.log"
    assert last_lines(console) == "there is none"
    console.write_text("one\ntwo\n\n\x1b[0;1;31mthree\x1b[0m\r\nfour\n")
    assert last_lines(console) == "two / three / four"


def test_each_row_has_packages_for_how_it_starts_its_root_and_its_network() -> None:
    table = rows()
    assert {"grub-pc", "ifupdown", "isc-dhcp-client"} <= set(packages(table[CI[0]]))
    assert {"grub-efi-amd64", "lvm2", "netplan.io"} <= set(packages(table[CI[2]]))
    assert all(len(set(packages(row))) == len(packages(row)) for row in table.values())
