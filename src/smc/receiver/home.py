"""The receiver's folder: what lets it go on after its program or its machine was started again."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from smc.base.errors import Broken, UserError
from smc.base.files import sync_folder, write_atomic
from smc.model.codec import decode, encode
from smc.model.report import Change, Proof, Report
from smc.receiver.containers.layers import Layer
from smc.wire.trust import Key

T = TypeVar("T")

SECRET_MODE = 0o600
FOLDER_MODE = 0o700


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """enrolment.json: what the ticket was traded for. `url` and `ca` are the center's."""

    url: str
    ca: str
    credential: str
    job: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """run.json: how far the disks are.

    `proof` is there when all was received, `report` when it was converted; `changes` are those of a
    conversion that did not end, `layers` those of a container image that are at the registry.
    """

    run: str
    proof: tuple[Proof, ...] = ()
    changes: tuple[Change, ...] = ()
    seconds: dict[str, float] = {}
    resent: int = 0  # bytes of content that were sent again after a cut
    report: Report | None = None
    layers: tuple[Layer, ...] = ()
    fresh: bool = False  # made another machine than its source, for a drill: never delivered


@dataclass(frozen=True, slots=True)
class Home:
    """`memory` is a folder on no disk: what is there outlives the program, not the machine."""

    root: Path
    memory: Path = Path("/run")

    @property
    def log(self) -> Path:
        return self.root / "receiver.log"

    def make(self) -> None:
        self.root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises `UserError` when another receiver works here; the kernel ends the lock with the program."""
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise UserError(
                    f"another receiver works with {self.root}",
                    code="Receiver.AlreadyRunning",
                    hint="There is one receiver on an intermediate instance; this one ends.",
                ) from e
            self._show_key()
            yield

    def key(self) -> Key:
        """Raises `Broken` (`Receiver.KeyLost`) when the machine was restarted while the key was hidden."""
        try:
            return Key.from_pem(self._key.read_text())
        except FileNotFoundError as e:
            raise Broken(
                "the receiver lost its key when its machine was restarted while the copy was converted",
                code="Receiver.KeyLost",
                hint="Delete the job and create it again.",
            ) from e

    def make_key(self) -> Key:
        """The same each time: a center that gave its answer to nobody gives it again to the same key."""
        if not self._key.exists():
            write_atomic(self._key, Key.generate().to_pem().encode(), mode=SECRET_MODE)
        return self.key()

    @contextmanager
    def key_hidden(self) -> Iterator[None]:
        """The key is on no disk of this machine meanwhile."""
        if self._key.exists():
            write_atomic(self._hidden_key, self._key.read_bytes(), mode=SECRET_MODE)
            self._key.unlink()
            sync_folder(self.root)
        try:
            yield
        finally:
            self._show_key()

    def _show_key(self) -> None:
        if self._hidden_key.exists():
            write_atomic(self._key, self._hidden_key.read_bytes(), mode=SECRET_MODE)
            self._hidden_key.unlink()

    def enrolment(self) -> Enrolment | None:
        return _read(self.root / "enrolment.json", Enrolment)

    def keep_enrolment(self, enrolment: Enrolment) -> None:
        write_atomic(self.root / "enrolment.json", encode(enrolment), mode=SECRET_MODE)

    def kept(self, run: str) -> Kept:
        """How far the disks are in `run`."""
        kept = _read(self.root / "run.json", Kept)
        return kept if kept is not None and kept.run == run else Kept(run=run)

    def carried_over(self, run: str) -> Kept:
        """What the disks hold since an earlier run, as that of `run`; nothing when that was a drill."""
        last = _read(self.root / "run.json", Kept)
        if last is None or not last.proof or last.fresh:
            return Kept(run=run)
        report = msgspec.structs.replace(last.report, run=run) if last.report else None
        return msgspec.structs.replace(last, run=run, report=report)

    def keep(self, kept: Kept) -> None:
        write_atomic(self.root / "run.json", encode(kept), mode=SECRET_MODE)

    @property
    def _key(self) -> Path:
        return self.root / "key.pem"

    @property
    def _hidden_key(self) -> Path:
        place = hashlib.sha256(bytes(self.root.absolute())).hexdigest()[:16]
        return self.memory / f"smc-receiver-{place}.pem"


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return decode(path.read_bytes(), kind)
    except FileNotFoundError:
        return None


def drop_file(path: Path) -> None:
    """Remove a secret and make that durable."""
    if path.exists():
        path.unlink()
        os.sync()
