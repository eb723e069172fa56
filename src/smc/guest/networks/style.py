"""What a style of network configuration has to tell and to do; each is a row of STYLES in network.py."""

import re
from enum import Enum, auto
from typing import Protocol

import msgspec

from smc.guest.root import Root

PHYSICAL = re.compile(r"^(?:eth\d+|em\d+|p\d+p\d+|en[a-zA-Z][0-9A-Za-z]+)$")
DRIVER = "virtio_net"  # of the network card of the new machine
WHY_DHCP = "the new network gives the address by DHCP"
WHY_MAC = "the network card of the new machine has another hardware address"
WHY_OTHERS = "the new machine has one network card; a start does not wait for others"


class Kind(Enum):
    CARD = auto()
    BUNDLE = auto()  # bond, bridge, team: it takes the place of its cards in their network
    VLAN = auto()  # another network on the same wire
    OTHER = auto()  # tunnels and the like


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A network card, or what is built on cards, as a configuration file speaks of it.

    `name` is "" when the file finds it by a pattern or hardware address; `by_hardware` when it is bound to
    the old machine's card; `gateway` when the way to the outside leads through it. `on` has the keys of what
    it is built on. `routes` when it has routes or rules of its own beside the one to the outside. `started`
    when it comes up by itself. `bare` is a card of which only what stands on it speaks, in `file`.
    """

    file: str
    name: str
    dhcp: bool
    gateway: bool
    by_hardware: bool = False
    kind: Kind = Kind.CARD
    id: str = ""  # by which others in the configuration speak of it, where that is not its name
    on: tuple[str, ...] = ()
    routes: bool = False
    started: bool = True
    bare: bool = False

    @property
    def key(self) -> str:
        return self.id or self.name


class Style(Protocol):
    name: str

    def interfaces(self, root: Root) -> list[Interface]:
        """Physical cards that it configures, in the order of its files; none when it is not in use."""
        ...

    def stacks(self, root: Root) -> list[Interface]:
        """Bridges, bonds, VLANs and the like that it builds on cards; what they are built on is in `on`."""
        ...

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        """Take its addresses from DHCP; addresses, routes and rules set by hand are commented out.

        The configuration of a bare card is made.
        """
        ...

    def free(self, root: Root, interface: Interface) -> None:
        """Take off what binds it to a hardware address of the old machine."""
        ...

    def let_go(self, root: Root, interface: Interface) -> None:
        """Do not insist that it comes up at the start, for the new machine lacks its card or its network.

        What it configures stays, but for a way to the outside through what is built on cards.
        """
        ...


def is_physical(name: str) -> bool:
    return PHYSICAL.match(name) is not None
