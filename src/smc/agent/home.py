"""The agent's folder on a source: what lies where, and the files it keeps there."""

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from smc.base.errors import UserError
from smc.base.files import write_atomic
from smc.model.codec import decode, encode
from smc.model.traces import AGENT_FOLDER
from smc.wire.orders import HEARTBEAT_SECONDS
from smc.wire.trust import Key

T = TypeVar("T")

OURS = re.compile(
    r"\.?(smc-agent|credentials\.json|key\.pem|user_config\.json|pulse\.json|runs\.json|quiet\.json|agent\.pid)(\.\w+)?"
    r"|\.mnt|\.runtime|\.probe"
)
COMMON_NAMES = frozenset({"Logs", "Excludes", "Hooks"})  # ours only beside our settings: others have such too
SECRET_MODE = 0o600
FOLDER_MODE = 0o700


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """credentials.json: what enrolment gave. `url` and `ca` are the center's."""

    url: str
    ca: str
    source_id: str
    credential: str
    heartbeat_seconds: float = HEARTBEAT_SECONDS


class HooksWhen(Enum):
    NEVER = "never"
    LAST_ROUND = "last-round"
    EVERY_ROUND = "every-round"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """user_config.json: what the owner of the source may change.

    Proxy and level of the log are read when the agent starts, what is of hooks when a run asks for it.
    """

    proxy: str = ""  # http://[user:password@]host:port, "" for none
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    hooks: HooksWhen = HooksWhen.LAST_ROUND
    hook_seconds: int = 600  # for each script; a large database takes minutes to stop
    quiet_seconds: int = 3600  # from the first script of before/ until the last changes are copied


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """pulse.json: the last heartbeat that the center answered."""

    source_id: str
    time: float
    center_clock: float
    holding: str = ""  # the run being worked on


@dataclass(frozen=True, slots=True)
class Home:
    root: Path = Path(AGENT_FOLDER)

    @property
    def agent(self) -> Path:
        return self.root / "smc-agent"

    @property
    def logs(self) -> Path:
        return self.root / "Logs"

    @property
    def log(self) -> Path:
        return self.logs / "agent.log"

    @property
    def replicate_log(self) -> Path:
        return self.logs / "replicate.log"

    @property
    def excludes(self) -> Path:
        return self.root / "Excludes"

    @property
    def hooks(self) -> Path:
        return self.root / "Hooks"

    @property
    def quiet(self) -> Path:
        """There from the first script of before/ until the last of after/; holds the run."""
        return self.root / "quiet.json"

    @property
    def lock(self) -> Path:
        """Locked by the running agent; holds its pid."""
        return self.root / "agent.pid"

    @property
    def mounts(self) -> Path:
        return self.root / ".mnt"

    @property
    def runtime(self) -> Path:
        return self.root / ".runtime"

    @property
    def pulse(self) -> Path:
        return self.root / "pulse.json"

    def foreign(self) -> list[str]:
        """Names in the folder that are not the agent's: it is somebody else's folder."""
        return sorted(entry.name for entry in self._entries() if entry not in self._own())

    def is_elsewhere(self) -> bool:
        """Whether it is a link or a filesystem of its own: what leaves it out of a copy would not."""
        return self.root.is_symlink() or self.root.is_mount()

    def remove(self) -> None:
        """All that is the agent's; what is gone already is fine."""
        for entry in self._own():
            if entry == self.mounts:  # never a tree: a filesystem of the source may be seen in it
                with suppress(OSError):
                    entry.rmdir()
            elif entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        with suppress(OSError):
            self.root.rmdir()

    def _entries(self) -> list[Path]:
        return list(self.root.iterdir()) if self.root.is_dir() else []

    def _own(self) -> list[Path]:
        set_up = self._settings.exists()
        return [
            entry
            for entry in self._entries()
            if OURS.fullmatch(entry.name) or (set_up and entry.name in COMMON_NAMES)
        ]

    def create(self) -> None:
        """The folders, and what the owner may edit, unless they exist."""
        self.root.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self.root.chmod(FOLDER_MODE)
        if not self._settings.exists():
            self.keep_settings(Settings())
        # All that a run needs is made now, so that it works on a full disk too.
        for folder in (self.logs, self.excludes, self.mounts):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        for file in (self.log, self.replicate_log):
            file.touch(mode=SECRET_MODE)

    def imported(self) -> bool:
        return self._credentials.exists()

    def credentials(self) -> Credentials:
        """Raises `UserError` (`Agent.NotImported`)."""
        return _load(self._credentials, Credentials)

    def key(self) -> Key:
        """Raises `UserError` (`Agent.NotImported`)."""
        try:
            return Key.from_pem(self._key.read_text())
        except FileNotFoundError as e:
            raise _not_imported() from e

    def keep(self, credentials: Credentials, key: Key) -> None:
        write_atomic(self._key, key.to_pem().encode(), mode=SECRET_MODE)
        write_atomic(self._credentials, encode(credentials), mode=SECRET_MODE)

    def settings(self) -> Settings:
        """Raises `UserError` (`InvalidDocument`) when the owner has made a mistake in it."""
        try:
            return decode(self._settings.read_bytes(), Settings)
        except FileNotFoundError:
            return Settings()
        except UserError as e:
            hint = "Correct the file, or delete it."
            raise UserError(f"{self._settings}: {e.message}", code=e.code, hint=hint) from e

    def keep_settings(self, settings: Settings) -> None:
        text = json.dumps(msgspec.to_builtins(settings), indent=2) + "\n"
        write_atomic(self._settings, text.encode(), mode=SECRET_MODE)  # a proxy may have a password

    def last_pulse(self) -> Pulse | None:
        try:
            return decode(self.pulse.read_bytes(), Pulse)
        except (FileNotFoundError, UserError):
            return None

    def newest_runs(self) -> dict[str, int]:
        """Number of the newest run seen of each job."""
        try:
            return decode(self._runs.read_bytes(), dict[str, int])
        except FileNotFoundError:
            return {}

    def keep_newest_runs(self, runs: dict[str, int]) -> None:
        write_atomic(self._runs, encode(runs), mode=SECRET_MODE)

    @property
    def _credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def _key(self) -> Path:
        return self.root / "key.pem"

    @property
    def _settings(self) -> Path:
        return self.root / "user_config.json"

    @property
    def _runs(self) -> Path:
        return self.root / "runs.json"


def own_file() -> Path | None:
    """The one-file agent that this process came from; None when it runs from a source tree."""
    name = os.environ.get("SMC_AGENT_FILE", "")
    return Path(name) if name else None


def _load(path: Path, kind: type[T]) -> T:
    try:
        return decode(path.read_bytes(), kind)
    except FileNotFoundError as e:
        raise _not_imported() from e


def _not_imported() -> UserError:
    return UserError(
        "this machine has not been imported into a migration center",
        code="Agent.NotImported",
        hint="Run the import command that the center shows for an activation code.",
    )
