"""The owner's scripts around the last look at a source: they stop what writes, and start it again.

They are the owner's alone: the center can neither bring nor name one. What they stopped is started again
however the run goes: when the connection is cut, the process that copies dies, or the agent itself does.
"""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import msgspec

from smc.agent import frozen
from smc.agent.child import end, output_file
from smc.agent.home import Home, HooksWhen, Settings
from smc.base.errors import CommandFailed, SmcError, UserError
from smc.base.files import write_atomic
from smc.base.run import ENVIRONMENT, spawn
from smc.model.codec import encode
from smc.model.job import RunAim
from smc.model.progress import Failure

log = logging.getLogger(__name__)

README = """\
Scripts of yours that the migration agent runs on this server, as root, around the last look at its files:

    before/    in the order of their names, when all has been copied once: stop what writes
    after/     the same way, when the last changes were copied, or could not be: start it again

Each is a program that may be executed, of root, and that nobody else may write. A script of before/ that
fails (exit status other than 0) ends the run: the job tells what it said, all of after/ is run, what was
copied stays. SMC_STAGE is before or after, SMC_RUN the run; in after/ SMC_RESULT is copied or failed. After
the last round you may want to leave stopped what has moved:

    #!/bin/sh
    [ "$SMC_RESULT" = copied ] || systemctl start postgresql

When they run, and for how long they may, is in user_config.json beside this folder: hooks (last-round,
every-round, never; never in a migration test), hook_seconds for each, quiet_seconds between before and after.
"""
TICK_SECONDS = 0.1
PROBE_SECONDS = 5.0  # for a write into our own folder: longer means frozen, or a disk that nobody can use
SAID_CHARACTERS = 3000  # of a script's output, its end, in the job's log; all of it is in hooks.log
MOST_BYTES = 64 << 20  # that a script may say before it is ended: else one without end fills the disk
SAID_BYTES = 4 * SAID_CHARACTERS  # at most, in UTF-8
COPIED, FAILED = "copied", "failed"


class Stage(Enum):
    BEFORE = "before"
    AFTER = "after"


Tell = Callable[[str, str], None]  # a sentence for the job's log, and its code


