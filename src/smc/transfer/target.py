"""One filesystem of the target, and errors that are blamed on it."""

import errno
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from smc.base.errors import TargetWriteError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class TargetTree:
    """A mounted filesystem of the target, by the name that the sender gives it: `<disk>_<partition>`."""

    name: str
    disk: int
    partition: int
    path: Path

    def blamed(self, path: bytes) -> "_Blamed":
        """A context: what the kernel refuses inside is a `TargetWriteError` about `path`."""
        return _Blamed(self, path)

    def blame(self, path: bytes, error: OSError) -> TargetWriteError:
        where = f"{path.decode(errors='backslashreplace')!r} on disk {self.disk} partition {self.partition}"
        if error.errno in FULL:
            return TargetWriteError(
                f"the target filesystem is full: {where} could not be written",
                code="Target.Full",
                hint="Make the target disk larger, or exclude files.",
            )
        return TargetWriteError(f"{where} could not be written: {error.strerror or error}")


class _Blamed:
    """A class: there is one for each folder and frame, and a generator costs three times as much."""

    __slots__ = ("_path", "_tree")

    def __init__(self, tree: TargetTree, path: bytes) -> None:
        self._tree = tree
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise self._tree.blame(self._path, error) from error
