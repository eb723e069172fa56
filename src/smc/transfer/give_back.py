"""Memory of a connection that has ended goes back to the system: a program may live through thousands.

Streams, ledgers and threads know each other, so only the collector finds that they are of no use any more.
And malloc keeps what many threads let go, in pages that each have a little that is still in use: without this
a program's peak grows by some megabytes with each copy, though nothing is left of it.
"""

import gc
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from smc.transfer import native

P = ParamSpec("P")
R = TypeVar("R")
_collecting = threading.Lock()  # `gc.collect` does nothing while another thread is in it


def giving_back(work: Callable[P, R]) -> Callable[P, R]:
    """`work`, and when it has ended all memory that it used."""

    @wraps(work)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        finally:
            with _collecting:
                gc.collect()
            native.trim()

    return whole


def keep_what_is_loaded() -> None:
    """For a program that has loaded its modules and has not begun to work: the collector need not look
    through them after each connection, which takes 4 ms."""
    gc.collect()
    gc.freeze()
