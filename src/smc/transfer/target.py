"""One filesystem of the target, and errors that are blamed on it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from smc.base.errors import TargetWriteError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class TargetTree:
    """A mounted filesystem of the target, by the name that the sender gives it: `<disk>_<partition>`."""

    name: str
    disk: int
    partition: int
    path: Path

    @contextmanager
    def blamed(self, path: bytes) -> Iterator[None]:
        """What the kernel refuses inside is a `TargetWriteError` about `path`."""
        try:
            yield
        except OSError as e:
            raise self._blame(path, e) from e

    def _blame(self, path: bytes, error: OSError) -> TargetWriteError:
        where = f"{path.decode(errors='backslashreplace')!r} on disk {self.disk} partition {self.partition}"
        if error.errno in FULL:
            return TargetWriteError(
                f"the target filesystem is full: {where} could not be written",
                code="Target.Full",
                hint="Make the target disk larger, or exclude files.",
            )
        return TargetWriteError(f"{where} could not be written: {error.strerror or error}")
