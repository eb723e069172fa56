"""Commands on a machine of the demo, over ssh, as a person would type them."""

import subprocess
from pathlib import Path

import msgspec

from demo.stages import Failed

OPTIONS = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15"),
)


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """root on a machine whose sshd is forwarded to loopback `port`."""

    port: int
    key: Path

    def run(self, command: str, *, timeout: float, ok: tuple[int, ...] = (0,), stdin: str = "") -> str:
        """What `command` printed. Raises `Failed` with its last words otherwise."""
        words = ["ssh", *OPTIONS, "-i", str(self.key), "-p", str(self.port), "root@127.0.0.1", command]
        try:
            done = subprocess.run(
                words,
                check=False,
                input=stdin,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as e:
            raise Failed(f"`{command[:80]}` did not end within {timeout:g} s") from e
        if done.returncode not in ok:
            raise Failed(f"`{command[:80]}` gave {done.returncode}: {(done.stderr or done.stdout)[-800:]}")
        return done.stdout

    def answers(self) -> bool:
        try:
            return self.run("true", timeout=15) == ""
        except Failed:
            return False


def make_key(folder: Path) -> Path:
    """A throw-away key pair for the judge; the same one when it is there already."""
    key = folder / "judge_key"
    if not key.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "judge", "-f", str(key)], check=True
        )
    return key
