"""What a style of network configuration has to tell and to do; each is a row of STYLES in network.py."""

import re
from typing import Protocol

import msgspec

from smc.guest.root import Root

PHYSICAL = re.compile(r"^(?:eth\d+|em\d+|p\d+p\d+|en[a-zA-Z][0-9A-Za-z]+)$")
DRIVER = "virtio_net"  # of the network card of the new machine
WHY_DHCP = "the new network gives the address by DHCP"
WHY_MAC = "the network card of the new machine has another hardware address"
WHY_OTHERS = "the new machine has one network card; a start does not wait for others"


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A network card as a configuration file speaks of it.

    `name` is "" when the file finds it by a pattern or hardware address; `by_hardware` when it is bound to
    the old machine's card; `gateway` when the way to the outside leads through it.
    """

    file: str
    name: str
    dhcp: bool
    gateway: bool
    by_hardware: bool = False


class Style(Protocol):
    name: str

    def interfaces(self, root: Root) -> list[Interface]:
        """Physical cards that it configures, in the order of its files; none when it is not in use."""
        ...

    def stacked(self, root: Root) -> list[str]:
        """Names of bridges, bonds, VLANs and the like that it builds on cards."""
        ...

    def use_dhcp(self, root: Root, interface: Interface) -> None:
        """Take the card's addresses from DHCP; what was set by hand is commented out."""
        ...

    def free(self, root: Root, interface: Interface) -> None:
        """Take off what binds it to the old machine's card."""
        ...

    def let_go(self, root: Root, interface: Interface) -> None:
        """Do not insist that this card, which the new machine lacks, comes up at the start."""
        ...


def is_physical(name: str) -> bool:
    return PHYSICAL.match(name) is not None
