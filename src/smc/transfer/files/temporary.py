"""Names under which contents are written until they are whole.

A source may have any name, also one that was made to look like these: so they depend on a secret of the
receiver. No name of a source is one of them, but by a chance of 2^-128, and no two names have the same.
"""

import hmac
from collections.abc import Callable

PREFIX = b".smc~"
KEY_SIZE = 32  # bytes, random

TemporaryName = Callable[[bytes], bytes]


def temporary_names(key: bytes) -> TemporaryName:
    """Of each name its temporary one: short, whatever its length; with the same key always the same."""
    return lambda name: PREFIX + hmac.digest(key, name, "sha256")[:16].hex().encode()
