"""`make bench-files`: the file engine against rsync, on this machine (docs/reference/benchmarks.md).

    python -m benchmarks.files [--rows first,unchanged] [--trees A,C] [--peers rsyncd] [--where tmpfs]
                               [--runs 5] [--scale 0.1] [--without ours] [--into FILE]

Needs root. Results are put into build/bench/files.json as they come.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from benchmarks import rounds, table, trees
from benchmarks.pair import Pair, ours
from benchmarks.peers import Rsync, named
from benchmarks.places import at
from benchmarks.rounds import Contender
from benchmarks.rows import EXT4_RUNS, FIRST, LATER, PEERS, ROWS, RUNS, WHERE, need
from smc.base.units import MIB

BUILD = Path(__file__).resolve().parents[1] / "build/bench"
RESULTS = BUILD / "files.json"
MEMORY = Path("/dev/shm")


def main() -> int:
    options = _options()
    if os.geteuid():
        print("benchmarks.files: needs root: mounts, namespaces, owners of files", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, leave)
    begin = time.monotonic()
    with folders() as (base, scratch), ExitStack() as stack:
        peers = stack.enter_context(named(options.peers, scratch, base))
        pair = stack.enter_context(ours()) if options.without != "ours" else None
        for tree in options.trees:
            _measure(tree, base, pair, peers, options)
    print(table.text(table.load(options.into)))
    print(f"{time.monotonic() - begin:.0f} s; {options.into}")
    return 0


def _measure(
    tree: str, base: Path, pair: Pair | None, peers: dict[str, Rsync], options: argparse.Namespace
) -> None:
    """All rows of one tree, which goes when they are done."""
    rows = [name for name in options.rows if tree in ROWS[name].trees]
    if not rows:
        return
    source = base / f"source-{tree}"
    try:
        size = trees.make(tree, source, options.scale)
        print(f"tree {tree}: {trees.TREES[tree].like}; {size / MIB:.0f} MiB at scale {options.scale:g}")
        for where in options.where:
            here = [name for name in rows if where == "tmpfs" or ROWS[name].ext4]
            if not here:
                continue
            runs = options.runs if where == "tmpfs" else min(options.runs, EXT4_RUNS)
            tell = partial(_tell, into=options.into, tree=tree, where=where, size=size, scale=options.scale)
            with at(where, base, BUILD) as place:
                race = rounds.Race(source, place, pair, peers, runs, tell)
                if names := [name for name in here if name in FIRST]:
                    rounds.first(names, race)
                if names := [name for name in here if name in LATER]:
                    rounds.later(names, race)
                if "limited" in here and pair:
                    rounds.over_a_link(source, place, runs, tell)
    finally:
        trees.remove(source)


def _tell(
    row: str, contenders: Sequence[Contender], *, into: Path, tree: str, where: str, size: int, scale: float
) -> None:
    """Put into the file, and print, a row for each peer of it."""
    peers = {each.name: each for each in contenders if each.name in ROWS[row].peers and each.copies}
    mine = next((each for each in contenders if each.judged and (each.copies or each.error)), None)
    for name in peers or ROWS[row].peers:
        found: table.Result = {"row": row, "tree": tree, "peer": name, "where": where}
        found |= {"need": need(row, tree, name, where), "bytes": size, "scale": scale}
        sides = {"ours": mine, "peer": peers.get(name)}
        found["runs"] = max((len(each.copies) for each in sides.values() if each), default=0)
        for side, each in sides.items():
            if each and each.copies:
                found |= table.describe(side, each.copies, size)
        if mine:
            found["equal"] = mine.equal
        if mine and mine.error:
            found["error"] = mine.error
        table.merge(into, found)
        if found["runs"]:
            print(
                f"  {row} {tree} {where} run {found['runs']}: ours {found.get('ours_all_s', ['-'])[-1]},"
                f" {name} {found.get('peer_all_s', ['-'])[-1]}",
                flush=True,
            )


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """Where trees and copies lie, in memory, and where keys and configurations do."""
    base = MEMORY / f"smc-bench-{os.getpid()}"
    base.mkdir()
    try:
        with tempfile.TemporaryDirectory(prefix="smc-bench-") as scratch:
            yield base, Path(scratch)
    finally:
        trees.remove(base)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.files", description=(__doc__ or "").split("\n", 1)[0])
    for name, all_of_them in (("rows", ROWS), ("trees", trees.TREES), ("peers", PEERS), ("where", WHERE)):
        parser.add_argument(
            f"--{name}",
            type=partial(words, all_of_them),
            default=list(all_of_them),
            help=",".join(all_of_them),
        )
    parser.add_argument("--runs", type=int, default=RUNS, help="of each contender, in turn")
    parser.add_argument("--scale", type=float, default=1.0, help="of the trees; the bars are meant for 1")
    parser.add_argument("--without", choices=("ours", "peers"), help="the other side keeps earlier figures")
    parser.add_argument("--into", type=Path, default=RESULTS, help="the file of results")
    options = parser.parse_args()
    if options.without == "peers":
        options.peers = []
    return options


def words(known: Iterable[str], text: str) -> list[str]:
    words = text.split(",")
    if unknown := [word for word in words if word not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
    return words


def leave(number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C: all that was made is undone on the way out."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
