"""The order of a measurement: each contender in turn, as often as asked, the judge beside the clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.changes import change_files, change_one_file
from benchmarks.judge import differences
from benchmarks.link import RATE_MBIT, limited
from benchmarks.measure import Copy, Usage
from benchmarks.pair import Pair, ours
from benchmarks.peers import Rsync
from benchmarks.places import Place
from benchmarks.rows import FIRST, LATER, ROWS
from smc.base.errors import SmcError

CHANGES: dict[str, Callable[[Path, int], int]] = {
    "changed-1pct-files": change_files,
    "changed-1pct-of-one-file": change_one_file,
}
Copying = Callable[..., Copy]  # (source, target, *, fresh)


@dataclass
class Contender:
    """Ours by the name of its row, or a peer by its own; `error` ends its part in a row."""

    name: str
    copy: Copying
    judged: bool  # ours is compared with the source once a row
    copies: list[Copy] = field(default_factory=list)
    equal: bool | None = None
    error: str = ""

    def run(self, source: Path, target: Path, *, fresh: bool) -> None:
        if self.error:
            return
        try:
            self.copies.append(self.copy(source, target, fresh=fresh))
            if self.judged and self.equal is None:
                found = differences(source, target)
                self.equal = not found
                if found:
                    print(f"{self.name}: not equal: {len(found)} lines of rsync, first {found[:5]}")
        except SmcError as e:
            self.error = str(e)
            print(f"{self.name}: {e}")

    def forget(self) -> None:
        """What was measured so far belongs to another row."""
        self.copies, self.equal = [], None


Tell = Callable[[str, Sequence[Contender]], None]  # a row, and all of its contenders, after each run


@dataclass(frozen=True)
class Race:
    """Who copies what to where, how often, and who hears of it; `pair` is ours."""

    source: Path
    place: Place
    pair: Pair | None
    peers: dict[str, Rsync]
    runs: int
    tell: Tell


def first(names: Sequence[str], race: Race) -> None:
    """Into nothing; one copy is held at a time. `names` are rows of `FIRST`, measured in one go."""
    pair, peers, place = race.pair, race.peers, race.place
    wanted = {peer for name in names for peer in ROWS[name].peers}
    contenders = [Contender(name, peer.copy, judged=False) for name, peer in peers.items() if name in wanted]
    if pair:
        contenders += [
            Contender(name, partial(pair.copy, settings=ROWS[name].settings), judged=True) for name in names
        ]
    for _ in range(race.runs):
        for contender in contenders:
            place.empty()
            contender.run(race.source, place.folder("copy"), fresh=True)
        for name in names:
            race.tell(name, [each for each in contenders if each.name not in FIRST or each.name == name])
    place.empty()


def later(names: Sequence[str], race: Race) -> None:
    """Rounds upon copies that each contender made before; `names` are rows of `LATER`, in that order."""
    source, place = race.source, race.place
    contenders = [Contender(name, peer.copy, judged=False) for name, peer in race.peers.items()]
    if race.pair:
        contenders.append(Contender("ours", race.pair.copy, judged=True))
    targets = {contender.name: place.folder(contender.name) for contender in contenders}
    for contender in contenders:
        contender.run(source, targets[contender.name], fresh=True)
    for name in (each for each in LATER if each in names):
        for contender in contenders:
            contender.forget()
        for number in range(race.runs):
            if name in CHANGES:
                CHANGES[name](source, number)
            for contender in contenders:
                contender.run(source, targets[contender.name], fresh=False)
            race.tell(name, contenders)
    place.empty()


def over_a_link(source: Path, place: Place, runs: int, tell: Tell) -> None:
    """Ours alone; the peer is the time in which the link at its limit carries the same frames."""
    nothing = Usage(0, 0)
    with limited() as link, ours(agent=link.agent, receiver=link.receiver, host=link.host, listen="") as pair:
        mine = Contender("ours", pair.copy, judged=True)
        limit = Contender("link", pair.copy, judged=False)
        for _ in range(runs):
            place.empty()
            before = link.sent_bytes()
            mine.run(source, place.folder("copy"), fresh=True)
            sent = link.sent_bytes() - before
            limit.copies.append(Copy(sent * 8 / (RATE_MBIT * 10**6), nothing, nothing, sent))
            tell("limited", [mine, limit])
    place.empty()
