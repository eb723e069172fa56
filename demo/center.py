"""A center of its own for one run: `smc serve` as a child process, on loopback ports."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from demo.stages import Failed, wait_until
from smc.cli.destination import local_driver
from smc.cli.embedded import LOGIN, read_cloud_login
from smc.client.api import Api, read_login
from smc.cloud.driver import Kind
from smc.cloud.ecs.driver import EcsDriver

SMC = Path(sys.executable).parent / "smc"
SECONDS_TO_SERVE = 30.0
SECONDS_TO_STOP = 30.0
LAST_LINES = 4000  # characters of its log that go into a failure


class Center:
    """`smc serve` on free loopback ports, with its data in `folder`; `address` is the API's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.agent_port = free_port()
        self.log = folder.parent / f"{folder.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Api:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(SMC), "serve", "--data-dir", str(self.folder)),
                    *("--listen", f"127.0.0.1:{self.port}", "--agent-listen", f"127.0.0.1:{self.agent_port}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        wait_until("the center serves", SECONDS_TO_SERVE, self._serves)
        return self.api()

    def api(self) -> Api:
        return Api(read_login(self.folder / "admin-key.json"))

    def driver(self) -> EcsDriver:
        """To the local cloud of this center, as the center itself has it."""
        login = read_cloud_login(self.folder / "cloud" / LOGIN)
        if login is None:
            raise Failed("the local cloud has no keys yet")
        return local_driver(login)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9: the center has no chance to tidy up; the local cloud is another process and lives."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(SECONDS_TO_STOP)

    def stop(self) -> None:
        """End the center, its cloud, and whatever still runs in that cloud."""
        if self._process is None or self._process.poll() is not None:
            return
        driver = self.driver()
        running = [found.id for found in driver.find({}) if found.kind is Kind.INSTANCE]
        for instance in running:
            driver.delete(Kind.INSTANCE, instance)
        wait_until(
            "instances end",
            SECONDS_TO_STOP,
            lambda: not any(driver.exists(Kind.INSTANCE, instance) for instance in running),
        )
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(SECONDS_TO_STOP)

    def last_lines(self) -> str:
        return self.log.read_text(errors="replace")[-LAST_LINES:] if self.log.exists() else ""

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise Failed(f"`smc serve` ended at once: {self.last_lines()}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return (self.folder / "admin-key.json").exists()
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
