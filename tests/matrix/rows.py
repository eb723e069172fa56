"""The machines of the matrix: what they differ in, what cannot be, and the rows that cover every pair.

A row's id is its values in the order of the factors, so it stays the same when rows are added before it, and
what was recorded of it stays true.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations, product

FACTORS: dict[str, tuple[str, ...]] = {
    "suite": ("bookworm", "trixie", "bullseye", "forky", "sid"),
    "start": ("bios-grub", "uefi-grub", "uefi-sdboot"),
    "root": ("ext4", "xfs", "btrfs", "lvm", "mdraid", "luks"),
    "boot": ("same", "separate"),
    "fstab": ("uuid", "label", "path"),  # path: /dev/sda2 or what the disk's bus calls it
    "network": ("ifupdown", "networkd", "nm", "netplan"),
    "bus": ("virtio", "sata", "nvme"),
}
IMPOSSIBLE: tuple[tuple[dict[str, str], str], ...] = (
    ({"suite": "bullseye", "start": "uefi-sdboot"}, "Debian packages systemd-boot since bookworm"),
    ({"root": "luks", "boot": "same", "start": "bios-grub"}, "GRUB would ask for a passphrase"),
    ({"root": "luks", "boot": "same", "start": "uefi-grub"}, "GRUB would ask for a passphrase"),
)
CI = (  # in the table whatever the generator finds, and far from each other
    "bookworm-bios-grub-ext4-same-uuid-ifupdown-virtio",
    "trixie-bios-grub-ext4-separate-label-networkd-sata",
    "bullseye-uefi-grub-lvm-separate-path-netplan-nvme",
)

BESIDES = (  # the word at the end is a key of besides.BESIDES
    "bookworm-bios-grub-ext4-same-uuid-ifupdown-virtio-selinux",
    "trixie-uefi-grub-ext4-separate-uuid-networkd-sata-dracut",
)

Values = Mapping[str, str]
Pair = frozenset[tuple[str, str]]


def is_possible(values: Values) -> bool:
    """Of a whole row or of a part of one."""
    return not any(forbidden.items() <= values.items() for forbidden, _ in IMPOSSIBLE)


def row_id(values: Values) -> str:
    return "-".join(values[factor] for factor in FACTORS)


def rows() -> dict[str, dict[str, str]]:
    """Every row by its id, those of `CI` first, at the end those beside the pairs with a value more."""
    found = [_of_id(name) for name in CI]
    left = possible_pairs() - {pair for row in found for pair in pairs(row)}
    while left:
        found.append(_best(left))
        left -= pairs(found[-1])
    return {row_id(row): row for row in found} | {name: _besides(name) for name in BESIDES}


def pairs(values: Values) -> set[Pair]:
    return {frozenset(pair) for pair in combinations(values.items(), 2)}


def possible_pairs() -> set[Pair]:
    """Every two values of two factors that stand together in some possible row."""
    return {
        frozenset(pair.items())
        for one, other in combinations(FACTORS, 2)
        for mine, its in product(FACTORS[one], FACTORS[other])
        if next(_completions(pair := {one: mine, other: its}, set()), None)
    }


def _best(left: set[Pair]) -> dict[str, str]:
    """A row with the first pair that is left and as many more as choosing one factor at a time finds."""
    first = min(left, key=lambda pair: [(_rank(factor), value) for factor, value in sorted(pair)])
    return next(_completions(dict(first), left))


def _completions(part: Values, left: set[Pair]) -> Iterator[dict[str, str]]:
    """Whole possible rows that hold `part`; values that cover more of `left` are tried first."""
    if not is_possible(part):
        return
    missing = [factor for factor in FACTORS if factor not in part]
    if not missing:
        yield {factor: part[factor] for factor in FACTORS}
        return
    grown = [{**part, missing[0]: value} for value in FACTORS[missing[0]]]
    grown.sort(key=lambda row: -len(pairs(row) & left))
    for row in grown:
        yield from _completions(row, left)


def _besides(name: str) -> dict[str, str]:
    of_factors, _, word = name.rpartition("-")
    return {**_of_id(of_factors), "besides": word}


def _rank(factor: str) -> int:
    return list(FACTORS).index(factor)


def _of_id(name: str) -> dict[str, str]:
    """The values never hold each other's names as a part, so one split is right."""
    for start in FACTORS["start"]:
        suite, found, rest = name.partition(f"-{start}-")
        if found:
            return dict(zip(FACTORS, (suite, start, *rest.split("-")), strict=True))
    raise ValueError(name)
