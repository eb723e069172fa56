"""The agent as a service of the source: its file, systemd unit or daemon, and taking all of it away again.

All that is ever written on a source is in `model.traces.AGENT_TRACES`.
"""

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from smc.agent.child import output_file
from smc.agent.home import Home
from smc.agent.service import running_pid
from smc.agent.worker import own_command
from smc.base.errors import Broken, CommandFailed
from smc.base.files import write_atomic
from smc.base.process import start_time
from smc.base.run import Run, run, spawn
from smc.model.traces import AGENT_RUNTIMES, AGENT_SERVICE, AGENT_UNIT, AGENT_WANTS

log = logging.getLogger(__name__)

SYSTEMD_RUNS = Path("/run/systemd/system")  # sd_booted(3)
COMMAND_SECONDS = 60.0
END_SECONDS = 20.0
TICK_SECONDS = 0.1

# The shell is what systemd starts: a program in a folder of ours it may not, where SELinux is enforcing.
# Only the agent is killed: it ends its own processes, and what the owner's scripts started outlives it.
UNIT = """\
[Unit]
Description=Server Migration Center agent
After=network.target
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh {agent} run
Restart=always
RestartSec=2
KillMode=process

[Install]
WantedBy=multi-user.target
"""


class Service:
    """`base` is the root of the source's filesystem; a test has another."""

    def __init__(
        self, home: Home, *, do: Run = run, base: Path = Path("/"), systemd: bool | None = None
    ) -> None:
        self._home = home
        self._do = do
        self._unit = base / AGENT_UNIT.lstrip("/")
        self._wants = base / AGENT_WANTS.lstrip("/")
        self._base = base
        self._systemd = SYSTEMD_RUNS.exists() if systemd is None else systemd

    @property
    def lasts(self) -> bool:
        """Whether something starts the agent again: after it was killed, and when the machine starts."""
        return self._systemd

    def running(self) -> bool:
        return running_pid(self._home) is not None

    def start(self) -> None:
        """Starts the agent, now and (where there is systemd) at each boot."""
        if self._systemd:
            write_atomic(self._unit, UNIT.format(agent=self._home.agent).encode())
            self._wants.parent.mkdir(exist_ok=True)
            if not self._wants.is_symlink():
                self._wants.symlink_to(AGENT_UNIT)
            self._systemctl("daemon-reload")
            self._systemctl("restart", AGENT_SERVICE)
            return
        words = ("/bin/sh", str(self._home.agent)) if self._home.agent.exists() else own_command()
        with output_file(self._home.logs / "daemon.log") as output:
            spawn(*words, "run", output=output)

    def stop(self) -> bool:
        """Whether an agent was running; returns when it has ended. Raises `Broken` when it does not end."""
        was_running = self.running()
        if self._systemd and self._unit.exists():
            self._systemctl("stop", AGENT_SERVICE)
        if (pid := running_pid(self._home)) is not None:
            _end(pid)
        return was_running

    def remove(self, *, with_all_runtimes: bool = False) -> None:
        """Stops the agent and takes away unit, folder and all; what is gone already is fine.

        Of what the agent's file has unpacked elsewhere only what this process came from, or all of it.
        """
        self.stop()
        self._wants.unlink(missing_ok=True)
        if self._unit.exists():
            self._unit.unlink()
            with suppress(CommandFailed):
                self._systemctl("daemon-reload")
        self._home.remove()
        for folder in (self._base / path.lstrip("/") for path in AGENT_RUNTIMES):
            mine = Path(__file__).is_relative_to(folder) or with_all_runtimes
            if mine and folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)

    def _systemctl(self, *words: str) -> None:
        self._do("systemctl", *words, timeout=COMMAND_SECONDS)


def copy_agent(home: Home, file: Path) -> None:
    """The one-file agent into its folder, unless it is started from there."""
    if home.agent.exists() and home.agent.samefile(file):
        return
    new = home.root / f".smc-agent.{os.getpid()}"
    try:
        with file.open("rb") as source, new.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())  # a source that loses power now has a whole file or none
        new.chmod(0o700)
        new.replace(home.agent)
    finally:
        new.unlink(missing_ok=True)


def forget_old_runtimes(home: Home) -> None:
    """What earlier versions unpacked; the running one is where this module came from."""
    if home.runtime.exists():
        for folder in home.runtime.iterdir():
            if not Path(__file__).is_relative_to(folder):
                shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(TICK_SECONDS)
    return True


def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_until(lambda: start_time(pid) is None, END_SECONDS):
            return
    raise Broken(f"the agent (process {pid}) does not end", code="Agent.DoesNotEnd")
