"""What a run did, as one versioned value: changes, checks, the proof of equality."""

from enum import Enum

import msgspec

from smc.model.plan import LeftBehind

VERSION = 1


class Level(Enum):
    PASSED = "passed"
    INFORMATION = "information"
    WARNING = "warning"
    CRITICAL = "critical"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the copy that the conversion wrote or removed; texts are "" for absent, cut at 64 KiB.

    `path` as on the copy's own root. For a binary file `before` and `after` are `sha256:<hex> <size>`.
    """

    path: str
    why: str
    before: str
    after: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    item: str
    level: Level
    finding: str
    cure: str = ""


class Equality(Enum):
    """How it is known that a copy is equal."""

    TRANSFERRED = "hash of what was transferred"  # what did not change by size and time was not read again
    REREAD = "both ends re-read"  # with `checksum`


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Of one partition: SHA-256 over path and content hash of its files in path order, at each end."""

    disk: int
    partition: int
    files: int
    bytes: int
    sent: str
    written: str
    by: Equality = Equality.TRANSFERRED

    @property
    def equal(self) -> bool:
        return self.sent == self.written


class Moving(msgspec.Struct, frozen=True, kw_only=True):
    """A file that did not hold still, vanished or could not be read while it was copied."""

    path: str
    why: str


class ContainerImage(msgspec.Struct, frozen=True, kw_only=True):
    """What was pushed: `reference` as `HOST/REPOSITORY:TAG`, `digest` of its manifest, `size` compressed."""

    reference: str
    digest: str
    size: int
    layers: int


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """One verification of the image: `result` is a state of DescribeVerifications; `ended` is a time.

    `console` and `screenshot` are hashes of what DescribeVerificationEvidence gives.
    """

    id: str
    result: str
    code: str
    message: str
    hint: str = ""
    ended: float | None  # None while it runs
    console: str = ""
    screenshot: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    version: int = VERSION
    changes: tuple[Change, ...] = ()
    checks: tuple[Check, ...] = ()
    proof: tuple[Proof, ...] = ()
    moving: tuple[Moving, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
    differs: tuple[str, ...] = ()  # what is different on the copy: addresses, MACs, ids
    seconds: dict[str, float] = {}  # by stage
    resent: int = 0  # bytes of content that were sent again after a cut
    wire: int = 0  # bytes on the network
    verification: tuple[Verified, ...] = ()  # of the image, newest first; the center's
    container: ContainerImage | None = None
