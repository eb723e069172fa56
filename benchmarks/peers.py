"""The peers: rsync to a daemon of its own in plain, and rsync over ssh to an sshd of our own."""

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Copy, Watch, wait_until_childless, wait_until_ended
from smc.base.errors import Broken
from smc.base.run import Process, run, spawn

FIDELITY = ("-aHAXS", "--numeric-ids", "--delete")  # what our copies keep and remove
COPY_SECONDS = 900.0
START_SECONDS = 10.0
RSYNCD = """
port = {port}
address = 127.0.0.1
pid file = {scratch}/rsyncd.pid
log file = /dev/null
reverse lookup = no
[base]
path = {base}
uid = 0
gid = 0
read only = no
use chroot = no
munge symlinks = no
"""
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {scratch}/host
PidFile none
AuthorizedKeysFile {scratch}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
LogLevel ERROR
"""


@dataclass(frozen=True)
class Rsync:
    """rsync to a server that runs; `where` makes the last word of its command line from a target's path."""

    name: str
    server: int
    where: Callable[[Path], str]
    words: tuple[str, ...]
    scratch: Path

    def copy(self, source: Path, target: Path, *, fresh: bool) -> Copy:
        """Make `target` equal to `source`; `fresh`: it is empty. Raises `Broken` when rsync fails."""
        delta = () if fresh else ("--no-whole-file",)
        with (self.scratch / f"{self.name}.log").open("w+b") as said:
            begin = time.monotonic()
            receiver = Watch(self.server)
            client = spawn(
                *("rsync", *FIDELITY, *delta, *self.words, f"{source}/", self.where(target)), output=said
            )
            sender = Watch(client.pid)
            try:
                if not wait_until_ended(client.pid, COPY_SECONDS):
                    raise Broken(f"{self.name}: rsync did not end within {COPY_SECONDS:g} s")
                run("sync", "-f", target, timeout=COPY_SECONDS)
                seconds = time.monotonic() - begin
                sent = sender.usage()
            finally:
                status = _end(client)
            wait_until_childless(self.server)
            received = receiver.usage()
            said.seek(0)
            if status:
                raise Broken(f"{self.name}: rsync: {said.read().decode(errors='replace')[-1000:]}")
            return Copy(seconds, sent, received)


@contextmanager
def daemon(scratch: Path, base: Path) -> Iterator[Rsync]:
    """All targets lie below `base`."""
    port = free_port()
    config = scratch / "rsyncd.conf"
    config.write_text(RSYNCD.format(port=port, scratch=scratch, base=base))
    with serving(scratch, port, "rsync", "--daemon", "--no-detach", f"--config={config}") as pid:
        yield Rsync(
            "rsyncd",
            pid,
            lambda target: f"rsync://127.0.0.1:{port}/base/{target.relative_to(base)}/",
            (),
            scratch,
        )


@contextmanager
def ssh(scratch: Path) -> Iterator[Rsync]:
    """Ciphers and all else as OpenSSH chooses them."""
    port = free_port()
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch / name, timeout=60)
    config, known = scratch / "sshd_config", scratch / "known"
    config.write_text(SSHD.format(port=port, scratch=scratch))
    known.write_text(f"[127.0.0.1]:{port} {(scratch / 'host.pub').read_text()}")
    shell = (
        f"ssh -F none -p {port} -i {scratch / 'user'} -o BatchMode=yes -o IdentitiesOnly=yes"
        f" -o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes"
    )
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") or "sshd"
    with (
        _folder(Path("/run/sshd")),  # sshd wants it; its service would have made it
        serving(scratch, port, program, "-D", "-e", "-f", config) as pid,
    ):
        yield Rsync("ssh", pid, lambda target: f"root@127.0.0.1:{target}/", ("-e", shell), scratch)


@contextmanager
def named(names: Sequence[str], scratch: Path, base: Path) -> Iterator[dict[str, Rsync]]:
    """The peers of these names, running."""
    with ExitStack() as stack:
        found: dict[str, Rsync] = {}
        if "rsyncd" in names:
            found["rsyncd"] = stack.enter_context(daemon(scratch, base))
        if "ssh" in names:
            found["ssh"] = stack.enter_context(ssh(scratch))
        yield found


@contextmanager
def serving(scratch: Path, port: int, *words: str | Path) -> Iterator[int]:
    """A server that answers on `port` of loopback, by its pid; ended when left."""
    with (scratch / f"server-{secrets.token_hex(4)}.log").open("w+b") as said:
        process = spawn(*words, output=said)
        try:
            limit = time.monotonic() + START_SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > limit:
                    said.seek(0)
                    raise Broken(f"{words[0]} does not serve: {said.read().decode(errors='replace')[-1000:]}")
                time.sleep(0.02)
            wait_until_childless(process.pid)
            yield process.pid
        finally:
            _end(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            return bool(line.recv(1))
    except OSError:
        return False


def _end(process: Process) -> int:
    """Its exit status; it leads a session of its own, which ends with it."""
    if process.poll() is None:
        for deed in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(process.pid, deed)
            if wait_until_ended(process.pid, 5):
                break
    return process.wait(5)


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    made = not path.exists()
    path.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if made:
            path.rmdir()
