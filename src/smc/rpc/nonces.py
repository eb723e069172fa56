"""Each signed request is taken once: the nonces of the time in which a timestamp stays valid."""

import threading
from collections import OrderedDict

from smc.base.errors import Transient, UserError
from smc.rpc.signature import ALLOWED_SKEW

KEPT_SECONDS = 2 * ALLOWED_SKEW  # a stamp may be 15 minutes ahead and stays good for 15 more
MOST = 500_000  # about 100 MB; 277 requests a second for half an hour


class Nonces:
    """In memory only: a restart forgets, and what it forgets stays replayable for 15 minutes at most."""

    def __init__(self, most: int = MOST) -> None:
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def use(self, access_key_id: str, nonce: str, now: float) -> None:
        """Raises `UserError` `SignatureNonceUsed`; `Transient` `Throttling` when no more can be remembered.

        Call it with verified requests only, so that a stranger cannot fill the memory.
        """
        with self._lock:
            while self._seen and next(iter(self._seen.values())) + KEPT_SECONDS < now:
                self._seen.popitem(last=False)
            if (access_key_id, nonce) in self._seen:
                raise UserError(
                    "This request was already received: its SignatureNonce was used before.",
                    code="SignatureNonceUsed",
                    hint="Make a new nonce for every request, a repeated one too.",
                )
            if len(self._seen) >= self._most:
                raise Transient("Too many requests.", code="Throttling", hint="Try again in a minute.")
            self._seen[access_key_id, nonce] = now