def scripts(home: Home, stage: Stage) -> list[Path]:
    """In their order. Raises `UserError` (`Hooks.Unsafe`) for one that another than its owner may change."""
    folder = home.hooks / stage.value
    try:
        found = sorted(filter(is_script, folder.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return []
    behind_links = [path.resolve().parent for path in found if path.is_symlink()]
    for path in (home.hooks, folder, *behind_links, *found) if found else ():
        now = path.stat()
        if now.st_uid != os.geteuid() or now.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UserError(
                f"{path} may be changed by others than root and is not run",
                code="Hooks.Unsafe",
                hint=f"chown root {path}; chmod go-w {path}. Then start the job again.",
            )
    return found


def is_script(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def are_wanted(home: Home, aim: RunAim | None, note: Callable[[str], None]) -> bool:
    """`aim` of the run; `note` hears of files there that may not be executed. Raises as `scripts` does."""
    match home.settings().hooks:
        case HooksWhen.NEVER:
            return False
        case HooksWhen.LAST_ROUND:
            aims: tuple[RunAim, ...] = (RunAim.LAST,)
        case HooksWhen.EVERY_ROUND:
            aims = (RunAim.ROUND, RunAim.LAST)
    if aim not in aims:
        return False
    for path in (path for stage in Stage for path in _not_executable(home, stage)):
        note(f"{path} may not be executed and is not run; if it shall be: chmod u+x {path}")
    return bool([script for stage in Stage for script in scripts(home, stage)])


def _not_executable(home: Home, stage: Stage) -> list[Path]:
    """Without hidden files and what editors leave behind."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(
            path
            for path in (home.hooks / stage.value).iterdir()
            if path.is_file()
            and not is_script(path)
            and not (path.name.startswith(".") or path.name.endswith("~"))
        )
    return []


def explain(home: Home) -> None:
    """Make the folders, and the text that tells how to fill them."""
    try:
        for folder in (home.hooks, *(home.hooks / stage.value for stage in Stage)):
            folder.mkdir(mode=0o700, exist_ok=True)
        readme = home.hooks / "README"
        if not readme.exists():
            readme.write_text(README)
    except OSError as e:  # a full disk is no reason not to copy it
        log.warning("%s could not be made: %s", home.hooks, e.strerror)


class Hooks:
    """Of one run at a time. What was stopped is noted on disk, so that a later agent starts it again."""

    def __init__(self, home: Home, run: str, stopping: threading.Event, tell: Tell) -> None:
        self._home = home
        self._run = run
        self._stopping = stopping
        self._tell = tell
        self._settings = Settings()  # until one of its methods needs them
        self._since: float | None = None
        self._resumed = False  # so that a note which cannot be removed starts nothing again

    def quiet(self) -> Failure | None:
        """Run the scripts of before/; after a failure those of after/ have run too."""
        try:
            self._stop_what_writes()
        except SmcError as e:
            self.resume(FAILED)
            return Failure.of(e)
        except OSError as e:  # the run must hear of it: who waits for the answer waits without a limit
            self.resume(FAILED)
            failure = UserError(
                f"the scripts of before/ could not be run: {e}",
                code="Hooks.Failed",
                hint=f"See that {self._home.root} on the source can be read, and start the job again.",
            )
            return Failure.of(failure)
        return None

    def resume(self, result: str) -> None:
        """Run the scripts of after/, if those of before/ were begun; one that fails hinders no other."""
        if self._since is None and (self._resumed or not self._home.quiet.exists()):
            return
        since, self._since = self._since, None
        with suppress(UserError, OSError):  # as the owner's mistake in it lets them be
            self._settings = self._home.settings()
        with frozen.opened(frozen.local_filesystems()) as every:
            found = self._after()
            failed = result == FAILED or found is None
            for script in found or ():
                try:
                    self._call(script, Stage.AFTER, result)
                except SmcError as e:
                    failed = True
                    self._tell(f"{e.message}. {e.hint}", "Hooks.AfterFailed")
            if failed and (thawed := frozen.thaw(every)):
                self._tell(f"{thawed} filesystems that were frozen have been thawed", "Hooks.Thawed")
        self._resumed = True
        try:
            self._home.quiet.unlink(missing_ok=True)
        except OSError as e:  # a disk that has become read-only: the run must end all the same
            log.warning("%s stays, so the next agent runs after/ once more: %s", self._home.quiet, e.strerror)
        if since is not None:
            seconds = time.monotonic() - since
            self._tell(f"{seconds:.0f} s from the first script of before/ to the last of after/", "")

    def overdue(self) -> Failure | None:
        """What there is to say when the source has been quiet for too long."""
        limit = self._settings.quiet_seconds
        if self._since is None or time.monotonic() - self._since <= limit:
            return None
        return Failure(
            kind=UserError.__name__,
            code="Hooks.TooLong",
            message=f"the last changes were not copied within {limit} s after the scripts of before/",
            hint="What was stopped runs again. Start the job again, it has less to copy then, or raise"
            " quiet_seconds in user_config.json on the source.",
        )

    def _stop_what_writes(self) -> None:
        self._settings = self._home.settings()
        found = scripts(self._home, Stage.BEFORE)
        scripts(self._home, Stage.AFTER)  # nothing is stopped that these could not start again
        self._note_down()
        self._since = time.monotonic()
        for script in found:
            self._call(script, Stage.BEFORE, "")

    def _after(self) -> list[Path] | None:
        """None when none may or can be run."""
        try:
            return scripts(self._home, Stage.AFTER)
        except UserError as e:
            self._tell(f"{e.message}. {e.hint}", e.code)
        except OSError as e:  # the run must end all the same
            self._tell(f"the scripts of after/ could not be run: {e}", "Hooks.AfterFailed")
        return None

    def _note_down(self) -> None:
        with suppress(OSError):  # a full disk: then this agent alone knows
            write_atomic(self._home.quiet, encode(self._run), mode=0o600)

    def _call(self, script: Path, stage: Stage, result: str) -> None:
        """Raises `UserError` (`Hooks.Failed`, `Hooks.FrozenAgent`), OSError."""
        name = f"{stage.value}/{script.name}"
        told = {"SMC_STAGE": stage.value, "SMC_RUN": self._run, "SMC_RESULT": result}
        path = self._home.logs / "hooks.log"
        began = time.monotonic()
        with output_file(path) as output, frozen.opened([self._home.root]) as own:
            start = output.tell()
            why = self._wait_for(script, {**ENVIRONMENT, **told}, output, stage, own)
            stuck = not frozen.is_writable(self._home.root, PROBE_SECONDS)
            frozen.thaw(own)  # before anything is written or logged
        if stuck:
            raise UserError(
                f"{name} froze the filesystem of {self._home.root}, on which the agent works",
                code="Hooks.FrozenAgent",
                hint="Freeze filesystems of data alone, or stop what writes to it instead. It was thawed.",
            )
        said = _end_of(Path(output.name), start)  # not of the log, if that could not be opened
        if why:
            raise UserError(
                f"{name} {why}" + (f": {said}" if said else ""),
                code="Hooks.Failed",
                hint=f"Correct {script} on the source and start the job again: what was copied stays."
                f" All that it said is in {path} there.",
            )
        took = f"{name} has run ({time.monotonic() - began:.1f} s)"
        self._tell(f"{took}: {said}" if said else took, "")

    def _wait_for(
        self, script: Path, env: dict[str, str], output: BinaryIO, stage: Stage, own: list[int]
    ) -> str:
        """Why it did not do its work, "" when it did."""
        try:
            child = spawn(script, output=output, env=env, cwd=Path("/"))
        except CommandFailed as e:
            return f"could not be started ({e.message})"
        limit = self._settings.hook_seconds
        deadline, most = time.monotonic() + limit, output.tell() + MOST_BYTES
        while child.poll() is None:
            why = ""
            if stage is Stage.BEFORE and self._stopping.is_set():
                why = "was ended with the run"
            elif time.monotonic() > deadline:
                why = f"did not end within {limit} s"
            elif os.fstat(output.fileno()).st_size > most:
                why = f"said more than {MOST_BYTES} bytes"
            if why:
                frozen.thaw(own)  # it may be waiting for that itself, and then cannot be ended
                end(child)
                return why
            time.sleep(TICK_SECONDS)
        status = child.poll()
        return f"ended with status {status}" if status else ""


def settle(home: Home) -> None:
    """Start what an earlier agent has stopped and could not start again."""
    if not home.quiet.exists():
        return
    run = ""
    with suppress(OSError, msgspec.DecodeError):
        run = msgspec.json.decode(home.quiet.read_bytes(), type=str)
    log.warning("run %s was cut off after the scripts of before/: running those of after/", run)
    try:
        Hooks(home, run, threading.Event(), lambda said, _: log.warning("%s", said)).resume(FAILED)
    except OSError as e:  # the agent has more to do
        log.error("they may not have run: %s", e)


def _end_of(path: Path, start: int) -> str:
    """What has been written into a log from there on."""
    try:
        with path.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - SAID_BYTES))
            return file.read(SAID_BYTES).decode(errors="replace").strip()[-SAID_CHARACTERS:]
    except OSError:
        return ""
