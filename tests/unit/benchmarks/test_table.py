"""The results of benchmarks: rows that replace each other, sides that come one after the other."""

from pathlib import Path

from benchmarks import table
from benchmarks.measure import Copy, Usage
from benchmarks.rows import ROWS, WHERE, need

ROW: table.Result = {"row": "first", "tree": "A", "peer": "rsyncd", "where": "tmpfs", "need": 1.5}
MIB = 1 << 20


def copies(*seconds: float) -> list[Copy]:
    return [Copy(value, Usage(1.0, 30), Usage(2.0, 50)) for value in seconds]


def both(ours: float, peer: float) -> table.Result:
    return (
        ROW
        | {"bytes": 100 * MIB, "runs": 1}
        | table.describe("ours", copies(ours), 100 * MIB)
        | table.describe("peer", copies(peer), 100 * MIB)
    )


def test_a_row_is_described_by_medians_and_the_larger_peak() -> None:
    found = table.describe("ours", copies(4, 1, 2), 1 << 30)
    assert found["ours_s"] == 2
    assert found["ours_all_s"] == [4, 1, 2]
    assert found["ours_cpu_s"] == 3
    assert found["ours_receiver_cpu_s_per_gib"] == 2
    assert found["ours_rss_mib"] == 50


def test_a_row_replaces_the_one_with_its_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "files.json"
    table.merge(path, both(1, 2))
    table.merge(path, both(1, 4) | {"where": "ext4"})
    table.merge(path, both(1, 3))
    assert [(row["where"], row["ratio"]) for row in table.load(path)] == [("tmpfs", 3), ("ext4", 4)]
    assert all(row["alternating"] for row in table.load(path))


def test_a_side_measured_alone_keeps_the_other_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "files.json"
    table.merge(path, both(2, 4))
    alone = ROW | {"bytes": 100 * MIB, "runs": 1} | table.describe("ours", copies(1), 100 * MIB)
    table.merge(path, dict(alone))
    (row,) = table.load(path)
    assert (row["ours_s"], row["peer_s"], row["ratio"], row["alternating"]) == (1, 4, 4, False)


def test_a_side_of_another_scale_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "files.json"
    table.merge(path, both(2, 4))
    table.merge(path, ROW | {"bytes": MIB, "runs": 1} | table.describe("ours", copies(1), MIB))
    (row,) = table.load(path)
    assert "peer_s" not in row
    assert row["ratio"] is None


def test_the_table_marks_what_is_below_its_bar_or_not_equal() -> None:
    def verdict(row: table.Result) -> str:
        return table.text([row]).splitlines()[1].split("  ")[-1]

    assert verdict(both(1, 2) | {"ratio": 2.0}) == "1 ok"
    assert verdict(both(1, 1) | {"ratio": 1.0}) == "1 BELOW"
    assert verdict(both(1, 2) | {"ratio": 2.0, "equal": False}) == "1 NOT EQUAL"


def test_bars_hold_for_rows_that_are_measured() -> None:
    asked = {
        (name, tree, peer)
        for name, row in ROWS.items()
        for tree in row.trees
        for peer in row.peers
        if need(name, tree, peer, WHERE[0]) is not None
    }
    assert ("first", "A", "rsyncd") in asked
    assert ("limited", "E", "link") in asked
    assert len(asked) == 8 + 4 + 4 + 2
