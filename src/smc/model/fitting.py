"""The smallest size at which something holds, and what a copy has free beyond its files."""

from collections.abc import Callable

from smc.base.units import GIB, MIB
from smc.model.disk import Filesystem

RESERVE_PERCENT = 5  # of the used bytes: what a running source may add while it is copied
RESERVE_BYTES = 64 * MIB
ENDLESS = 65536 * GIB  # twice the largest disk


def reserve_bytes(filesystem: Filesystem) -> int:
    """Not more than the source itself has free."""
    wanted = filesystem.used * RESERVE_PERCENT // 100 + RESERVE_BYTES
    return max(min(wanted, filesystem.size - filesystem.used), 0)


def smallest_size(holds: Callable[[int], bool]) -> int:
    """The least whole MiB that `holds`; more than `ENDLESS` when none does (an absurd description).

    What holds at a size has to hold at every larger one.
    """
    low, high = 0, 1
    while high * MIB <= ENDLESS and not holds(high * MIB):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle * MIB) else (middle, high)
    return high * MIB
