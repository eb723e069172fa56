"""What may change while a transfer runs: the settings as they are now, for all its threads."""

import threading

from smc.wire.orders import TransferSettings


class Dials:
    """Read `settings` as often as you like: it is one attribute, replaced whole."""

    def __init__(self, settings: TransferSettings) -> None:
        self.settings = settings
        self._turned = threading.Condition()

    def turn(self, settings: TransferSettings) -> None:
        """From now on; who waits for a line that was limited is woken."""
        with self._turned:
            self.settings = settings
            self._turned.notify_all()

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or sooner when something was turned."""
        with self._turned:
            self._turned.wait(seconds)
