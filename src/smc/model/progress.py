"""How far a run is: counters that only grow."""

from enum import Enum
from typing import Self

import msgspec

from smc.base.errors import Broken, SmcError, Transient, UserError

KINDS: dict[str, type[SmcError]] = {"UserError": UserError, "Transient": Transient, "Broken": Broken}


class Phase(Enum):
    """What the receiver is doing, in order; FAILED from any."""

    IDLE = "idle"
    LAYING_OUT = "laying_out"
    LISTENING = "listening"
    SYNCING = "syncing"
    SYNCED = "synced"
    CONVERTING = "converting"
    CONVERTED = "converted"
    FAILED = "failed"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An SmcError as a value. `kind` is its class: UserError, Transient or Broken."""

    kind: str
    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: SmcError) -> Self:
        kind = next((name for name, kind in KINDS.items() if isinstance(error, kind)), Broken.__name__)
        return cls(kind=kind, code=error.code, message=error.message, hint=error.hint)

    def error(self) -> SmcError:
        return KINDS.get(self.kind, Broken)(self.message, code=self.code, hint=self.hint)

    def lasting(self) -> SmcError:
        """The error when it is not tried again."""
        return msgspec.structs.replace(self, kind=Broken.__name__).error() if self.passes else self.error()

    @property
    def passes(self) -> bool:
        """Whether it may be gone when it is tried again."""
        return self.kind == Transient.__name__


class DiskProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Of one target disk; bytes of file content before compression, `total` 0 until it is known.

    Files are None where the receiver does not count them by disk.
    """

    index: int
    done: int = 0
    total: int = 0
    files_done: int | None = None
    files_total: int | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """`wire` counts bytes on the network, `resent` those of content that was sent again after a cut.

    The speeds are averages over the last ten seconds; the center computes them from the counters.
    """

    run: str
    phase: Phase
    disks: tuple[DiskProgress, ...] = ()
    files_done: int = 0
    files_total: int = 0
    wire: int = 0
    resent: int = 0
    speed: float = 0.0  # bytes per second before compression
    wire_speed: float = 0.0  # bytes per second on the network
    failure: Failure | None = None
    note: str = ""  # a sentence for a person: what is going on now

    @property
    def done(self) -> int:
        return sum(disk.done for disk in self.disks)

    @property
    def total(self) -> int:
        return sum(disk.total for disk in self.disks)

    @property
    def seconds_left(self) -> float | None:
        """None until total and speed are known."""
        if not self.total or self.speed <= 0:
            return None
        return max(self.total - self.done, 0) / self.speed
