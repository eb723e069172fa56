"""The names that a folder of the target has, beside those that the source lists: both in byte order.

A folder may have a million names: they stay packed, and those that are not listed are found on the way.
"""

from collections.abc import Iterator, Sequence

from smc.base.errors import WireError
from smc.transfer import native
from smc.transfer.files.folders import check_names
from smc.transfer.files.temporary import PREFIX

TOGETHER = 256  # names in one piece of memory


class Present:
    """Names are asked for in ascending order, as they are listed."""

    def __init__(self, handle: int | None = None) -> None:
        """Of an open folder; None: of one that has none. Raises OSError when its names cannot be read."""
        parts = [] if handle is None else native.name_parts(handle, TOGETHER)
        self.any = bool(parts)
        self.left_over = {name for part in parts for name in _temporary(part)}  # by interrupted connections
        parts.reverse()
        self._parts = parts  # to come, the next at the end
        self._names: list[bytes] = []  # of the part that has begun, the next at the end
        self._last = b""  # of the names that were listed
        self._others: list[bytes] = []  # that were passed over

    def follow(self, names: Sequence[bytes]) -> None:
        """Check the next names of a listing: `WireError` for what is no name, or out of order."""
        check_names(names)
        before = self._last
        for name in names:
            if name <= before:
                raise WireError(f"{name!r} was listed after {before!r}")
            before = name
        self._last = before

    def has(self, name: bytes) -> bool:
        """Whether it was there when the folder was looked at."""
        while (first := self._first()) is not None and first <= name:
            self._names.pop()
            if first == name:
                return True
            self._others.append(first)
        return False

    def not_listed(self) -> Iterator[bytes]:
        """When all that is listed was asked for: the other names, in order."""
        yield from self._others
        while (first := self._first()) is not None:
            self._names.pop()
            yield first

    def _first(self) -> bytes | None:
        if not self._names:
            if not self._parts:
                return None
            self._names = self._parts.pop().split(b"\0")
            self._names.reverse()
        return self._names[-1]


def _temporary(part: bytes) -> list[bytes]:
    if PREFIX not in part:
        return []
    return [name for name in part.split(b"\0") if name.startswith(PREFIX)]
