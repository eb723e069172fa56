"""Which interface of several leads to the outside, and what of the others the new machine has nothing for.

The new machine has one card. It takes the place of the card through which the way out led, alone or as the
first of a bond or a bridge.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smc.guest.networks.style import Interface, Kind, Style, is_physical
from smc.guest.root import Root

TAGGED = (Kind.VLAN, Kind.OTHER)


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
    bottom = 0 if tags_pass or not tags else min(tags[-1] + 1, len(chain) - 1)
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
    """A gateway that is named says more than one that DHCP may give; a part of something says nothing.

    What does not come up by itself is taken only where nothing does.
    """
    every = [*cards, *stacks]
    started = [found for found in every if found.interface.started]
    parts = {key for found in stacks if found.interface.kind is Kind.BUNDLE for key in found.interface.on}
    wishes: tuple[Callable[[Found], bool], ...] = (
        lambda found: found.interface.gateway and not found.interface.dhcp,
        lambda found: found.interface.gateway,
        lambda found: found.interface.kind is Kind.CARD and found.interface.key not in parts,
        lambda found: found.interface.kind is Kind.BUNDLE,
    )
    likely = (found for among in (started, every) for wish in wishes for found in among if wish(found))
    return next(likely, None)


def _bundled(found: Found, stacks: Sequence[Found]) -> Found:
    """Up to the bond or bridge of which it is a part: a part has no address of its own."""
    bundles = [stack for stack in stacks if stack.interface.kind is Kind.BUNDLE]
    seen = {found.interface.key}
    while above := [stack for stack in bundles if found.interface.key in stack.interface.on]:
        if above[0].interface.key in seen:
            break
        found = above[0]
        seen.add(found.interface.key)
    return found


def _chain(found: Found, known: Mapping[str, Found]) -> Iterator[Found]:
    """Itself and what it stands on, each time the first part with a card that is one, down to a card."""
    seen: set[str] = set()
    while True:
        yield found
        seen.add(found.interface.key)
        parts = [_part(found, key, known) for key in found.interface.on if key not in seen]
        if not parts:
            return
        found = next((part for part in parts if any(map(_is_card, _cards(part, known)))), parts[0])


def _is_card(found: Found) -> bool:
    """A bridge may have taps of virtual machines in it too."""
    return not found.interface.bare or is_physical(found.interface.name)


def _cards(found: Found, known: Mapping[str, Found]) -> list[Found]:
    """All cards below it; itself when it is one."""
    cards, waiting = [], [found]
    seen: set[str] = set()
    while waiting:
        here = waiting.pop(0)
        if here.interface.key in seen:
            continue
        seen.add(here.interface.key)
        if here.interface.kind is Kind.CARD:
            cards.append(here)
        waiting = [*(_part(here, key, known) for key in here.interface.on if key not in seen), *waiting]
    return cards


def _part(above: Found, key: str, known: Mapping[str, Found]) -> Found:
    """What nothing else in the configuration speaks of is a card."""
    bare = Interface(file=above.interface.file, name=key, dhcp=False, gateway=False, bare=True)
    return known.get(key, Found(above.style, bare))
