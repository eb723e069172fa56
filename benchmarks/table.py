"""The results: one JSON list that grows run by run, and the table that a person reads."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Copy
from benchmarks.rows import ROWS, WHERE
from smc.base.units import GIB, MIB

Result = dict[str, Any]  # a row of the file; docs/reference/benchmarks.md has its fields
KEY = ("row", "tree", "peer", "where")
COLUMNS = (  # title, field, width
    ("row", "row", 24),
    ("tree", "tree", 5),
    ("peer", "peer", 7),
    ("where", "where", 6),
    ("ours s", "ours_s", 8),
    ("peer s", "peer_s", 8),
    ("ratio", "ratio", 6),
    ("need", "need", 5),
    ("MiB/s", "mib_s", 6),
    ("CPU s", "ours_cpu_s", 7),
    ("peer", "peer_cpu_s", 7),
    ("RSS", "ours_rss_mib", 5),
    ("peer", "peer_rss_mib", 5),
)


def describe(side: str, copies: Sequence[Copy], size: int) -> Result:
    """The fields of one side, `ours` or `peer`, of runs that moved a tree of `size` bytes."""
    seconds = [copy.seconds for copy in copies]
    found: Result = {
        f"{side}_s": round(median(seconds), 3),
        f"{side}_all_s": [round(value, 3) for value in seconds],
        f"{side}_cpu_s": round(median(copy.sender.cpu_s + copy.receiver.cpu_s for copy in copies), 2),
        f"{side}_rss_mib": round(max(max(copy.sender.rss_mib, copy.receiver.rss_mib) for copy in copies)),
    }
    for end in ("sender", "receiver"):
        usages = [getattr(copy, end) for copy in copies]
        spent = median(usage.cpu_s for usage in usages)
        found[f"{side}_{end}_cpu_s"] = round(spent, 2)
        found[f"{side}_{end}_cpu_s_per_gib"] = round(spent / (size / GIB), 2)
        found[f"{side}_{end}_rss_mib"] = round(max(usage.rss_mib for usage in usages))
    return found


def merge(path: Path, fresh: Result) -> None:
    """Put a row in place of the one with the same key.

    A side that `fresh` does not have keeps its earlier figures if they are of the same scale; `alternating`
    says whether both sides are of one run.
    """
    rows = load(path)
    old = next((row for row in rows if _key(row) == _key(fresh)), {})
    fresh["alternating"] = "ours_s" in fresh and "peer_s" in fresh
    if old.get("bytes") == fresh["bytes"] and not fresh["alternating"]:
        fresh = {**{name: value for name, value in old.items() if name != "error"}, **fresh}
    if "ours_s" in fresh:
        fresh["mib_s"] = round(fresh["bytes"] / MIB / fresh["ours_s"])
        fresh["ratio"] = round(fresh["peer_s"] / fresh["ours_s"], 2) if "peer_s" in fresh else None
    rows = sorted([row for row in rows if _key(row) != _key(fresh)] + [fresh], key=_place)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(temporary, path)  # noqa: PTH105 - atomically


def load(path: Path) -> list[Result]:
    return json.loads(path.read_text()) if path.exists() else []


def text(rows: Sequence[Result]) -> str:
    """The table; a row that is below its bar is marked."""
    lines = ["".join(f"{title:>{width}}" for title, _, width in COLUMNS) + "  runs"]
    for row in rows:
        cells = "".join(f"{_cell(row, name):>{width}}" for _, name, width in COLUMNS)
        lines.append(f"{cells}  {row['runs']} {_verdict(row)}".rstrip())
    return "\n".join(lines)


def _verdict(row: Result) -> str:
    if "error" in row:
        return str(row["error"])
    if row.get("equal") is False:
        return "NOT EQUAL"
    need, ratio = row.get("need"), row.get("ratio")
    if need is None or ratio is None:
        return ""
    return "ok" if ratio >= need else "BELOW"


def _cell(row: Result, name: str) -> str:
    value = row.get(name)
    return "-" if value is None else str(value)


def _place(row: Result) -> tuple[int, int, str, str]:
    return WHERE.index(row["where"]), list(ROWS).index(row["row"]), row["tree"], row["peer"]


def _key(row: Result) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)
