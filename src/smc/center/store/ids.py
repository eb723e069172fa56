"""New ids: `j-` + three characters of the region + 17 random ones, as the public API's look."""

import secrets
import string

LOWER = string.ascii_lowercase + string.digits
BASE62 = string.ascii_letters + string.digits


def new_id(prefix: str, region: str) -> str:
    """`new_id("j", "lcl")` -> `j-lcl7k2p...`."""
    return f"{prefix}-{region}{random_text(17, LOWER)}"


def random_text(length: int, alphabet: str = BASE62) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
