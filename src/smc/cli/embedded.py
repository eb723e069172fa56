"""The embedded local cloud as a process of its own, supervised by the center that uses it.

It outlives a center that is killed: the next one finds it by pid and start time and goes on using it.
"""

import logging
import secrets
import socket
import sys
import threading
import time
from pathlib import Path

import msgspec

from smc.base.errors import Broken
from smc.base.files import write_atomic
from smc.base.process import ask_to_end, start_time
from smc.base.run import Process, spawn

SECONDS_TO_SERVE = 20.0
SECONDS_TO_STOP = 15.0
RESTART_SECONDS = 1.0  # between the death of the cloud and its next start

LOGIN = "login.json"  # in DATA_DIR/cloud

log = logging.getLogger(__name__)


class CloudLogin(msgspec.Struct, frozen=True, kw_only=True):
    """DATA_DIR/cloud/login.json: how this center reaches its cloud."""

    host: str
    port: int
    access_key_id: str
    access_key_secret: str
    pid: int = 0
    start_time: int = 0

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"


class EmbeddedCloud:
    """Starts the cloud, or takes over the one that an earlier center left, and keeps it running."""

    def __init__(self, data_dir: Path, public_host: str) -> None:
        self._data_dir = data_dir
        self._public_host = public_host
        self._file = data_dir / "cloud" / LOGIN
        self._login: CloudLogin | None = None
        self._child: Process | None = None
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._keep_running, name="local-cloud", daemon=True)

    def start(self) -> CloudLogin:
        """Returns at once: the cloud starts while the caller does, who then has to `wait`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        login = read_cloud_login(self._file)
        if login is None or not _lives(login):
            login = self._launch(login)
        self._login = login
        return login

    def wait(self) -> None:
        """Until it serves; from then on it is kept running.

        Raises `Broken` (`LocalCloud.NotServing`) when it does not serve in time.
        """
        if self._login is not None:
            self._wait_until_it_serves(self._login)
            self._watcher.start()

    def stop(self) -> None:
        """End the cloud's process; its instances keep running, as in any cloud."""
        self._ending.set()
        login = read_cloud_login(self._file)
        if login is None or not _lives(login):
            return
        ask_to_end(login.pid)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while _lives(login) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.05)

    def _launch(self, earlier: CloudLogin | None) -> CloudLogin:
        """The port stays the same over restarts, so that nobody has to be told."""
        login = CloudLogin(
            host="127.0.0.1",
            port=earlier.port if earlier else _free_port(),
            access_key_id=earlier.access_key_id if earlier else f"LTAI{secrets.token_hex(10)}",
            access_key_secret=earlier.access_key_secret if earlier else secrets.token_urlsafe(24),
        )
        write_atomic(self._file, msgspec.json.encode(login), mode=0o600)
        logs = self._data_dir / "logs"
        logs.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "smc.cli.cloud", "--data-dir", str(self._data_dir)]
        if self._public_host:
            command += ["--public-host", self._public_host]
        with (logs / "cloud.log").open("ab") as output:
            self._child = spawn(*command, output=output)
        login = msgspec.structs.replace(
            login, pid=self._child.pid, start_time=start_time(self._child.pid) or 0
        )
        write_atomic(self._file, msgspec.json.encode(login), mode=0o600)
        return login

    def _wait_until_it_serves(self, login: CloudLogin) -> None:
        deadline = time.monotonic() + SECONDS_TO_SERVE
        while time.monotonic() < deadline:
            if not _lives(login):
                break
            try:
                with socket.create_connection((login.host, login.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.05)
        log_file = self._data_dir / "logs" / "cloud.log"
        raise Broken(
            f"the local cloud does not serve at {login.endpoint}",
            code="LocalCloud.NotServing",
            hint=f"Its log is {log_file}; if the port is taken by something else, delete {self._file}.",
        )

    def _keep_running(self) -> None:
        while not self._ending.wait(RESTART_SECONDS):
            self._reap()
            login = read_cloud_login(self._file)
            if login is not None and _lives(login):
                continue
            log.warning("the local cloud ended; starting it again")
            try:
                self._wait_until_it_serves(self._launch(login))
            except Broken as e:
                log.error("%s (%s)", e.message, e.hint)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.poll()


def read_cloud_login(file: Path) -> CloudLogin | None:
    """None when there is none, or one that cannot be read: then a new one is made."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=CloudLogin)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _lives(login: CloudLogin) -> bool:
    return login.pid > 0 and start_time(login.pid) == login.start_time


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
