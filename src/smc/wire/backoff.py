"""How long to wait before trying again: longer each time, never too long, never all at once."""

import random
from collections.abc import Iterator

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


def delays(*, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> Iterator[float]:
    """Seconds to wait before the second, third, ... attempt, without end.

    Doubles up to `longest`; each is drawn from its upper half, so that many agents do not return together.
    """
    ceiling = first
    while True:
        yield random.uniform(ceiling / 2, ceiling)
        ceiling = min(ceiling * 2, longest)
