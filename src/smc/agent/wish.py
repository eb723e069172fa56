"""What the center wants of a run, as it is now, for the process that works on it."""

from smc.transfer.dials import Dials
from smc.wire.orders import Order


class Wish:
    """`order` is one attribute, replaced whole; `dials` has its settings and goes with it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.dials = Dials(order.settings)

    def turn(self, order: Order) -> None:
        """From now on: settings as `Dials` says, the receiver's address when the next connection is made."""
        self.order = order
        self.dials.turn(order.settings)
