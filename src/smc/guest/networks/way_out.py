"""Which interface of several leads to the outside, and what of the others the new machine has nothing for.

The new machine has one card. It takes the place of the card through which the way out led, alone or as the
first of a bond or a bridge.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smc.guest.networks.style import Interface, Kind, Style
from smc.guest.root import Root

TAGGED = (Kind.VLAN, Kind.OTHER)
DEPTH = 8  # a VLAN on a bridge on a bond is three


class Found(NamedTuple):
    style: Style
    interface: Interface


class WayOut(NamedTuple):
    """`leader` has the address; `card` is the new machine's, `leader` itself or below it.

    `tagged` are the VLAN through which the way out led on the source and what stood between: the new network
    carries no VLANs.
    `kept` stand on the card too, `absent` on nothing that the new machine has.
    """

    leader: Found
    card: Found
    tagged: tuple[Found, ...]
    kept: tuple[Found, ...]
    absent: tuple[Found, ...]


def find(root: Root, styles: Sequence[Style], *, tags_pass: bool) -> WayOut | None:
    """None where no card is configured. `tags_pass` where the new network carries VLANs as the old one."""
    cards = [Found(style, card) for style in styles for card in style.interfaces(root)]
    stacks = [Found(style, stack) for style in styles for stack in style.stacks(root)]
    known: dict[str, Found] = {}
    for found in (*cards, *stacks):
        known.setdefault(found.interface.key, found)
    chosen = _chosen(cards, [stack for stack in stacks if _cards(stack, known)])
    if chosen is None:
        return None
    chain = list(_chain(_bundled(chosen, stacks), known))
    tags = [number for number, part in enumerate(chain) if part.interface.kind in TAGGED]
    bottom = 0 if tags_pass or not tags else tags[-1] + 1
    leader, card = chain[bottom], chain[-1]
    above = tuple(chain[:bottom])
    kept, absent = [], []
    for found in (*cards, *stacks):
        below = {other.interface.key for other in _cards(found, known)}
        if found in (leader, card, *above) or not below:
            continue
        if found.interface.kind is not Kind.CARD and card.interface.key in below:
            kept.append(found)
        elif not found.interface.name or found.interface.name != card.interface.name:
            absent.append(found)
    return WayOut(leader, card, above, tuple(kept), tuple(absent))


def alone(root: Root, styles: Sequence[Style]) -> list[Interface]:
    """Cards with addresses of their own, bonds and bridges in place of the cards that are their parts."""
    cards = [card for style in styles for card in style.interfaces(root)]
    bundles = [stack for style in styles for stack in style.stacks(root) if stack.kind is Kind.BUNDLE]
    parts = {key for bundle in bundles for key in bundle.on}
    return [found for found in (*cards, *bundles) if found.key not in parts]


def _chosen(cards: Sequence[Found], stacks: Sequence[Found]) -> Found | None:
    """A gateway that is named says more than one that DHCP may give; a part of something says nothing."""
    every = [*cards, *stacks]
    parts = {key for found in stacks if found.interface.kind is Kind.BUNDLE for key in found.interface.on}
    wishes: tuple[Callable[[Found], bool], ...] = (
        lambda found: found.interface.gateway and not found.interface.dhcp,
        lambda found: found.interface.gateway,
        lambda found: found.interface.kind is Kind.CARD and found.interface.key not in parts,
        lambda found: found.interface.kind is Kind.BUNDLE,
    )
    return next((found for wish in wishes for found in every if wish(found)), None)


def _bundled(found: Found, stacks: Sequence[Found]) -> Found:
    """Up to the bond or bridge of which it is a part: a part has no address of its own."""
    for _ in range(DEPTH):
        above = [
            stack
            for stack in stacks
            if stack.interface.kind is Kind.BUNDLE and found.interface.key in stack.interface.on
        ]
        if not above:
            break
        found = above[0]
    return found


def _chain(found: Found, known: Mapping[str, Found]) -> Iterator[Found]:
    """Itself and what it stands on, each time the first part, down to a card."""
    for _ in range(DEPTH):
        yield found
        if not found.interface.on:
            return
        found = _part(found, found.interface.on[0], known)


def _cards(found: Found, known: Mapping[str, Found], depth: int = DEPTH) -> list[Found]:
    """All cards below it; itself when it is one."""
    if found.interface.kind is Kind.CARD:
        return [found]
    parts = [_part(found, key, known) for key in found.interface.on] if depth else []
    return [card for part in parts for card in _cards(part, known, depth - 1)]


def _part(above: Found, key: str, known: Mapping[str, Found]) -> Found:
    """What nothing else in the configuration speaks of is a card."""
    bare = Interface(file=above.interface.file, name=key, dhcp=False, gateway=False)
    return known.get(key, Found(above.style, bare))
